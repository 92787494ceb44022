#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/json.h"
#include "log.h"

#define CANNOT_BUILD "{\"error\":{\"code\":\"internal\",\"text\":\"the answer could not be built\"}}"

/* ---- the handlers' side */

static void answer_bytes(struct request *rq, unsigned status, enum frame_type type, char *text)
{
    struct frame_answer answer = {
        .status = status, .type = type, .bytes = text, .size = text != NULL ? strlen(text) : 0};

    if (text == NULL || answer.size > FRAME_ANSWER_MAX)
        answer = (struct frame_answer){
            .status = code_http_status(CODE_INTERNAL), .bytes = CANNOT_BUILD, .size = sizeof CANNOT_BUILD - 1};
    rq->answered = true;
    rq->suspended = false;
    helper_answer(rq, &answer);
    free(text);
}

void request_answer(struct request *rq, unsigned status, json_t *answer)
{
    answer_bytes(rq, status, FRAME_JSON, answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL);
    json_decref(answer);
}

void request_answer_text(struct request *rq, unsigned status, char *text)
{
    answer_bytes(rq, status, FRAME_TEXT, text);
}

void request_refuse(struct request *rq, enum code code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    request_answer(rq, code_http_status(code),
                   json_pack("{s:{s:s, s:o}}", "error", "code", code_text(code), "text", json_text(text)));
}

void request_suspend(struct request *rq, void (*cancel)(struct request *), void *wait)
{
    rq->suspended = true;
    rq->cancel = cancel;
    rq->wait = wait;
}

const char *request_query(const struct request *rq, const char *key)
{
    return frame_arg(&rq->head, key);
}

const char *request_by(const struct request *rq, struct log_quoted *to)
{
    return log_quote(to, rq->head.peer != NULL ? rq->head.peer : "");
}

bool request_wait_ms(struct request *rq, uint32_t *wait_ms)
{
    const char *text = request_query(rq, "wait");
    struct err err = {""};

    *wait_ms = 0;
    if (text != NULL && !duration_parse_ms(text, wait_ms, &err)) {
        request_refuse(rq, CODE_BAD_REQUEST, "wait: %s", err.text);
        return false;
    }
    if (*wait_ms > WIRE_WAIT_MAX_MS)
        *wait_ms = WIRE_WAIT_MAX_MS;
    return true;
}

bool request_owner(struct request *rq, struct owner *o)
{
    const char *text = request_query(rq, "fence");
    char *end;

    o->rollout = request_query(rq, "rollout");
    o->holder = request_query(rq, "holder");
    errno = 0;
    o->fence = text != NULL ? strtoull(text, &end, 10) : 0;
    if (o->rollout != NULL && claim_id_ok(o->rollout, WIRE_ID_MAX) && o->fence != 0 && errno == 0 && *end == '\0' &&
        text[0] != '-')
        return true;
    request_refuse(rq, CODE_BAD_REQUEST, "the query needs rollout=ID and fence=N");
    return false;
}

json_t *request_json(struct request *rq)
{
    struct err err = {""};
    json_t *json = json_read(rq->body != NULL ? rq->body : "", rq->body_size, &err);

    if (json == NULL)
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
    return json;
}

/* ---- the head */

static struct service *find_service(struct agent *agent, const char *name)
{
    for (unsigned i = 0; i < agent->config.service_count; i++) {
        if (strcmp(agent->services[i].config->name, name) == 0)
            return &agent->services[i];
    }
    return NULL;
}

/* With those that there are: a name was mistyped, or it is another host. */
static void refuse_service(struct request *rq, const char *name)
{
    char there[256] = "none";
    size_t used = 0;

    for (unsigned i = 0; i < rq->agent->config.service_count && used < sizeof there; i++)
        used += (size_t)snprintf(there + used, sizeof there - used, "%s%s", i == 0 ? "" : ", ",
                                 rq->agent->services[i].config->name);
    request_refuse(rq, CODE_NOT_FOUND, "the service %s is not in this agent's config; there: %s", name, there);
}

static void begin_upload(struct request *rq)
{
    uint64_t length = rq->head.length != UINT64_MAX ? rq->head.length : 0;
    struct err err = {""};
    enum code code = upload_begin(rq->service, rq->id, length, rq->head.signature, &rq->upload, &err);

    if (code != CODE_JOB_OK)
        request_refuse(rq, code, "%s", err.text);
}

/* The network half has looked at the path as well; what it found is not believed. */
void request_begin(struct request *rq)
{
    struct route_match match = routes_find(rq->head.method, rq->head.path);

    rq->route = match.route;
    rq->service = match.app[0] != '\0' ? find_service(rq->agent, match.app) : NULL;
    memcpy(rq->id, match.id, sizeof rq->id);
    if (!match.path_known)
        request_refuse(rq, CODE_NOT_FOUND, "there is nothing at this path");
    else if (match.route == NULL)
        request_refuse(rq, CODE_METHOD, "this path has no such method");
    else if (match.app[0] != '\0' && rq->service == NULL)
        refuse_service(rq, match.app);
    else if (match.route->body == BODY_FILE)
        begin_upload(rq);
}

/* ---- the body */

static void take_json(struct request *rq, const void *bytes, size_t size)
{
    if (rq->body_size + size > WIRE_BODY_MAX) {
        request_refuse(rq, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
        return;
    }
    if (rq->body_size + size + 1 > rq->body_capacity) {
        rq->body_capacity = 2 * (rq->body_size + size) + 1;
        rq->body = realloc(rq->body, rq->body_capacity);
        if (rq->body == NULL)
            abort();
    }
    memcpy(rq->body + rq->body_size, bytes, size);
    rq->body_size += size;
    rq->body[rq->body_size] = '\0';
}

void request_take(struct request *rq, const void *bytes, size_t size)
{
    struct err err = {""};
    enum code code;

    if (rq->answered)
        return;
    if (rq->route->body != BODY_FILE) {
        take_json(rq, bytes, size);
        return;
    }
    code = rq->upload != NULL ? upload_add(rq->upload, bytes, size, &err) : CODE_JOB_OK;
    if (code != CODE_JOB_OK) {
        upload_abandon(&rq->upload);
        request_refuse(rq, code, "%s", err.text);
    }
}

void request_run(struct request *rq)
{
    if (!rq->answered)
        rq->route->run(rq);
}

void request_clear(struct request *rq)
{
    if (rq->suspended)
        rq->cancel(rq);
    rq->suspended = false;
    upload_abandon(&rq->upload);
    free(rq->body);
    free(rq->head_bytes);
    rq->body = NULL;
    rq->head_bytes = NULL;
}
