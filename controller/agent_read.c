#include "agent_read.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"

/* ---- small parts */
static bool read_boot(const char *text, uint8_t boot[16])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        static const char digits[] = "0123456789abcdef";
        if (*text == '-')
            continue;
        const char *digit = strchr(digits, *text);
        if (digit == NULL || n == 32)
            return false;
        boot[n / 2] = (uint8_t)(boot[n / 2] << 4 | (digit - digits));
        n++;
    }
    return n == 32;
}

bool agent_read_ident(const json_t *o, const char *key, struct ident *ident, struct err *err)
{
    const json_t *i = json_object_get(o, key);
    const char *boot, *sha256;
    uint64_t pid;

    *ident = (struct ident){0};
    if (json_is_null(i))
        return true;
    if (i == NULL)
        return err_set(err, "\"%s\" is missing", key);
    if (!json_get_uint(i, "pid", &pid, err) || !json_get_uint(i, "start_ticks", &ident->start_ticks, err) ||
        !json_get_string(i, "boot_id", &boot, err) || !json_get_string(i, "sha256", &sha256, err))
        return err_context(err, "\"%s\"", key);
    if (pid == 0 || pid > INT32_MAX || !read_boot(boot, ident->boot) || !sha256_parse(sha256, ident->sha256)) {
        *ident = (struct ident){0};
        return err_set(err, "\"%s\" names no process", key);
    }
    ident->pid = (uint32_t)pid;
    return true;
}

static uint32_t clip(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* A digest or null. */
static bool read_hex(const json_t *o, const char *key, bool *there, uint8_t sha256[32], struct err *err)
{
    const char *hex = json_opt_string(o, key);

    *there = hex != NULL;
    return hex == NULL || sha256_parse(hex, sha256) || err_set(err, "\"%s\" is no SHA-256", key);
}

/* An array of texts; the array is the caller's to free, the texts are o's. */
static bool read_texts(const json_t *o, const char *key, uint32_t *n, const char ***texts, struct err *err)
{
    const json_t *list = json_opt_array(o, key), *row;
    size_t i;

    *n = 0;
    *texts = NULL;
    if (list == NULL)
        return err_set(err, "\"%s\" is missing", key);
    *texts = mem_zero(json_array_size(list), sizeof **texts);
    json_array_foreach(list, i, row)
    {
        if (!json_is_string(row))
            return err_set(err, "\"%s\" holds something that is no text", key);
        (*texts)[(*n)++] = json_string_value(row);
    }
    return true;
}

/* ---- claim and job */
static bool read_took_out(const json_t *o, struct agent_claim *c, struct err *err)
{
    const json_t *list = json_opt_array(o, "took_out"), *row;
    size_t i;

    if (list == NULL)
        return err_set(err, "\"took_out\" is missing");
    c->took_out = mem_zero(json_array_size(list), sizeof *c->took_out);
    json_array_foreach(list, i, row)
    {
        struct agent_took_out *t = &c->took_out[c->n_took_out++];
        const json_t *prior = json_opt_object(row, "prior");
        if (!json_get_string(row, "lb", &t->lb, err) || !json_get_string(row, "upstream", &t->upstream, err) ||
            !json_get_string(row, "server", &t->server, err) || !json_get_bool(prior, "down", &t->was_down, err) ||
            !json_get_bool(prior, "drain", &t->was_draining, err))
            return err_context(err, "\"took_out\"");
    }
    return true;
}

static bool read_claim(const json_t *o, struct agent_claim *c, struct err *err)
{
    const json_t *target;
    uint64_t ttl_s, left_s;

    if (o == NULL)
        return true;
    c->there = true;
    if (!json_get_string(o, "rollout", &c->rollout, err) || !json_get_uint(o, "fence", &c->fence, err) ||
        !json_get_uint(o, "ttl", &ttl_s, err) || !json_get_uint(o, "left", &left_s, err) ||
        !json_get_string(o, "holder", &c->holder, err) || !agent_read_ident(o, "before", &c->before, err) ||
        !read_took_out(o, c, err))
        return err_context(err, "\"claim\"");
    c->ttl_s = clip(ttl_s);
    c->left_s = clip(left_s);
    target = json_opt_object(o, "target");
    if (target == NULL)
        return true;
    c->target_version = json_opt_string(target, "version");
    return read_hex(target, "sha256", &c->has_target, c->target, err);
}

/* An older agent tells of none. */
static bool read_lock(const json_t *o, struct agent_lock *l, struct err *err)
{
    uint64_t left_s;

    if (o == NULL)
        return true;
    l->there = true;
    if (!json_get_string(o, "rollout", &l->rollout, err) || !json_get_uint(o, "left", &left_s, err) ||
        !json_get_string(o, "holder", &l->holder, err))
        return err_context(err, "\"lock\"");
    l->left_s = clip(left_s);
    return true;
}

bool agent_read_job(const json_t *o, struct agent_job *j, struct err *err)
{
    const char *state;

    *j = (struct agent_job){0};
    if (!json_get_string(o, "id", &j->id, err) || !json_get_string(o, "state", &state, err))
        return err_context(err, "a job");
    j->rollout = json_opt_string(o, "rollout");
    j->action = json_opt_string(o, "action");
    j->code = json_opt_string(o, "code");
    j->text = json_opt_string(o, "text");
    if (json_opt_string(o, "release") != NULL && !read_hex(o, "release", &j->has_release, j->release, err))
        return err_context(err, "a job");
    j->touched = json_opt_bool(o, "touched", false);
    j->restored = json_opt_bool(o, "restored", false);
    j->state = strcmp(state, "running") == 0  ? JOB_RUNNING
               : strcmp(state, "done") == 0   ? JOB_DONE
               : strcmp(state, "failed") == 0 ? JOB_FAILED
                                              : JOB_NONE;
    if (j->state == JOB_NONE)
        return err_set(err, "a job is in no known state");
    return (agent_read_ident(o, "before", &j->before, err) && agent_read_ident(o, "after", &j->after, err)) ||
           err_context(err, "a job");
}

/* ---- STATUS and /v1 */
static bool read_releases(const json_t *o, struct agent_status *s, struct err *err)
{
    const json_t *list = json_opt_array(o, "releases"), *row;
    const char *hex;
    size_t i;

    if (list == NULL)
        return err_set(err, "\"releases\" is missing");
    s->releases = mem_zero(json_array_size(list), sizeof *s->releases);
    json_array_foreach(list, i, row)
    {
        if (!json_get_string(row, "sha256", &hex, err) || !sha256_parse(hex, s->releases[s->n_releases]))
            return err_set(err, "\"releases\" holds something that is no SHA-256");
        s->n_releases++;
    }
    return true;
}

static bool read_status(const json_t *o, struct agent_status *s, struct err *err)
{
    const json_t *job = json_opt_object(o, "job");
    uint64_t connections;

    if (!json_get_string(o, "service", &s->service, err) || !json_get_string(o, "node", &s->node, err) ||
        !json_get_bool(o, "running", &s->running, err) || !agent_read_ident(o, "ident", &s->ident, err) ||
        !read_hex(o, "installed", &s->has_installed, s->installed, err) ||
        !read_texts(o, "listening", &s->n_listening, &s->listening, err) ||
        !json_get_uint(o, "connections", &connections, err) || !json_get_uint(o, "fence", &s->fence, err) ||
        (json_object_get(o, "warnings") != NULL && !read_texts(o, "warnings", &s->n_warnings, &s->warnings, err)) ||
        !read_releases(o, s, err) || !read_hex(o, "previous", &s->has_previous, s->previous, err) ||
        !read_claim(json_opt_object(o, "claim"), &s->claim, err) ||
        !read_lock(json_opt_object(o, "lock"), &s->lock, err))
        return false;
    s->version = json_opt_string(o, "version");
    s->signing_required = json_is_true(json_object_get(json_opt_object(o, "signing"), "required"));
    s->sequence = json_opt_uint(json_opt_object(o, "signing"), "sequence", 0);
    s->connections = clip(connections);
    return job == NULL || agent_read_job(job, &s->job, err);
}

bool agent_read_status(const char *body, size_t size, struct agent_status *s, struct err *err)
{
    *s = (struct agent_status){.owner = json_read(body, size, err)};
    if (s->owner != NULL && read_status(s->owner, s, err))
        return true;
    agent_status_clear(s);
    return err_context(err, "the status");
}

bool agent_read_services(const char *body, size_t size, struct agent_status **services, uint32_t *n, struct err *err)
{
    json_t *o = json_read(body, size, err);
    const json_t *list = json_is_object(o) ? json_opt_array(o, "services") : NULL;
    size_t count = list != NULL ? json_array_size(list) : 0;
    bool good = list != NULL || (o != NULL && err_set(err, "\"services\" is missing"));

    *services = mem_zero(count, sizeof **services);
    *n = 0;
    while (good && *n < count) {
        struct agent_status *s = &(*services)[(*n)++];
        s->owner = json_incref(json_array_get(list, *n - 1));
        good = json_is_object(s->owner) ? read_status(s->owner, s, err) : err_set(err, "one is no object");
    }
    json_decref(o);
    if (good)
        return true;
    while (*n > 0)
        agent_status_clear(&(*services)[--*n]);
    free(*services);
    *services = NULL;
    return err_context(err, "the services");
}

static void move(const char **text, struct pool *pool)
{
    if (*text != NULL)
        *text = pool_keep(pool, *text);
}

static void *moved(void *items, size_t bytes, struct pool *pool)
{
    void *to = bytes > 0 ? memcpy(pool_take(pool, bytes), items, bytes) : NULL;

    free(items);
    return to;
}

void agent_status_settle(struct agent_status *s, struct pool *pool)
{
    const char **texts[] = {
        &s->service,      &s->node,        &s->version, &s->claim.rollout, &s->claim.holder, &s->claim.target_version,
        &s->lock.rollout, &s->lock.holder, &s->job.id,  &s->job.rollout,   &s->job.code,     &s->job.text,
        &s->job.action};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        move(texts[i], pool);
    for (uint32_t i = 0; i < s->n_listening; i++)
        move(&s->listening[i], pool);
    for (uint32_t i = 0; i < s->n_warnings; i++)
        move(&s->warnings[i], pool);
    for (uint32_t i = 0; i < s->claim.n_took_out; i++) {
        move(&s->claim.took_out[i].lb, pool);
        move(&s->claim.took_out[i].upstream, pool);
        move(&s->claim.took_out[i].server, pool);
    }
    s->listening = moved((void *)s->listening, s->n_listening * sizeof *s->listening, pool);
    s->warnings = moved((void *)s->warnings, s->n_warnings * sizeof *s->warnings, pool);
    s->releases = moved(s->releases, s->n_releases * sizeof *s->releases, pool);
    s->claim.took_out = moved(s->claim.took_out, s->claim.n_took_out * sizeof *s->claim.took_out, pool);
    json_decref(s->owner);
    s->owner = NULL;
}

void agent_status_clear(struct agent_status *s)
{
    if (s->owner != NULL) {
        free((void *)s->listening);
        free((void *)s->warnings);
        free(s->releases);
        free(s->claim.took_out);
    }
    json_decref(s->owner);
    *s = (struct agent_status){0};
}

bool agent_status_has_release(const struct agent_status *s, const uint8_t release[32])
{
    for (uint32_t i = 0; i < s->n_releases; i++)
        if (memcmp(s->releases[i], release, sizeof s->releases[i]) == 0)
            return true;
    return false;
}

bool agent_read_root(const char *body, size_t size, struct agent_root *r, struct err *err)
{
    uint64_t version;

    *r = (struct agent_root){.owner = json_read(body, size, err)};
    if (r->owner != NULL && json_get_uint(r->owner, "version", &version, err) &&
        json_get_string(r->owner, "agent", &r->agent, err) && json_get_string(r->owner, "node", &r->node, err) &&
        read_texts(r->owner, "features", &r->n_features, &r->features, err)) {
        r->version = clip(version);
        return true;
    }
    agent_root_clear(r);
    return err_context(err, "/v1");
}

static bool same_features(const struct agent_root *a, const struct agent_root *b)
{
    for (uint32_t i = 0; i < a->n_features; i++)
        if (a->n_features != b->n_features || strcmp(a->features[i], b->features[i]) != 0)
            return false;
    return a->n_features == b->n_features;
}

void agent_root_settle(struct agent_root *r, const struct agent_root *like, struct pool *pool)
{
    move(&r->agent, pool);
    move(&r->node, pool);
    if (like != NULL && same_features(r, like)) {
        free((void *)r->features);
        r->features = like->features;
    } else {
        for (uint32_t i = 0; i < r->n_features; i++)
            move(&r->features[i], pool);
        r->features = moved((void *)r->features, r->n_features * sizeof *r->features, pool);
    }
    json_decref(r->owner);
    r->owner = NULL;
}

void agent_root_clear(struct agent_root *r)
{
    if (r->owner != NULL)
        free((void *)r->features);
    json_decref(r->owner);
    *r = (struct agent_root){0};
}

bool agent_root_has(const struct agent_root *root, const char *feature)
{
    for (uint32_t i = 0; i < root->n_features; i++)
        if (strcmp(root->features[i], feature) == 0)
            return true;
    return false;
}
