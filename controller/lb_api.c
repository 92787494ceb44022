#include "lb_api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "common/addr.h"
#include "common/json.h"
#include "common/mem.h"
#include "url.h"

char *lb_api_url_versions(const char *root)
{
    return mem_format("%s/", root);
}

char *lb_api_url_nginx(const char *root, unsigned version)
{
    return mem_format("%s/%u/nginx", root, version);
}

char *lb_api_url_upstreams(const char *root, unsigned version)
{
    return mem_format("%s/%u/http/upstreams/", root, version);
}

char *lb_api_url_server(const char *root, unsigned version, const char *upstream, uint64_t id)
{
    char *name = url_encode(upstream, "");
    char *url = mem_format("%s/%u/http/upstreams/%s/servers/%llu", root, version, name, (unsigned long long)id);

    free(name);
    return url;
}

const char *lb_api_body_drain(void)
{
    return "{\"drain\":true}";
}

const char *lb_api_body_down(void)
{
    return "{\"down\":true}";
}

const char *lb_api_body_back(bool was_draining)
{
    return was_draining ? "{\"down\":false,\"drain\":true}" : "{\"down\":false,\"drain\":false}";
}

const char *lb_api_body_renew(void)
{
    return "{}";
}

void lb_api_lease_headers(struct lb_lease_headers *h, const struct plan *plan, uint32_t ttl_ms)
{
    uint32_t ttl_s = ttl_ms / 1000 + (ttl_ms % 1000 != 0);

    (void)snprintf(h->lines[0], sizeof h->lines[0], "Rollout-Fence: %llu", (unsigned long long)plan->fence);
    (void)snprintf(h->lines[1], sizeof h->lines[1], "Rollout-Id: %.*s", WIRE_ID_MAX, plan->rollout);
    (void)snprintf(h->lines[2], sizeof h->lines[2], "Rollout-Ttl: %u", ttl_s);
    (void)snprintf(h->lines[3], sizeof h->lines[3], "Rollout-Holder: %.*s", WIRE_HOLDER_MAX, plan->holder);
    for (size_t i = 0; i < LB_LEASE_HEADERS; i++) {
        for (char *c = h->lines[i]; *c != '\0'; c++)
            if (*c < ' ' || *c > '~')
                *c = '?'; /* a line end would begin a header of its own */
        h->list[i] = h->lines[i];
    }
}

bool lb_api_read_versions(const char *body, size_t size, uint8_t *version, struct err *err)
{
    json_t *list = json_read(body, size, err), *row;
    json_int_t best = 0;
    size_t i;

    if (list == NULL)
        return err_context(err, "the list of API versions");
    if (!json_is_array(list)) {
        json_decref(list);
        return err_set(err, "the list of API versions is no JSON array");
    }
    json_array_foreach(list, i, row)
    {
        json_int_t v = json_integer_value(row);
        if (v >= LB_API_VERSION_MIN && v <= LB_API_VERSION_MAX && v > best)
            best = v;
    }
    json_decref(list);
    if (best == 0)
        return err_set(err, "nginx speaks no version of its API between %d and %d", LB_API_VERSION_MIN,
                       LB_API_VERSION_MAX);
    *version = (uint8_t)best;
    return true;
}

/* FNV-1a: spreads every bit, needs no key, and nobody gains by a clash. */
static uint64_t mix(uint64_t seed, const char *text)
{
    for (; *text != '\0'; text++)
        seed = (seed ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return seed;
}

bool lb_api_read_nginx(const char *body, size_t size, uint64_t *generation, struct err *err)
{
    json_t *o = json_read(body, size, err);
    uint64_t count;
    char text[32];

    if (o == NULL)
        return err_context(err, "/nginx");
    if (!json_get_uint(o, "generation", &count, err)) {
        json_decref(o);
        return err_context(err, "/nginx");
    }
    const char *loaded = json_opt_string(o, "load_timestamp");
    (void)snprintf(text, sizeof text, "%llu@", (unsigned long long)count);
    *generation = mix(mix(UINT64_C(0xcbf29ce484222325), text), loaded != NULL ? loaded : "");
    json_decref(o);
    return true;
}

/* What an operator may look at where the API itself says nothing. */
static const char *advice(int status, bool said)
{
    if (status == 405)
        return "; does its location say `api write=on;`?";
    if (said)
        return "";
    return status == 400   ? "; does it want a client certificate (--cert), or https://?"
           : status == 401 ? "; it wants --lb-auth-file"
           : status == 403 ? "; its location does not let us in"
           : status == 404 ? "; rollout_api must be the location that says `api`"
                           : "";
}

/* Plus' error body: {"error":{"status":N,"text":T,"code":C},...}. */
static void refusal(int status, const json_t *body, char *text, size_t text_size)
{
    json_t *e = json_is_object(body) ? json_opt_object(body, "error") : NULL;
    const char *said = e != NULL ? json_opt_string(e, "text") : NULL;
    const char *code = e != NULL ? json_opt_string(e, "code") : NULL;

    if (said != NULL)
        (void)snprintf(text, text_size, "%s (%d%s%s)%s", said, status, code != NULL ? " " : "",
                       code != NULL ? code : "", advice(status, true));
    else
        (void)snprintf(text, text_size, "HTTP status %d%s", status, advice(status, false));
}

void lb_api_refusal(int status, const char *body, size_t size, char *text, size_t text_size)
{
    json_t *o = json_read(body, size, NULL);

    refusal(status, o, text, text_size);
    json_decref(o);
}

enum answer_kind lb_api_patch_answer(int status, const char *body, size_t size, const char *server, char *text,
                                     size_t text_size)
{
    struct err err = {""};
    json_t *o = json_read(body, size, &err);
    enum answer_kind kind = ANS_OK;
    const char *is;

    text[0] = '\0';
    if (status < 200 || status > 299) {
        refusal(status, o, text, text_size);
        kind = answer_of_status(status);
    } else if (o == NULL || !json_get_string(o, "server", &is, &err)) {
        (void)snprintf(text, text_size, "the answer makes no sense: %s", err.text);
        kind = ANS_BAD;
    } else if (server != NULL && strcmp(is, server) != 0 && !addr_same(is, server)) {
        (void)snprintf(text, text_size, "meant %s, changed %s: nginx was reloaded in between", server, is);
        kind = ANS_BAD;
    }
    json_decref(o);
    return kind;
}

enum peer_state lb_api_state(const char *word)
{
    static const struct {
        const char *word;
        enum peer_state state;
    } states[] = {{"up", PEER_UP},           {"draining", PEER_DRAINING}, {"down", PEER_DOWN},
                  {"unavail", PEER_UNAVAIL}, {"checking", PEER_UNAVAIL},  {"unhealthy", PEER_UNAVAIL}};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].word, word) == 0)
            return states[i].state;
    return PEER_UNKNOWN;
}

enum answer_kind lb_api_read_server(const char *body, size_t size, const char *server, struct seen_peer *seen,
                                    struct err *err)
{
    json_t *o = json_read(body, size, err), *more = o != NULL ? json_opt_object(o, "rollout") : NULL;
    const char *is, *state = more != NULL ? json_opt_string(more, "state") : NULL;
    enum answer_kind kind = ANS_BAD;
    uint64_t active;

    *seen = (struct seen_peer){.state = PEER_UNKNOWN};
    if (o == NULL || !json_get_string(o, "server", &is, err)) {
        (void)err_context(err, "the answer makes no sense");
    } else if (strcmp(is, server) != 0 && !addr_same(is, server)) {
        (void)err_set(err, "meant %s, was shown %s: nginx was reloaded in between", server, is);
    } else if (state == NULL) {
        kind = ANS_OK;
    } else if (json_get_uint(more, "active", &active, err)) {
        kind = ANS_OK;
        seen->state = (uint8_t)lb_api_state(state);
        seen->backup = json_opt_bool(o, "backup", false);
        seen->active = active < UINT32_MAX ? (uint32_t)active : UINT32_MAX;
        seen->exact = active > 0 || json_opt_bool(more, "quiet", false) ||
                      (seen->state != PEER_DOWN && seen->state != PEER_DRAINING);
    }
    json_decref(o);
    return kind;
}

bool lb_api_patched_server(const char *body, size_t size, char *server, size_t server_size)
{
    json_t *o = json_read(body, size, NULL);
    const char *is;
    bool good = o != NULL && json_get_string(o, "server", &is, NULL) && strlen(is) < server_size;

    if (good)
        (void)snprintf(server, server_size, "%s", is);
    json_decref(o);
    return good;
}
