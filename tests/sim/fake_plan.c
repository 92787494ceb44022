#include "fake_plan.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_NODES 26

static uint32_t at_least_1(uint32_t n)
{
    return n == 0 ? 1 : n;
}

static const char *named(struct plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *named(struct plan *p, const char *format, ...)
{
    char text[64];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return plan_keep(p, text);
}

struct ident fake_plan_ident(uint32_t node)
{
    struct ident i = {.pid = 100 + node, .start_ticks = 1 + node};

    i.boot[0] = (uint8_t)(1 + node);
    i.sha256[0] = FAKE_OLD;
    return i;
}

static void set_times(struct plan *p)
{
    p->wait_ms[WAIT_CHANGE] = 3000;
    p->wait_ms[WAIT_STAGE] = 10000;
    p->wait_ms[WAIT_FLOOR] = 20000;
    p->wait_ms[WAIT_DRAIN] = 5000;
    p->wait_ms[WAIT_JOB] = 5000;
    p->wait_ms[WAIT_HEALTH] = 6000;
    p->wait_ms[WAIT_BAKE] = 0;
    p->wait_ms[WAIT_RETRY] = 1000;
    p->wait_ms[WAIT_POLL] = 250;
    p->wait_ms[WAIT_DRAIN_POLL] = 250;
    p->wait_ms[WAIT_MEND] = 3000;
    p->wait_ms[WAIT_PROBE] = 500;
    p->wait_ms[WAIT_HOOK] = 4000;
    p->connect_timeout_ms = 300;
    p->lease_ttl_ms = 30000;
    p->success_threshold = 3;
    p->min_healthy_ms = 1000;
    p->n_batches = 1;
    p->batches[0] = 1;
    p->max_unavailable = 1;
    p->health = (struct plan_health){.status = {200, 299}, .body = ""};
}

static void add_upstreams(struct plan *p, const struct fake_shape *s)
{
    for (uint32_t i = 0; i < s->lbs; i++) {
        struct plan_lb *lb = &p->lbs[p->n_lbs++];

        lb->name = named(p, "lb%u", i + 1);
        lb->api = named(p, "http://lb%u/api", i + 1);
        lb->address = lb->name;
        lb->api_version = 9;
        for (uint32_t k = 0; k < s->upstreams; k++)
            p->upstreams[p->n_upstreams++] =
                (struct plan_upstream){.lb = (uint16_t)i, .name = k == 0 ? "app" : named(p, "app%u", k + 1)};
    }
}

static void add_node(struct plan *p, const struct fake_shape *s, uint32_t id)
{
    struct plan_node *n = &p->nodes[p->n_nodes++];

    n->name = named(p, "%c", 'a' + (char)id);
    n->agent = named(p, "https://%c:9443", 'a' + (char)id);
    n->address = n->name;
    n->zone = n->health = "";
    n->surveyed = n->before = fake_plan_ident(id);
    n->first_peer = p->n_peers;
    for (uint32_t u = 0; u < p->n_upstreams; u++)
        for (uint32_t k = 0; k < s->ports; k++)
            p->peers[p->n_peers++] = (struct plan_peer){
                .node = (uint16_t)id, .upstream = (uint16_t)u, .server = named(p, "10.0.0.%u:%u", id + 1, 8000 + k)};
    n->n_peers = p->n_peers - n->first_peer;
}

struct plan *fake_plan(struct fake_shape wanted)
{
    struct plan *p = plan_new();
    struct fake_shape s = {.nodes = at_least_1(wanted.nodes),
                           .lbs = at_least_1(wanted.lbs),
                           .upstreams = at_least_1(wanted.upstreams),
                           .ports = at_least_1(wanted.ports)};

    p->rollout = "r1";
    p->holder = "ann@ci";
    p->service = "app";
    p->fence = 7;
    p->has_release = !wanted.restart;
    p->release_file = "app-2";
    p->release_sha256[0] = wanted.restart ? 0 : FAKE_NEW;
    p->release_size = 4711;
    p->version = "";
    set_times(p);
    p->lbs = pool_take(&p->owned, s.lbs * sizeof *p->lbs);
    p->upstreams = pool_take(&p->owned, s.lbs * s.upstreams * sizeof *p->upstreams);
    p->peers = pool_take(&p->owned, s.nodes * s.lbs * s.upstreams * s.ports * sizeof *p->peers);
    p->nodes = pool_take(&p->owned, s.nodes * sizeof *p->nodes);
    add_upstreams(p, &s);
    for (uint32_t i = 0; i < s.nodes && i < MAX_NODES; i++)
        add_node(p, &s, i);
    return p;
}

void fake_plan_repair(struct plan *p)
{
    p->kind = PLAN_REPAIR;
    p->rollout = "r2";
    p->fence = 8;
    p->has_release = false;
    p->n_batches = 1;
    p->batches[0] = p->n_nodes;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct plan_node *n = &p->nodes[i];

        n->out_mask = (UINT64_C(1) << n->n_peers) - 1;
        n->claim_fence = 7;
        n->has_target = true;
        n->target_sha256[0] = FAKE_NEW;
    }
}

void fake_plan_resume(struct plan *p)
{
    p->fence = 8;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct plan_node *n = &p->nodes[i];

        n->resumed = true;
        n->out_mask = (UINT64_C(1) << n->n_peers) - 1;
        n->claim_fence = 7;
    }
}
