/* plan_pack.c - the plan as JSON text, for the journal's first event. */
#include "plan_pack.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort(); /* out of memory */
}

static void put_uint(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *key, const char *text)
{
    put(object, key, json_text(text));
}

static void put_bool(json_t *object, const char *key, bool value)
{
    put(object, key, json_boolean(value));
}

static void put_u64(json_t *object, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_text(object, key, text);
}

static void put_hex(json_t *object, const char *key, const uint8_t *bytes, size_t n)
{
    char hex[2 * SHA256_BYTES + 1];

    assert(n <= SHA256_BYTES);
    hex_write(hex, bytes, n);
    put_text(object, key, hex);
}

static json_t *pack_ident(const struct ident *ident)
{
    json_t *o = json_object();

    put_uint(o, "pid", ident->pid);
    put_u64(o, "start_ticks", ident->start_ticks);
    put_hex(o, "boot", ident->boot, sizeof ident->boot);
    put_hex(o, "sha256", ident->sha256, sizeof ident->sha256);
    return o;
}

static json_t *pack_lb(const struct plan_lb *lb)
{
    json_t *o = json_object();

    put_text(o, "name", lb->name);
    put_text(o, "api", lb->api);
    put_text(o, "address", lb->address);
    put_uint(o, "version", lb->api_version);
    return o;
}

static json_t *pack_node(const struct plan *p, const struct plan_node *n)
{
    json_t *o = json_object(), *peers = json_array();

    put_text(o, "name", n->name);
    if (n->host != NULL)
        put_text(o, "host", n->host);
    if (n->service != NULL)
        put_text(o, "service", n->service);
    put_text(o, "agent", n->agent);
    put_text(o, "address", n->address);
    put_text(o, "zone", n->zone);
    put_text(o, "health", n->health);
    if (n->listens != NULL && n->listens[0] != '\0')
        put_text(o, "listens", n->listens);
    put_bool(o, "at_target", n->at_target);
    put_bool(o, "brought", n->brought);
    put_bool(o, "in_place", n->in_place);
    put_bool(o, "resumed", n->resumed);
    put_bool(o, "partial", n->partial);
    put(o, "surveyed", pack_ident(&n->surveyed));
    put_u64(o, "out", n->out_mask);
    put_u64(o, "prior_drain", n->prior_drain_mask);
    put_u64(o, "claim_fence", n->claim_fence);
    if (!ident_same_process(&n->before, &n->surveyed) ||
        !ident_runs(&n->before, n->surveyed.sha256)) /* it mostly is the same, and the most of a node */
        put(o, "before", pack_ident(&n->before));
    if (n->has_target)
        put_hex(o, "target", n->target_sha256, sizeof n->target_sha256);
    for (uint32_t i = n->first_peer; i < n->first_peer + n->n_peers; i++) {
        json_t *peer = json_object();

        put_uint(peer, "upstream", p->peers[i].upstream);
        put_text(peer, "server", p->peers[i].server);
        json_append(peers, peer);
    }
    put(o, "peers", peers);
    return o;
}

static json_t *pack_voters(const struct plan *p)
{
    json_t *voters = json_array();

    for (uint32_t i = 0; i < p->n_voters; i++) {
        json_t *o = json_object();

        put_text(o, "host", p->voters[i].host);
        put_text(o, "service", p->voters[i].service);
        put_text(o, "agent", p->voters[i].agent);
        put_text(o, "address", p->voters[i].address);
        put_uint(o, "group", p->voters[i].group);
        json_append(voters, o);
    }
    return voters;
}

static json_t *pack_hooks(const struct plan *p)
{
    json_t *hooks = json_array();

    for (uint32_t i = 0; i < p->n_hooks; i++) {
        json_t *o = json_object();

        put_text(o, "at", hook_point_words[p->hooks[i].point]);
        put_text(o, "command", p->hooks[i].command);
        json_append(hooks, o);
    }
    return hooks;
}

static json_t *pack_gate(const struct plan_gate *g)
{
    json_t *o = json_object();

    put_uint(o, "max_5xx_bp", g->max_5xx_bp);
    put_uint(o, "max_fails_bp", g->max_fails_bp);
    put_uint(o, "max_slower_bp", g->max_slower_bp);
    put_uint(o, "min_requests", g->min_requests);
    put_bool(o, "pause", g->pause);
    return o;
}

static json_t *pack_head(const struct plan *p)
{
    json_t *o = json_object(), *waits = json_array(), *batches = json_array();

    put_uint(o, "plan", PLAN_PACK_VERSION);
    put_text(o, "kind", plan_kind_word(p->kind));
    put_text(o, "rollout", p->rollout);
    put_text(o, "holder", p->holder);
    put_text(o, "service", p->service);
    put_text(o, "hosts", p->hosts);
    put_text(o, "given", p->given);
    put_u64(o, "fence", p->fence);
    put_uint(o, "lease_ttl_ms", p->lease_ttl_ms);
    put_uint(o, "lease_wait_ms", p->lease_wait_ms);
    put_bool(o, "has_release", p->has_release);
    put_text(o, "release_file", p->release_file);
    put_hex(o, "release_sha256", p->release_sha256, sizeof p->release_sha256);
    put_uint(o, "release_size", p->release_size);
    put_text(o, "version", p->version);
    for (int i = 0; i < WAIT_COUNT; i++)
        json_append(waits, json_integer(p->wait_ms[i]));
    put(o, "wait_ms", waits);
    put_uint(o, "connect_timeout_ms", p->connect_timeout_ms);
    put_bool(o, "drain_proceed", p->drain_proceed);
    put_uint(o, "success_threshold", p->success_threshold);
    put_uint(o, "min_healthy_ms", p->min_healthy_ms);
    for (uint32_t i = 0; i < p->n_batches; i++)
        json_append(batches, json_integer(p->batches[i]));
    put(o, "batches", batches);
    put_uint(o, "canary", p->canary);
    put_uint(o, "pause_after", p->pause_after);
    put_uint(o, "max_unavailable", p->max_unavailable);
    put_bool(o, "max_unavailable_percent", p->max_unavailable_percent);
    put(o, "gate", pack_gate(&p->gate));
    put_uint(o, "health_low", p->health.status.low);
    put_uint(o, "health_high", p->health.status.high);
    put_text(o, "health_body", p->health.body);
    put_bool(o, "by_zone", p->by_zone);
    put_uint(o, "max_failures", p->max_failures);
    put_bool(o, "rolls_back", p->rolls_back);
    put_bool(o, "goes_back", p->goes_back);
    if (p->n_hooks > 0)
        put(o, "hooks", pack_hooks(p));
    return o;
}

/* Node after node: a tree of ten thousand of them would be most of the program's memory. */
struct pieces {
    plan_sink *sink;
    void *ctx;
    size_t n;
    bool over;
};

static void add(struct pieces *t, const char *piece, size_t n)
{
    if (t->over)
        return;
    t->n += n;
    t->over = !t->sink(t->ctx, piece, n);
}

/* Without its last `open` bytes: what is to follow within. */
static void add_json(struct pieces *t, json_t *o, size_t open)
{
    char *text = mem_must(json_dumps(o, JSON_COMPACT));

    add(t, text, strlen(text) - open);
    free(text);
    json_decref(o);
}

static json_t *pack_all_but_nodes(const struct plan *p)
{
    json_t *o = pack_head(p), *lbs = json_array(), *upstreams = json_array();

    for (uint32_t i = 0; i < p->n_lbs; i++)
        json_append(lbs, pack_lb(&p->lbs[i]));
    for (uint32_t i = 0; i < p->n_upstreams; i++) {
        json_t *u = json_object();

        put_uint(u, "lb", p->upstreams[i].lb);
        put_text(u, "name", p->upstreams[i].name);
        if (p->upstreams[i].plus)
            put_bool(u, "plus", true);
        json_append(upstreams, u);
    }
    if (p->n_voters > 0)
        put(o, "voters", pack_voters(p));
    put(o, "lbs", lbs);
    put(o, "upstreams", upstreams);
    return o;
}

size_t plan_pack_to(const struct plan *p, plan_sink *sink, void *ctx)
{
    static const char begin[] = ",\"nodes\":[", end[] = "]}";
    struct pieces pieces = {.sink = sink, .ctx = ctx};

    add_json(&pieces, pack_all_but_nodes(p), 1); /* its closing brace */
    add(&pieces, begin, strlen(begin));
    for (uint32_t i = 0; i < p->n_nodes && !pieces.over; i++) {
        add(&pieces, ",", i == 0 ? 0 : 1);
        add_json(&pieces, pack_node(p, &p->nodes[i]), 0);
    }
    add(&pieces, end, strlen(end));
    return pieces.n;
}

struct text {
    char *text;
    size_t n, room;
};

static bool grow(void *ctx, const char *piece, size_t n)
{
    struct text *t = ctx;

    if (t->text == NULL || t->n + n + 1 > t->room) {
        t->room = (t->n + n + 1) / 4 * 5 + 1024;
        t->text = mem_grow(t->text, t->room, 1);
    }
    memcpy(t->text + t->n, piece, n);
    t->n += n;
    t->text[t->n] = '\0';
    return true;
}

char *plan_pack(const struct plan *p)
{
    struct text text = {0};

    (void)plan_pack_to(p, grow, &text);
    return text.text;
}
