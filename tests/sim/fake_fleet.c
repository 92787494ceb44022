#include "fake_fleet.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_fleet *fake_fleet_new(const struct plan *p)
{
    struct fake_fleet *f = calloc(1, sizeof *f);

    if (f == NULL)
        abort();
    assert(p->n_lbs <= FAKE_LBS && p->n_upstreams <= FAKE_UPSTREAMS && p->n_nodes <= FAKE_NODES);
    f->plan = p;
    f->next_pid = 200;
    for (uint32_t i = 0; i < p->n_lbs; i++)
        f->lbs[i] = (struct fake_lb){.exact = true, .generation = 1, .reload_ms = INT64_MIN};
    for (uint32_t i = 0; i < p->n_peers; i++) {
        uint32_t at = fake_fleet_peer(f, p->peers[i].upstream, false);

        f->peers[at].node = p->peers[i].node;
    }
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct fake_agent *a = &f->agents[i];

        a->now = p->nodes[i].surveyed;
        a->installed = a->now.sha256[0];
        a->healthy_ms = INT64_MIN;
        a->job_takes_ms = 200;
        a->gets_healthy_ms = 100;
    }
    fake_judge_begin(f);
    return f;
}

void fake_fleet_free(struct fake_fleet **f)
{
    free(*f);
    *f = NULL;
}

uint32_t fake_fleet_peer(struct fake_fleet *f, uint16_t upstream, bool backup)
{
    assert(f->n_peers < FAKE_PEERS);
    f->peers[f->n_peers] = (struct fake_peer){.upstream = upstream, .node = -1, .backup = backup, .hold_ms = 600};
    return f->n_peers++;
}

/* ---- names, for the log */

void fake_log(struct fake_fleet *f, const char *format, ...)
{
    char line[FAKE_LINE_MAX];
    va_list args;
    int n;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    n = snprintf(f->log + f->log_bytes, sizeof f->log - f->log_bytes, "%3lld.%03d %s\n", (long long)(f->now_ms / 1000),
                 (int)(f->now_ms % 1000), line);
    assert(n > 0 && (size_t)n < sizeof f->log - f->log_bytes);
    f->log_bytes += (size_t)n;
    for (uint32_t i = 0; i < f->n_whens; i++) {
        struct fake_when w = f->whens[i];

        if (strstr(line, w.line) == NULL)
            continue;
        f->whens[i--] = f->whens[--f->n_whens];
        fake_at(f, w.later_ms, w.fn, w.which);
    }
}

uint16_t fake_peer_lb(const struct fake_fleet *f, uint32_t peer)
{
    return f->plan->upstreams[f->peers[peer].upstream].lb;
}

/* "lb1/app" */
static const char *upstream_name(const struct fake_fleet *f, uint16_t upstream, char text[64])
{
    const struct plan_upstream *u = &f->plan->upstreams[upstream];

    (void)snprintf(text, 64, "%s/%s", f->plan->lbs[u->lb].name, u->name);
    return text;
}

/* "a at lb1/app", or "peer 9 at lb1/app" where it is nobody's */
static const char *peer_name(const struct fake_fleet *f, uint32_t peer, char text[128])
{
    char upstream[64], other[32];

    (void)snprintf(other, sizeof other, "peer %u", peer);
    (void)snprintf(text, 128, "%s at %s", f->peers[peer].node < 0 ? other : f->plan->nodes[f->peers[peer].node].name,
                   upstream_name(f, f->peers[peer].upstream, upstream));
    return text;
}

static const char *node_name(const struct fake_fleet *f, uint32_t node)
{
    return f->plan->nodes[node].name;
}

/* ---- the script */

void fake_at(struct fake_fleet *f, uint32_t ms, fake_event *fn, uint32_t which)
{
    assert(f->n_dues < FAKE_DUES);
    f->dues[f->n_dues++] = (struct fake_due){.ms = f->now_ms + ms, .fn = fn, .which = which};
}

void fake_when(struct fake_fleet *f, const char *line, uint32_t later_ms, fake_event *fn, uint32_t which)
{
    assert(f->n_whens < FAKE_WHENS);
    f->whens[f->n_whens++] = (struct fake_when){.line = line, .later_ms = later_ms, .fn = fn, .which = which};
}

static int32_t first_due(const struct fake_fleet *f)
{
    int32_t first = -1;

    for (uint32_t i = 0; i < f->n_dues; i++)
        if (first < 0 || f->dues[i].ms < f->dues[first].ms)
            first = (int32_t)i;
    return first;
}

int64_t fake_fleet_due(const struct fake_fleet *f)
{
    int32_t first = first_due(f);

    return first < 0 ? INT64_MAX : f->dues[first].ms;
}

void fake_fleet_pass(struct fake_fleet *f, int64_t ms)
{
    while (fake_fleet_due(f) <= ms) {
        int32_t first = first_due(f);
        struct fake_due due = f->dues[first];

        for (uint32_t i = (uint32_t)first; i + 1 < f->n_dues; i++)
            f->dues[i] = f->dues[i + 1];
        f->n_dues--;
        f->now_ms = due.ms > f->now_ms ? due.ms : f->now_ms;
        due.fn(f, due.which);
    }
    f->now_ms = ms > f->now_ms ? ms : f->now_ms;
}

void fake_lb_dies(struct fake_fleet *f, uint32_t lb)
{
    f->lbs[lb].dead = true;
    fake_log(f, "%s dies", f->plan->lbs[lb].name);
}

void fake_lb_lives(struct fake_fleet *f, uint32_t lb)
{
    f->lbs[lb].dead = false;
    fake_log(f, "%s lives", f->plan->lbs[lb].name);
}

void fake_lb_reloads(struct fake_fleet *f, uint32_t lb)
{
    f->lbs[lb].generation++;
    f->lbs[lb].reload_ms = f->now_ms;
    fake_log(f, "%s reloads", f->plan->lbs[lb].name);
}

void fake_lb_forgets(struct fake_fleet *f, uint32_t lb)
{
    f->lbs[lb].generation++;
    f->lbs[lb].reload_ms = f->now_ms;
    for (uint32_t i = 0; i < f->n_peers; i++)
        if (fake_peer_lb(f, i) == lb && f->peers[i].gate != GATE_OPEN) {
            f->peers[i].gate = GATE_OPEN;
            fake_judge_foreign(f, i);
        }
    for (uint32_t i = 0; i < f->plan->n_upstreams; i++)
        if (f->plan->upstreams[i].lb == lb)
            f->leases[i] = (struct fake_lease){0};
    fake_log(f, "%s forgets", f->plan->lbs[lb].name);
}

void fake_agent_forgets(struct fake_fleet *f, uint32_t node)
{
    struct fake_agent *a = &f->agents[node];

    a->claim = (struct fake_claim){0};
    a->job = (struct fake_job){0};
    a->highest = 0;
    a->highest_id[0] = '\0';
    fake_log(f, "agent of %s forgets", node_name(f, node));
}

void fake_agent_dies(struct fake_fleet *f, uint32_t node)
{
    f->agents[node].dead = true;
    fake_log(f, "agent of %s dies", node_name(f, node));
}

void fake_agent_lives(struct fake_fleet *f, uint32_t node)
{
    f->agents[node].dead = false;
    fake_log(f, "agent of %s lives", node_name(f, node));
}

static void new_process(struct fake_fleet *f, struct fake_agent *a, uint8_t executable, bool ill)
{
    a->now.pid = f->next_pid++;
    a->now.start_ticks = (uint64_t)(f->now_ms / 10 + 1000);
    a->now.sha256[0] = executable;
    a->ill = ill;
    a->healthy_ms = f->now_ms + a->gets_healthy_ms;
}

void fake_process_restarts(struct fake_fleet *f, uint32_t node)
{
    new_process(f, &f->agents[node], f->agents[node].installed, false);
    fake_log(f, "somebody restarts %s, pid %u", node_name(f, node), f->agents[node].now.pid);
}

void fake_peer_dies(struct fake_fleet *f, uint32_t peer)
{
    char name[128];

    f->peers[peer].dead = true;
    fake_judge_died(f, peer);
    fake_log(f, "%s dies", peer_name(f, peer, name));
}

void fake_peer_closed(struct fake_fleet *f, uint32_t peer)
{
    char name[128];

    if (f->peers[peer].gate == GATE_OPEN)
        f->peers[peer].closed_ms = f->now_ms;
    f->peers[peer].gate = GATE_DOWN;
    fake_judge_foreign(f, peer);
    fake_log(f, "somebody takes %s out", peer_name(f, peer, name));
}

void fake_peer_opened(struct fake_fleet *f, uint32_t peer)
{
    char name[128];

    f->peers[peer].gate = GATE_OPEN;
    fake_judge_foreign(f, peer);
    fake_log(f, "somebody puts %s back", peer_name(f, peer, name));
}

void fake_lease_stolen(struct fake_fleet *f, uint32_t upstream)
{
    char name[64];

    f->leases[upstream] = (struct fake_lease){.id = "r9", .fence = 9, .highest = 9, .until_ms = f->now_ms + 30000};
    fake_log(f, "%s lease r9 fence 9", upstream_name(f, (uint16_t)upstream, name));
}

void fake_claim_stolen(struct fake_fleet *f, uint32_t node)
{
    struct fake_agent *a = &f->agents[node];

    a->claim = (struct fake_claim){.there = true, .rollout = "r9", .fence = 9, .until_ms = f->now_ms + 30000};
    a->highest = 9;
    (void)snprintf(a->highest_id, sizeof a->highest_id, "r9");
    fake_log(f, "%s claim r9 fence 9", node_name(f, node));
}

void fake_signal(struct fake_fleet *f, uint32_t number)
{
    fake_log(f, "signal %u", number);
    if (number == SIGUSR1 || number == SIGUSR2) {
        f->usr[number == SIGUSR2] = true;
        return;
    }
    f->signals++;
    f->signal = (int)number;
}

static void put_wish(struct fake_fleet *f, uint32_t node, enum wish wish, const char *word)
{
    struct fake_wish w = {.id = ++f->wishes, .wish = wish, .put_ms = f->now_ms};

    fake_log(f, "somebody wants to %s", word);
    for (uint32_t i = 0; i < f->plan->n_nodes; i++)
        if ((node == FAKE_EVERYBODY || node == i) && !f->agents[i].dead)
            f->agents[i].wish = w;
}

void fake_pause_wished(struct fake_fleet *f, uint32_t node)
{
    put_wish(f, node, WISH_PAUSE, "pause");
}

void fake_abort_wished(struct fake_fleet *f, uint32_t node)
{
    put_wish(f, node, WISH_ABORT, "abort");
}

void fake_promote_wished(struct fake_fleet *f, uint32_t node)
{
    put_wish(f, node, WISH_PROMOTE, "promote");
}

/* ---- load balancers */

/* The rule of the module: a lower fence than the highest, or another's living lease, is 412. */
static bool lease_takes(struct fake_lease *l, const struct plan *p, int64_t now_ms, uint32_t ttl_ms)
{
    bool others = l->until_ms > now_ms && strcmp(l->id, p->rollout) != 0;

    if (others || p->fence < l->highest)
        return false;
    (void)snprintf(l->id, sizeof l->id, "%s", p->rollout);
    l->fence = l->highest = p->fence;
    l->until_ms = ttl_ms > 0 ? now_ms + ttl_ms : 0;
    return true;
}

enum answer_kind fake_lease_put(struct fake_fleet *f, const struct plan *p, uint16_t upstream, uint32_t ttl_ms)
{
    struct fake_lease *l = &f->leases[upstream];
    bool renewed = l->until_ms > f->now_ms && strcmp(l->id, p->rollout) == 0;
    char name[64];

    if (!lease_takes(l, p, f->now_ms, ttl_ms))
        return ANS_FENCED;
    (void)upstream_name(f, upstream, name);
    if (ttl_ms == 0)
        fake_log(f, "%s lease free", name);
    else
        fake_log(f, "%s lease %s fence %llu%s", name, p->rollout, (unsigned long long)p->fence,
                 renewed ? ", renewed" : "");
    return ANS_OK;
}

enum answer_kind fake_patch(struct fake_fleet *f, const struct plan *p, uint32_t peer, enum fake_gate gate)
{
    static const char *const verbs[] = {[GATE_OPEN] = "open", [GATE_DRAIN] = "drain", [GATE_DOWN] = "down"};
    struct fake_peer *x = &f->peers[peer];
    char name[128];

    if (!lease_takes(&f->leases[x->upstream], p, f->now_ms, p->lease_ttl_ms))
        return ANS_FENCED;
    if (x->gate == gate)
        return ANS_OK; /* by value: the second of two is none */
    if (gate > x->gate)
        fake_judge_close(f, p, peer);
    else
        fake_judge_open(f, p, peer, gate == GATE_DRAIN);
    if (x->gate == GATE_OPEN)
        x->closed_ms = f->now_ms;
    x->gate = gate;
    fake_log(f, "%s: %s", peer_name(f, peer, name), verbs[gate]);
    return ANS_OK;
}

bool fake_peer_up(const struct fake_fleet *f, uint32_t peer)
{
    return f->peers[peer].gate == GATE_OPEN && !f->peers[peer].dead;
}

uint32_t fake_peer_active(const struct fake_fleet *f, uint32_t peer)
{
    const struct fake_peer *x = &f->peers[peer];

    if (x->dead)
        return 0;
    return x->gate == GATE_OPEN ? 3 : f->now_ms < x->closed_ms + x->hold_ms ? 1 : 0;
}

/* A reload makes new counters; the requests of the old workers are in none of them, unless our module counts. */
uint32_t fake_peer_shown(const struct fake_fleet *f, uint32_t peer)
{
    const struct fake_lb *lb = &f->lbs[fake_peer_lb(f, peer)];
    bool forgotten = !lb->exact && f->peers[peer].gate != GATE_OPEN && lb->reload_ms >= f->peers[peer].closed_ms;

    return forgotten ? 0 : fake_peer_active(f, peer);
}

/* ---- agents */

uint32_t fake_connections(const struct fake_fleet *f, uint16_t node)
{
    uint32_t n = f->agents[node].strangers;

    for (uint32_t i = 0; i < f->n_peers; i++)
        n += f->peers[i].node == node ? fake_peer_active(f, i) : 0;
    return n;
}

bool fake_healthy(const struct fake_fleet *f, uint16_t node)
{
    const struct fake_agent *a = &f->agents[node];

    return a->now.pid != 0 && !a->ill && f->now_ms >= a->healthy_ms;
}

static bool claim_live(const struct fake_fleet *f, const struct fake_claim *c)
{
    return c->there && c->until_ms > f->now_ms;
}

static bool claim_is(const struct fake_claim *c, const struct plan *p)
{
    return c->there && c->fence == p->fence && strcmp(c->rollout, p->rollout) == 0;
}

enum answer_kind fake_claim_put(struct fake_fleet *f, const struct plan *p, const struct action *act, bool renewal)
{
    struct fake_agent *a = &f->agents[act->node];
    struct fake_claim *c = &a->claim;
    uint64_t seen = c->there ? c->fence : 0;

    if (claim_live(f, c) && strcmp(c->rollout, p->rollout) != 0)
        return ANS_FENCED;
    if (p->fence < a->highest || (p->fence == a->highest && strcmp(a->highest_id, p->rollout) != 0))
        return ANS_FENCED;
    if (!claim_is(c, p) && seen != act->expect)
        return ANS_FENCED;
    if (!c->there || strcmp(c->rollout, p->rollout) != 0) /* else an earlier run's: what ran then counts */
        fake_judge_claimed(f, act->node);
    *c = (struct fake_claim){.there = true,
                             .fence = p->fence,
                             .mask = act->mask,
                             .prior_mask = act->prior_mask,
                             .before = act->before,
                             .until_ms = f->now_ms + p->lease_ttl_ms};
    (void)snprintf(c->rollout, sizeof c->rollout, "%s", p->rollout);
    a->highest = p->fence;
    (void)snprintf(a->highest_id, sizeof a->highest_id, "%s", p->rollout);
    fake_log(f, "%s claim %s fence %llu%s", node_name(f, act->node), p->rollout, (unsigned long long)p->fence,
             renewal ? ", renewed" : "");
    return ANS_OK;
}

enum answer_kind fake_claim_drop(struct fake_fleet *f, const struct plan *p, uint16_t node)
{
    struct fake_claim *c = &f->agents[node].claim;

    if (!c->there)
        return ANS_OK;
    if (!claim_is(c, p))
        return ANS_FENCED;
    c->there = false;
    fake_log(f, "%s unclaimed", node_name(f, node));
    return ANS_OK;
}

enum answer_kind fake_stage(struct fake_fleet *f, const struct plan *p, uint16_t node)
{
    if (p->has_release)
        fake_log(f, "%s has release %c", node_name(f, node), p->release_sha256[0]);
    return ANS_OK;
}

void fake_job_id(char id[64], const struct plan *p, uint16_t node, enum ask ask, uint8_t attempt)
{
    (void)snprintf(id, 64, "%s/%s/%s/%u", p->rollout, p->nodes[node].name, ask == ASK_UNDO ? "undo" : "job", attempt);
}

static void job_ends(struct fake_fleet *f, uint32_t node)
{
    struct fake_agent *a = &f->agents[node];
    enum fake_fate fate = a->job.fate;

    if (a->job.state != JOB_RUNNING || fate == FATE_HANGS)
        return;
    a->job.state = fate == FATE_KEPT || fate == FATE_DIED ? JOB_FAILED : JOB_DONE;
    if (fate == FATE_GOOD || fate == FATE_ILL)
        new_process(f, a, a->installed, fate == FATE_ILL);
    else if (fate == FATE_DIED)
        a->now.pid = 0;
    a->job.after = a->now;
    fake_log(f, "%s job ends: runs %c, pid %u", node_name(f, node), a->now.sha256[0], a->now.pid);
}

enum answer_kind fake_job_post(struct fake_fleet *f, const struct plan *p, const struct action *act)
{
    struct fake_agent *a = &f->agents[act->node];
    uint8_t executable = act->ask == ASK_UNDO ? act->before.sha256[0]
                         : act->reverse       ? act->goal[0]
                         : p->has_release     ? p->release_sha256[0]
                                              : a->installed;
    enum fake_fate fate = act->ask == ASK_UNDO ? a->undo_fate : act->reverse ? a->back_fate : a->fate;
    char id[64];

    fake_job_id(id, p, act->node, act->ask, act->attempt);
    if (strcmp(id, a->job.id) == 0)
        return ANS_OK;
    if (!claim_live(f, &a->claim) || !claim_is(&a->claim, p))
        return ANS_FENCED;
    if (fate == FATE_REFUSED || (a->job.id[0] != '\0' && a->job.state == JOB_RUNNING))
        return ANS_REFUSED;
    fake_judge_touch(f, p, act->node, executable);
    a->job = (struct fake_job){.ask = act->ask,
                               .fate = fate,
                               .state = JOB_RUNNING,
                               .touched = true,
                               .ends_ms = f->now_ms + a->job_takes_ms,
                               .before = a->now};
    (void)snprintf(a->job.id, sizeof a->job.id, "%s", id);
    if (fate != FATE_KEPT)
        a->installed = executable;
    fake_log(f, "%s job %s", node_name(f, act->node), id);
    fake_at(f, a->job_takes_ms, job_ends, act->node);
    return ANS_OK;
}
