/* agent_client.h - what the cases of the agent ask for, in one line each. Included by one case each. */
#ifndef CASES_AGENT_CLIENT_H
#define CASES_AGENT_CLIENT_H

#include <string.h>

#include "tests/stage/agent.h"
#include "tests/stage/sign.h"
#include "tests/stage/test.h"

#define APP "/v1/services/app"

static inline struct stage_answer *get_status(struct stage_agent *a)
{
    return stage_agent_http(a, "GET", APP, NULL);
}

struct version_wait {
    struct stage_agent *agent;
    const char *version;
};

static inline bool has_version(void *ctx)
{
    const struct version_wait *wait = ctx;
    const json_t *version = stage_json_find(get_status(wait->agent)->json, "version");

    return json_is_string(version) && strcmp(json_string_value(version), wait->version) == 0;
}

/* A status does not wait long for the version: on a busy machine it comes with a later one. */
static inline void wait_version(struct stage_agent *a, const char *version)
{
    stage_wait_until(a->stage, has_version, &(struct version_wait){a, version}, 10000,
                     stage_text(a->stage, "version %s in the status", version));
}

static inline struct stage_answer *put_claim(struct stage_agent *a, const char *rollout, int fence, int expect,
                                             int ttl_s)
{
    return stage_agent_http(a, "PUT", APP "/claim",
                            stage_text(a->stage,
                                       "{\"rollout\":\"%s\",\"fence\":%d,\"expect\":%d,\"ttl\":%d,\"holder\":\"case\","
                                       "\"target\":{\"sha256\":null,\"version\":null},\"before\":null,"
                                       "\"took_out\":[{\"lb\":\"lb1\",\"upstream\":\"app\",\"server\":\"1.2.3.4:80\","
                                       "\"prior\":{\"down\":false,\"drain\":false}}]}",
                                       rollout, fence, expect, ttl_s));
}

static inline struct stage_answer *drop_claim(struct stage_agent *a, const char *rollout, int fence)
{
    return stage_agent_http(a, "DELETE", stage_text(a->stage, APP "/claim?rollout=%s&fence=%d", rollout, fence), NULL);
}

/* release: hex, or NULL */
static inline struct stage_answer *post_job(struct stage_agent *a, const char *id, const char *rollout, int fence,
                                            const char *action, const char *release)
{
    const char *quote = release != NULL ? "\"" : "";

    return stage_agent_http(
        a, "POST", APP "/jobs",
        stage_text(a->stage, "{\"id\":\"%s\",\"rollout\":\"%s\",\"fence\":%d,\"action\":\"%s\",\"release\":%s%s%s}", id,
                   rollout, fence, action, quote, release != NULL ? release : "null", quote));
}

static inline struct stage_answer *wait_job(struct stage_agent *a, const char *id)
{
    return stage_agent_http(a, "GET", stage_text(a->stage, APP "/jobs/%s?wait=25s", id), NULL);
}

/* The first `limit` bytes of a file as the release `hex`, with headers. */
static inline struct stage_answer *put_part(struct stage_agent *a, const char *hex, const char *path, size_t limit,
                                            const char *headers)
{
    struct stage *s = a->stage;
    FILE *file = fopen(path, "re");
    size_t capacity = (size_t)64 << 20, size;
    char *bytes = stage_alloc(s, capacity);

    if (file == NULL)
        stage_fail(s, "cannot open %s", path);
    size = fread(bytes, 1, limit < capacity ? limit : capacity, file);
    (void)fclose(file);
    return stage_agent_http_as(a, a->plain ? NULL : stage_cert(s, "controller"), "PUT",
                               stage_text(s, APP "/releases/%s", hex), headers, bytes, size);
}

/* The bytes of a file as the release `hex`. */
static inline struct stage_answer *put_release(struct stage_agent *a, const char *hex, const char *path)
{
    return put_part(a, hex, path, SIZE_MAX, NULL);
}

static inline void assert_refused(struct stage_answer *answer, int status, const char *code)
{
    const json_t *error = answer->json != NULL ? stage_json_find(answer->json, "error.code") : NULL;

    if (answer->status != status || error == NULL || strcmp(json_string_value(error), code) != 0)
        fail_msg("%d %s instead of %d %s: %s", answer->status, error != NULL ? json_string_value(error) : "-", status,
                 code, answer->body);
}

static inline void assert_status(struct stage_answer *answer, int status)
{
    if (answer->status != status)
        fail_msg("%d instead of %d: %s%s", answer->status, status, answer->error, answer->body);
}

#endif
