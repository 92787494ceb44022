/* plan_unpack.c - the plan that a journal's first event has. */
#include "plan_pack.h"

#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/json.h"

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

static uint64_t get_u64(const json_t *object, const char *key)
{
    const char *text = json_opt_string(object, key);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void get_hex(const json_t *object, const char *key, uint8_t *bytes, size_t n)
{
    const char *hex = json_opt_string(object, key);

    if (hex != NULL)
        (void)hex_read(hex, bytes, n);
}

static struct ident unpack_ident(const json_t *object, const char *key)
{
    const json_t *o = json_opt_object(object, key);
    struct ident ident = {.pid = (uint32_t)json_opt_uint(o, "pid", 0), .start_ticks = get_u64(o, "start_ticks")};

    get_hex(o, "boot", ident.boot, sizeof ident.boot);
    get_hex(o, "sha256", ident.sha256, sizeof ident.sha256);
    return ident;
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
