/* scan.c - what a controller reads before it makes its plan: the hosts file, the options, and a survey of the truth, as
 * survey.c would have read it from the wire. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "controller/options.h"
#include "controller/plan_order.h"
#include "controller/survey.h"
#include "sim.h"

const char *scan_rollout(uint8_t rollout)
{
    static const char *const names[JUDGE_ROLLOUTS] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"};

    assert(rollout < JUDGE_ROLLOUTS);
    return names[rollout];
}

/* ---- the hosts file; one of each shape, kept */
struct shape {
    struct fleet *fleet;
    uint32_t order[SIM_NODES]; /* its nodes, as they are rolled */
};

static const char *const services[] = {"app", "jobs"};

static uint8_t services_of(const struct story *s)
{
    return s->two_services ? 2 : 1;
}

static size_t put_host(const struct story *s, uint8_t node, char *text, size_t size)
{
    uint8_t number = (uint8_t)(story_host(s, node) + 1);
    size_t n = (size_t)snprintf(text, size, "n%u ansible_host=10.0.1.%u", number, number);

    if (s->zones > 0)
        n += (size_t)snprintf(text + n, size - n, " rollout_zone=z%u", story_zone(s, node));
    return n + (size_t)snprintf(text + n, size - n, "\n");
}

static void make_shape(const struct story *s, struct shape *shape)
{
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "[lb]\n");
    uint8_t hosts = (uint8_t)(s->nodes / services_of(s));
    struct err err = {.text = ""};

    for (uint8_t i = 0; i < s->lbs; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "lb%d rollout_api=http://10.0.0.%d:80/api\n", i + 1, i + 1);
    n += (size_t)snprintf(text + n, sizeof text - n, "[web]\n");
    for (uint8_t i = 0; i < hosts; i++) {
        n += put_host(s, (uint8_t)(i * services_of(s)), text + n, sizeof text - n);
        shape->order[i] = s->lbs + i;
    }
    if (!fleet_parse("hosts", text, n, &shape->fleet, &err) ||
        (s->zones > 0 && !plan_order_by_zone(shape->fleet, shape->order, hosts, &err))) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static const struct shape *shape_of(const struct story *s)
{
    static struct shape shapes[SIM_NODES + 1][SIM_LBS + 1][2][SIM_ZONES + 1];
    struct shape *shape = &shapes[s->nodes][s->lbs][s->two_services][s->zones];

    if (shape->fleet == NULL)
        make_shape(s, shape);
    return shape;
}

const struct fleet *scan_fleet(const struct story *s)
{
    return shape_of(s)->fleet;
}

const char *scan_node_name(const struct story *s, uint8_t node)
{
    static char known[2][SIM_NODES][12];
    char *text = known[s->two_services][node];

    if (text[0] == '\0' && s->two_services)
        (void)snprintf(text, sizeof known[0][0], "n%d/%s", story_host(s, node) + 1, services[node % 2]);
    else if (text[0] == '\0')
        (void)snprintf(text, sizeof known[0][0], "n%d", node + 1);
    return text;
}

/* ---- options: the defaults, but for what the story says */
static void add_hooks(const struct story *s, struct options *o)
{
    static char texts[HOOK_POINT_COUNT][32];

    o->hook_timeout_ms = s->hook_limit_ms;
    o->hook.count = 0;
    for (int point = 0; point < HOOK_POINT_COUNT; point++) {
        if ((s->hooks >> point & 1) == 0)
            continue;
        (void)snprintf(texts[point], sizeof texts[point], "%s=true", hook_point_words[point]);
        for (int k = 0; k < (point == HOOK_BEFORE_DRAIN && s->hook_two ? 2 : 1); k++)
            o->hook.items[o->hook.count++] = texts[point];
    }
}

void scan_options(const struct story *s, struct options *o)
{
    static struct options defaults;
    static bool there;
    static char *argv[] = {"rollout", "--hosts", "hosts", "--service", "app", "--state", "/none", NULL};
    struct err err = {.text = ""};

    if (!there && !options_parse(7, argv, NULL, &defaults, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    there = true;
    *o = defaults;
    o->service = s->two_services ? "app,jobs" : services[0];
    o->order = s->zones > 0 ? ORDER_ZONE : ORDER_INVENTORY;
    o->in_place = s->in_place;
    o->drain_poll_ms = s->poll_ms;
    o->release = s->restart ? NULL : "release";
    o->batch.count = s->n_batches;
    for (uint32_t i = 0; i < s->n_batches; i++)
        o->batch.items[i] = (struct share){s->batches[i], s->batch_percent};
    o->max_unavailable = (struct share){s->max_unavailable, s->max_unavailable_percent};
    o->on_drain_timeout = s->proceed ? ON_DRAIN_TIMEOUT_PROCEED : ON_DRAIN_TIMEOUT_FAIL;
    o->drain_timeout_ms = s->drain_ms;
    o->job_timeout_ms = s->job_ms;
    o->health_interval_ms = s->probe_ms;
    o->success_threshold = s->threshold;
    o->min_healthy_time_ms = s->min_healthy_ms;
    o->healthy_deadline_ms = s->healthy_ms;
    o->bake_ms = s->bake_ms;
    o->bake_min_requests = 50;
    o->failure_action = s->failure_action;
    o->max_failures = s->max_failures;
    o->source[OPT_max_failures] = SOURCE_FLAG;
    o->on_inconclusive = s->on_inconclusive;
    o->canary = s->canary;
    o->source[OPT_canary] = SOURCE_FLAG;
    o->pause_after = s->pause_after;
    o->source[OPT_pause_after] = SOURCE_FLAG;
    o->lease_ttl_ms = s->ttl_ms;
    o->request_timeout_ms = s->request_ms;
    o->lb_poll_ms = s->poll_ms;
    add_hooks(s, o);
}

void scan_begin(const struct story *s)
{
    struct options o;

    (void)scan_fleet(s);
    scan_options(s, &o);
}

/* ---- identities */
void scan_sha256(uint8_t exe, uint8_t sha256[32])
{
    memset(sha256, 0, 32);
    sha256[0] = exe;
}

struct ident scan_ident(const struct sim_ident *i)
{
    struct ident out = {.pid = i->pid, .start_ticks = i->pid == 0 ? 0 : i->ticks};

    if (i->pid == 0)
        return out;
    out.boot[0] = i->boot;
    out.sha256[0] = i->exe;
    return out;
}

struct sim_ident scan_known(const struct ident *i)
{
    return (struct sim_ident){.pid = i->pid, .ticks = i->start_ticks, .boot = i->boot[0], .exe = i->sha256[0]};
}

/* ---- the survey */
static const char *holder_of(uint8_t seat)
{
    static char known[JUDGE_SEATS + 1][8];

    assert(seat <= JUDGE_SEATS);
    if (known[seat][0] == '\0')
        (void)snprintf(known[seat], sizeof known[seat], "h%u", seat);
    return known[seat];
}

static const char *lb_name(uint8_t lb)
{
    static const char *const names[SIM_LBS] = {"lb1", "lb2", "lb3"};

    return names[lb];
}

/* The i-th service of a host listens at ports from 8000 + 10 i on. */
static const char *address_of(bool two_services, uint8_t node, uint8_t port)
{
    static char known[2][SIM_NODES + 2][4][24];
    bool foreign = node == SIM_NOBODY;
    char *text = known[two_services][foreign ? SIM_NODES : node][port];

    if (text[0] == '\0' && foreign)
        (void)snprintf(text, 24, "10.0.2.%d:8000", port + 1);
    else if (text[0] == '\0' && two_services)
        (void)snprintf(text, 24, "10.0.1.%d:%d", node / 2 + 1, 8000 + node % 2 * 10 + port);
    else if (text[0] == '\0')
        (void)snprintf(text, 24, "10.0.1.%d:%d", node + 1, 8000 + port);
    return text;
}

static const char *server_of(const struct sim *s, uint8_t peer)
{
    return address_of(s->story->two_services, s->truth.peers[peer].node, s->truth.peers[peer].port);
}

uint8_t scan_peer(const struct sim *s, uint8_t upstream, const char *server)
{
    unsigned host = (unsigned)strtoul(server + 7, NULL, 10) - 1,
             port = (unsigned)strtoul(strchr(server, ':') + 1, NULL, 10) - 8000,
             node = s->story->two_services ? host * 2 + port / 10 : host;

    for (uint8_t i = 0; i < s->truth.n_peers; i++)
        if (s->truth.peers[i].upstream == upstream && s->truth.peers[i].node == node &&
            s->truth.peers[i].port == port % 10)
            return i;
    abort();
}

static enum peer_state state_of(const struct sim_peer *p)
{
    return p->gate == SIM_DOWN ? PEER_DOWN : p->gate == SIM_DRAIN ? PEER_DRAINING : p->failing ? PEER_UNAVAIL : PEER_UP;
}

static void scan_upstream(const struct sim *s, uint8_t upstream, struct survey_upstream *u)
{
    const struct sim_truth *t = &s->truth;
    const struct sim_lease *l = &t->upstreams[upstream].lease;
    bool plus = t->lbs[t->upstreams[upstream].lb].plus;
    uint32_t n = 0;

    u->name = upstream % s->story->upstreams_per_lb == 0 ? "app" : "web";
    u->lease.known = !plus;
    u->lease.active_exact = t->lbs[t->upstreams[upstream].lb].exact;
    u->lease.fence = l->who.fence;
    if (l->who.fence != 0 && !plus) {
        (void)stpcpy(u->lease.id, scan_rollout(l->who.rollout));
        (void)stpcpy(u->lease.holder, holder_of(l->who.holder));
        u->lease.ttl_s = l->until_ms > t->now_ms ? (uint32_t)((l->until_ms - t->now_ms + 999) / 1000) : 0;
    }
    for (uint8_t i = 0; i < t->n_peers; i++)
        n += t->peers[i].upstream == upstream ? 1 : 0;
    u->peers = mem_zero(n, sizeof *u->peers);
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].upstream == upstream) {
            const char *server = server_of(s, i);

            u->peers[u->n_peers] = (struct survey_peer){.id = u->n_peers,
                                                        .server = server,
                                                        .name = server,
                                                        .state = state_of(&t->peers[i]),
                                                        .backup = t->peers[i].backup,
                                                        .active = sim_peer_shows(t, i) ? 1 : 0};
            u->n_peers++;
        }
}

static void scan_lb(const struct sim *s, uint8_t lb, struct survey_lb *out)
{
    const struct sim_truth *t = &s->truth;

    out->good = !sim_lb_dead(t, lb);
    out->api_version = 9;
    if (!out->good) {
        out->call = CALL_NOT_SENT;
        (void)snprintf(out->text, sizeof out->text, "connection refused");
        return;
    }
    out->generation = t->lbs[lb].generation;
    out->upstreams = mem_zero(s->story->upstreams_per_lb, sizeof *out->upstreams);
    for (uint8_t u = 0; u < t->n_upstreams; u++)
        if (t->upstreams[u].lb == lb)
            scan_upstream(s, u, &out->upstreams[out->n_upstreams++]);
}

static void scan_claim(const struct sim *s, const struct sim_claim *c, struct agent_claim *out)
{
    const struct sim_truth *t = &s->truth;

    out->there = c->there;
    if (!c->there)
        return;
    out->rollout = scan_rollout(c->who.rollout);
    out->holder = holder_of(c->who.holder);
    out->fence = c->who.fence;
    out->ttl_s = (s->story->ttl_ms + 999) / 1000;
    out->left_s = c->until_ms > t->now_ms ? (uint32_t)((c->until_ms - t->now_ms + 999) / 1000) : 0;
    out->has_target = c->target != 0;
    scan_sha256(c->target, out->target);
    out->before = scan_ident(&c->before);
    out->took_out = mem_zero(c->n_took, sizeof *out->took_out);
    for (uint8_t i = 0; i < c->n_took; i++) {
        const struct sim_peer *p = &t->peers[c->took[i]];

        out->took_out[out->n_took_out++] =
            (struct agent_took_out){.lb = lb_name(t->upstreams[p->upstream].lb),
                                    .upstream = p->upstream % s->story->upstreams_per_lb == 0 ? "app" : "web",
                                    .server = server_of(s, c->took[i]),
                                    .was_draining = c->was_draining >> i & 1};
    }
}

static void scan_vote(const struct sim *s, const struct sim_lease *vote, struct agent_lock *out)
{
    out->there = vote->who.fence != 0;
    if (!out->there)
        return;
    out->rollout = scan_rollout(vote->who.rollout);
    out->holder = holder_of(vote->who.holder);
    out->left_s = vote->until_ms > s->truth.now_ms ? (uint32_t)((vote->until_ms - s->truth.now_ms + 999) / 1000) : 0;
}

static void scan_job(const struct sim *s, uint8_t node, struct agent_job *out)
{
    static const enum job_state states[] = {JOB_NONE, JOB_RUNNING, JOB_DONE, JOB_FAILED};
    const struct sim_job *job = sim_job_last(&s->truth.agents[node]);
    char id[64];

    if (job == NULL)
        return;
    (void)snprintf(id, sizeof id, "%s/%s/%s/%u", scan_rollout(job->who.rollout), scan_node_name(s->story, node),
                   job->undo ? "undo" : "job", job->attempt);
    out->id = mem_text(id);
    out->rollout = scan_rollout(job->who.rollout);
    out->action = job->kind == SIM_RESTART ? "restart" : job->kind == SIM_UPGRADE ? "upgrade" : "rollback";
    out->has_release = job->kind != SIM_RESTART;
    scan_sha256(job->exe, out->release);
    out->before = scan_ident(&job->before);
    out->code = job->state == SIM_JOB_FAILED ? "no_successor" : "ok";
    out->text = "";
    out->state = states[job->state];
    out->touched = job->touched;
    out->after = scan_ident(&job->after);
}

static void scan_node(const struct sim *s, uint8_t node, struct survey_node *out)
{
    static const char *features[] = {"claim", "restart", "upgrade", "rollback", "health", "release", "lock"};
    const struct sim_agent *a = &s->truth.agents[node];
    struct agent_status *st = &out->status;
    const char *host, *service = services[s->story->two_services ? node % 2 : 0];

    out->host = s->story->lbs + story_host(s->story, node);
    host = scan_fleet(s->story)->hosts[out->host].name;
    out->service = s->story->two_services ? service : NULL;
    out->name = s->story->two_services ? scan_node_name(s->story, node) : NULL;
    out->good = !sim_agent_dead(&s->truth, node);
    if (!out->good) {
        out->call = CALL_NOT_SENT;
        out->text = "connection refused";
        return;
    }
    out->root =
        (struct agent_root){.version = WIRE_VERSION, .agent = "0", .node = host, .n_features = 7, .features = features};
    st->service = service;
    st->node = host;
    st->running = a->now.pid != 0;
    st->ident = scan_ident(&a->now);
    st->has_installed = true;
    scan_sha256(a->installed, st->installed);
    st->has_previous = a->previous != 0;
    scan_sha256(a->previous, st->previous);
    st->connections = sim_connections(&s->truth, node);
    st->fence = a->highest.fence;
    st->listening = mem_zero(2, sizeof *st->listening);
    for (uint8_t k = 0; k < s->story->ports && a->now.pid != 0; k++)
        st->listening[st->n_listening++] = address_of(s->story->two_services, node, k);
    scan_claim(s, &a->claim, &st->claim);
    scan_vote(s, &a->vote, &st->lock);
    scan_job(s, node, &st->job);
}

struct survey *scan_survey(const struct sim *s, const struct fleet *fleet)
{
    struct survey *out = mem_zero(1, sizeof *out);

    const struct shape *shape = shape_of(s->story);
    uint8_t each = services_of(s->story);

    assert(fleet->n_hosts == (uint32_t)s->story->lbs + s->story->nodes / each);
    out->n_lbs = s->story->lbs;
    out->n_nodes = s->story->nodes;
    out->lbs = mem_zero(out->n_lbs, sizeof *out->lbs);
    out->nodes = mem_zero(out->n_nodes, sizeof *out->nodes);
    for (uint8_t i = 0; i < s->story->lbs; i++) {
        out->lbs[i].host = i;
        scan_lb(s, i, &out->lbs[i]);
    }
    for (uint8_t i = 0; i < s->story->nodes; i++)
        scan_node(s, (uint8_t)((shape->order[i / each] - s->story->lbs) * each + i % each), &out->nodes[i]);
    return out;
}
