/* plan_pack.c - the plan as JSON text, for the journal's first event. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "plan.h"

#define PLAN_PACK_VERSION 2

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort(); /* out of memory */
}

static void put_uint(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer((json_int_t)value));
}

/* A path may be no UTF-8: it is kept readable, but not found again. */
static void put_text(json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text);

    if (value == NULL) {
        char *plain = mem_text(text);

        for (char *c = plain; *c != '\0'; c++)
            *c = (char)((*c & 0x80) != 0 ? '?' : *c);
        value = json_string(plain);
        free(plain);
    }
    put(object, key, value);
}

static void put_bool(json_t *object, const char *key, bool value)
{
    put(object, key, json_boolean(value));
}

/* Masks and start times as text: JSON's integers are signed. */
static void put_u64(json_t *object, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_text(object, key, text);
}

static uint64_t get_u64(const json_t *object, const char *key)
{
    const char *text = json_opt_string(object, key);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void put_hex(json_t *object, const char *key, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * 32 + 1] = "";

    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    put_text(object, key, hex);
}

static void get_hex(const json_t *object, const char *key, uint8_t *bytes, size_t n)
{
    const char *hex = json_opt_string(object, key);

    if (hex == NULL || strlen(hex) != 2 * n)
        return;
    for (size_t i = 0; i < n; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
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

static struct ident unpack_ident(const json_t *object, const char *key)
{
    const json_t *o = json_opt_object(object, key);
    struct ident ident = {.pid = (uint32_t)json_opt_uint(o, "pid", 0), .start_ticks = get_u64(o, "start_ticks")};

    get_hex(o, "boot", ident.boot, sizeof ident.boot);
    get_hex(o, "sha256", ident.sha256, sizeof ident.sha256);
    return ident;
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

    if (t->n + n + 1 > t->room) {
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

/* ---- and back */

static const char *keep(struct plan *p, const json_t *object, const char *key)
{
    return plan_keep(p, json_opt_string(object, key));
}

static uint32_t u32(const json_t *object, const char *key)
{
    return (uint32_t)json_opt_uint(object, key, 0);
}

/* An index; what is none is one too high for every plan. */
static uint16_t index_of(const json_t *object, const char *key)
{
    uint64_t value = json_opt_uint(object, key, UINT16_MAX);

    return value < UINT16_MAX ? (uint16_t)value : UINT16_MAX;
}

static struct plan_gate unpack_gate(const json_t *o)
{
    return (struct plan_gate){.max_5xx_bp = u32(o, "max_5xx_bp"),
                              .max_fails_bp = u32(o, "max_fails_bp"),
                              .max_slower_bp = u32(o, "max_slower_bp"),
                              .min_requests = u32(o, "min_requests"),
                              .pause = json_opt_bool(o, "pause", false)};
}

static void unpack_hooks(struct plan *p, const json_t *packed)
{
    struct hook hooks[HOOKS_MAX];
    const char *rest;
    uint32_t n = 0;

    for (size_t i = 0; i < json_array_size(packed) && n < HOOKS_MAX; i++) {
        const char *at = json_opt_string(json_array_get(packed, i), "at");
        int point = at == NULL ? -1 : hook_split(at, &rest);

        if (point >= 0)
            hooks[n++] = (struct hook){json_opt_string(json_array_get(packed, i), "command"), (uint8_t)point};
    }
    plan_set_hooks(p, hooks, n);
}

static void unpack_head(struct plan *p, const json_t *o)
{
    const json_t *waits = json_opt_array(o, "wait_ms"), *batches = json_opt_array(o, "batches");
    const char *kind = json_opt_string(o, "kind");

    p->kind = PLAN_ROLL;
    for (enum plan_kind k = PLAN_ROLL; kind != NULL && k <= PLAN_ROLLBACK; k++)
        if (strcmp(kind, plan_kind_word(k)) == 0)
            p->kind = k;
    p->rollout = keep(p, o, "rollout");
    p->holder = keep(p, o, "holder");
    p->service = keep(p, o, "service");
    p->hosts = keep(p, o, "hosts");
    p->given = keep(p, o, "given");
    p->fence = get_u64(o, "fence");
    p->lease_ttl_ms = u32(o, "lease_ttl_ms");
    p->lease_wait_ms = u32(o, "lease_wait_ms");
    p->has_release = json_opt_bool(o, "has_release", false);
    p->release_file = keep(p, o, "release_file");
    get_hex(o, "release_sha256", p->release_sha256, sizeof p->release_sha256);
    p->release_size = json_opt_uint(o, "release_size", 0);
    p->version = keep(p, o, "version");
    for (size_t i = 0; i < WAIT_COUNT && i < json_array_size(waits); i++)
        p->wait_ms[i] = (uint32_t)json_integer_value(json_array_get(waits, i));
    p->connect_timeout_ms = u32(o, "connect_timeout_ms");
    p->drain_proceed = json_opt_bool(o, "drain_proceed", false);
    p->success_threshold = (uint8_t)u32(o, "success_threshold");
    p->min_healthy_ms = u32(o, "min_healthy_ms");
    for (; p->n_batches < PLAN_BATCHES_MAX && p->n_batches < json_array_size(batches); p->n_batches++)
        p->batches[p->n_batches] = (uint32_t)json_integer_value(json_array_get(batches, p->n_batches));
    p->canary = u32(o, "canary");
    p->pause_after = u32(o, "pause_after");
    p->max_unavailable = u32(o, "max_unavailable");
    p->max_unavailable_percent = json_opt_bool(o, "max_unavailable_percent", false);
    p->gate = unpack_gate(json_opt_object(o, "gate"));
    p->health = (struct plan_health){.status = {(uint16_t)u32(o, "health_low"), (uint16_t)u32(o, "health_high")},
                                     .body = keep(p, o, "health_body")};
    p->by_zone = json_opt_bool(o, "by_zone", false);
    p->max_failures = u32(o, "max_failures");
    p->rolls_back = json_opt_bool(o, "rolls_back", false);
    p->goes_back = json_opt_bool(o, "goes_back", false);
    unpack_hooks(p, json_opt_array(o, "hooks"));
}

static void unpack_lbs(struct plan *p, const json_t *lbs, const json_t *upstreams)
{
    p->n_lbs = (uint32_t)json_array_size(lbs);
    p->lbs = pool_take(&p->owned, (p->n_lbs + 1) * sizeof *p->lbs);
    for (uint32_t i = 0; i < p->n_lbs; i++) {
        const json_t *o = json_array_get(lbs, i);

        p->lbs[i] =
            (struct plan_lb){keep(p, o, "name"), keep(p, o, "api"), keep(p, o, "address"), (uint8_t)u32(o, "version")};
    }
    p->n_upstreams = (uint32_t)json_array_size(upstreams);
    p->upstreams = pool_take(&p->owned, (p->n_upstreams + 1) * sizeof *p->upstreams);
    for (uint32_t i = 0; i < p->n_upstreams; i++) {
        const json_t *o = json_array_get(upstreams, i);

        p->upstreams[i] = (struct plan_upstream){
            .lb = index_of(o, "lb"), .name = keep(p, o, "name"), .plus = json_opt_bool(o, "plus", false)};
    }
}

static void unpack_voters(struct plan *p, const json_t *voters)
{
    p->n_voters = (uint32_t)json_array_size(voters);
    p->voters = pool_take(&p->owned, (p->n_voters + 1) * sizeof *p->voters);
    for (uint32_t i = 0; i < p->n_voters; i++) {
        const json_t *o = json_array_get(voters, i);
        struct plan_voter *v = &p->voters[i];

        *v = (struct plan_voter){.host = keep(p, o, "host"),
                                 .service = keep(p, o, "service"),
                                 .agent = keep(p, o, "agent"),
                                 .address = keep(p, o, "address"),
                                 .group = (uint16_t)u32(o, "group")};
        p->n_groups = v->group >= p->n_groups ? v->group + 1u : p->n_groups;
    }
}

static void unpack_node(struct plan *p, uint16_t id, const json_t *o)
{
    struct plan_node *n = &p->nodes[id];
    const json_t *peers = json_opt_array(o, "peers");

    n->name = keep(p, o, "name");
    n->host = json_opt_string(o, "host") != NULL ? keep(p, o, "host") : NULL;
    n->service = json_opt_string(o, "service") != NULL ? keep(p, o, "service") : NULL;
    n->agent = keep(p, o, "agent");
    n->address = keep(p, o, "address");
    n->zone = keep(p, o, "zone");
    n->health = keep(p, o, "health");
    n->listens = keep(p, o, "listens");
    n->at_target = json_opt_bool(o, "at_target", false);
    n->brought = json_opt_bool(o, "brought", false);
    n->in_place = json_opt_bool(o, "in_place", false);
    n->resumed = json_opt_bool(o, "resumed", false);
    n->partial = json_opt_bool(o, "partial", false);
    n->surveyed = unpack_ident(o, "surveyed");
    n->out_mask = get_u64(o, "out");
    n->prior_drain_mask = get_u64(o, "prior_drain");
    n->claim_fence = get_u64(o, "claim_fence");
    n->before = json_object_get(o, "before") != NULL ? unpack_ident(o, "before") : n->surveyed;
    n->has_target = json_opt_string(o, "target") != NULL;
    get_hex(o, "target", n->target_sha256, sizeof n->target_sha256);
    n->first_peer = p->n_peers;
    n->n_peers = (uint32_t)json_array_size(peers);
    for (uint32_t i = 0; i < n->n_peers; i++) {
        const json_t *peer = json_array_get(peers, i);

        p->peers[p->n_peers++] =
            (struct plan_peer){.node = id, .upstream = index_of(peer, "upstream"), .server = keep(p, peer, "server")};
    }
}

/* Every index inside, or it is no plan. */
static bool sound(const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        if (p->upstreams[i].lb >= p->n_lbs)
            return false;
    for (uint32_t i = 0; i < p->n_peers; i++)
        if (p->peers[i].upstream >= p->n_upstreams)
            return false;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].n_peers > PLAN_NODE_PEERS_MAX)
            return false;
    for (uint32_t i = 0; i < p->n_batches; i++)
        if (p->batches[i] == 0)
            return false; /* nothing would ever begin */
    return p->n_batches > 0 && p->success_threshold > 0 && p->n_nodes <= PLAN_NODES_MAX;
}

struct plan *plan_unpack(const char *text, struct err *err)
{
    json_t *o = json_read(text, strlen(text), err);
    const json_t *nodes = json_opt_array(o, "nodes");
    struct plan *p;
    size_t n_peers = 0;

    if (o == NULL) {
        (void)err_context(err, "packed plan");
        return NULL;
    }
    if (json_opt_uint(o, "plan", 0) != PLAN_PACK_VERSION) {
        (void)err_set(err, "packed plan: version %u is needed, by another version of rollout", PLAN_PACK_VERSION);
        json_decref(o);
        return NULL;
    }
    p = plan_new();
    unpack_head(p, o);
    unpack_lbs(p, json_opt_array(o, "lbs"), json_opt_array(o, "upstreams"));
    unpack_voters(p, json_opt_array(o, "voters"));
    p->n_nodes = (uint32_t)json_array_size(nodes);
    p->nodes = pool_take(&p->owned, (p->n_nodes + 1) * sizeof *p->nodes);
    for (size_t i = 0; i < p->n_nodes; i++)
        n_peers += json_array_size(json_opt_array(json_array_get(nodes, i), "peers"));
    p->peers = pool_take(&p->owned, (n_peers + 1) * sizeof *p->peers);
    for (uint32_t i = 0; i < p->n_nodes; i++)
        unpack_node(p, (uint16_t)i, json_array_get(nodes, i));
    json_decref(o);
    if (!sound(p)) {
        (void)err_set(err, "packed plan: it does not hold together; the journal is damaged");
        plan_free(&p);
    }
    return p;
}
