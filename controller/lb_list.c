#include "lb_list.h"

#include <jansson.h>
#include <string.h>

#include "common/json.h"
#include "lb_api.h"
#include "lb_peer.h"

/* Where we are in the text. Values are parsed one at a time by jansson, the brackets around them are ours. */
struct text {
    const char *at, *end;
    const char *begin;
    struct err *err;
};

static bool wrong(const struct text *t, const char *what)
{
    return err_set(t->err, "the list of upstreams, byte %zu: %s", (size_t)(t->at - t->begin), what);
}

static char next(struct text *t)
{
    while (t->at < t->end && strchr(" \t\r\n", *t->at) != NULL && *t->at != '\0')
        t->at++;
    return t->at < t->end ? *t->at : '\0';
}

static bool expect(struct text *t, char c)
{
    char what[] = "' ' is missing";

    if (next(t) == c) {
        t->at++;
        return true;
    }
    what[1] = c;
    return wrong(t, what);
}

/* One whole value; a new reference or NULL. */
static json_t *value(struct text *t)
{
    json_error_t e;
    json_t *v = NULL;

    if (next(t) != '\0')
        v = json_loadb(t->at, (size_t)(t->end - t->at),
                       JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &e);
    if (v == NULL)
        (void)wrong(t, next(t) == '\0' ? "it ends too early" : e.text);
    else
        t->at += e.position;
    return v;
}

/* "name": -> a new reference to the string. */
static json_t *member_name(struct text *t)
{
    json_t *name = next(t) == '"' ? value(t) : NULL;

    if (name == NULL) {
        (void)wrong(t, "a member's name is missing");
        return NULL;
    }
    if (!expect(t, ':')) {
        json_decref(name);
        return NULL;
    }
    return name;
}

/* After an element: true and *more = false at the closing bracket. */
static bool go_on(struct text *t, char close, bool *more)
{
    char c = next(t);

    *more = c == ',';
    if (c != ',' && c != close)
        return wrong(t, "',' or the end is missing");
    t->at++;
    return true;
}

/* Counters that an nginx does not have are no error: there is nothing to judge by then. */
static struct lb_counts read_counts(const json_t *o)
{
    struct lb_counts c = {0};
    const json_t *responses = json_opt_object(o, "responses");
    uint64_t ms;

    c.known = responses != NULL && json_get_uint(responses, "total", &c.answers, NULL) &&
              json_get_uint(responses, "5xx", &c.errors, NULL) && json_get_uint(o, "fails", &c.fails, NULL);
    c.timed = json_get_uint(o, "response_time", &ms, NULL) && ms < UINT32_MAX;
    c.response_ms = c.timed ? (uint32_t)ms : 0;
    return c;
}

static bool read_peer(const json_t *o, const struct lb_walk *walk, struct err *err)
{
    const char *state;
    uint64_t active;
    struct lb_peer p = {0};

    if (!json_is_object(o))
        return err_set(err, "a peer is no JSON object");
    if (!json_get_uint(o, "id", &p.id, err) || !json_get_string(o, "server", &p.server, err) ||
        !json_get_string(o, "state", &state, err) || !json_get_uint(o, "active", &active, err))
        return err_context(err, "a peer");
    p.name = json_opt_string(o, "name");
    if (p.name == NULL)
        p.name = p.server;
    p.state = lb_api_state(state);
    p.backup = json_opt_bool(o, "backup", false);
    p.active = active < UINT32_MAX ? (uint32_t)active : UINT32_MAX;
    if (walk->counts)
        p.counts = read_counts(o);
    return walk->peer == NULL || walk->peer(walk->ctx, &p, err);
}

/* By the short way, where it is as nginx writes it; else, and to say what is wrong, by the long one. */
static bool read_one_peer(struct text *t, const struct lb_walk *walk)
{
    struct lb_peer_texts texts;
    struct lb_peer p;

    if (!walk->counts && next(t) == '{' && lb_peer_read(&t->at, t->end, &p, &texts))
        return walk->peer == NULL || walk->peer(walk->ctx, &p, t->err);
    json_t *o = value(t);
    bool good = o != NULL && read_peer(o, walk, t->err);
    json_decref(o);
    return good;
}

static bool read_peers(struct text *t, const struct lb_walk *walk)
{
    bool more = true;

    if (!expect(t, '['))
        return false;
    if (next(t) == ']') {
        t->at++;
        return true;
    }
    while (more)
        if (!read_one_peer(t, walk) || !go_on(t, ']', &more))
            return false;
    return true;
}

static void copy(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text != NULL ? text : "");
}

static void read_lease(const json_t *o, struct lb_lease *lease)
{
    lease->known = true;
    lease->active_exact = json_opt_bool(o, "active_exact", false);
    lease->state_told = json_is_boolean(json_object_get(o, "state_kept"));
    lease->state_kept = json_opt_bool(o, "state_kept", false);
    if (!json_is_object(o))
        return;
    lease->fence = json_opt_uint(o, "fence", 0);
    uint64_t ttl = json_opt_uint(o, "ttl", 0);
    lease->ttl_s = ttl < UINT32_MAX ? (uint32_t)ttl : UINT32_MAX;
    copy(lease->id, sizeof lease->id, json_opt_string(o, "id"));
    copy(lease->holder, sizeof lease->holder, json_opt_string(o, "holder"));
}

/* A member of an upstream: its name is read, its value is next. */
static bool read_member(struct text *t, const char *name, const struct lb_walk *walk, struct lb_lease *lease)
{
    if (strcmp(name, "peers") == 0)
        return read_peers(t, walk);
    json_t *v = value(t);
    if (v == NULL)
        return false;
    if (strcmp(name, "rollout") == 0)
        read_lease(v, lease);
    json_decref(v);
    return true;
}

/* { member, ... } : for each its name is read and `fn` reads the value. */
static bool read_object(struct text *t, bool (*fn)(struct text *, const char *, const struct lb_walk *, void *),
                        const struct lb_walk *walk, void *arg)
{
    bool more = true;

    if (!expect(t, '{'))
        return false;
    if (next(t) == '}') {
        t->at++;
        return true;
    }
    while (more) {
        json_t *name = member_name(t);
        bool good = name != NULL && fn(t, json_string_value(name), walk, arg) && go_on(t, '}', &more);
        json_decref(name);
        if (!good)
            return false;
    }
    return true;
}

static bool on_member(struct text *t, const char *name, const struct lb_walk *walk, void *lease)
{
    return read_member(t, name, walk, lease);
}

static bool on_upstream(struct text *t, const char *name, const struct lb_walk *walk, void *none)
{
    struct lb_lease lease = {0};

    (void)none;
    return (walk->begin == NULL || walk->begin(walk->ctx, name, t->err)) && read_object(t, on_member, walk, &lease) &&
           (walk->end == NULL || walk->end(walk->ctx, &lease, t->err));
}

bool lb_list_walk(const char *body, size_t size, const struct lb_walk *walk, struct err *err)
{
    struct text t = {.at = body, .begin = body, .end = body + size, .err = err};

    if (!read_object(&t, on_upstream, walk, NULL))
        return false;
    return next(&t) == '\0' && t.at == t.end ? true : wrong(&t, "something follows behind the end");
}
