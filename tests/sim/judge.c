#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void judge_breach(struct judge *j, const char *invariant, const char *format, ...)
{
    va_list args;

    if (j->breach[0] != '\0')
        return;
    (void)snprintf(j->invariant, sizeof j->invariant, "%s", invariant);
    va_start(args, format);
    (void)vsnprintf(j->breach, sizeof j->breach, format, args);
    va_end(args);
}

void judge_begin(struct judge *j, const struct sim_truth *t, const struct judge_rules *rules)
{
    memset(j, 0, sizeof *j);
    j->rules = *rules;
    for (uint8_t i = 0; i < t->n_peers; i++)
        j->peers[i].foreign_ms = j->peers[i].foreign_open_ms = j->peers[i].lost_ms = SIM_NEVER;
    for (uint8_t i = 0; i < t->n_nodes; i++)
        j->nodes[i].changed_ms = SIM_NEVER;
}

static bool owned(const struct judge_peer *p)
{
    return p->owner.fence != 0;
}

static void disown(struct judge *j, uint8_t peer)
{
    if (owned(&j->peers[peer]))
        j->n_owned--;
    j->peers[peer].owner.fence = 0;
    j->peers[peer].mixed = j->peers[peer].forgotten = false;
}

static bool same_rollout(const struct sim_who *a, const struct sim_who *b)
{
    return a->rollout == b->rollout && a->fence == b->fence;
}

/* ---- I1 */

static uint32_t floor_of(const struct judge *j, uint32_t configured)
{
    uint32_t may = j->rules.max_unavailable;

    if (j->rules.max_unavailable_percent) {
        may = configured * may / 100;
        may = may > 0 ? may : 1;
    }
    return configured >= may + 1 ? configured - may : 1;
}

static bool listed(const uint8_t *peers, uint32_t n, uint8_t peer)
{
    for (uint32_t i = 0; i < n; i++)
        if (peers[i] == peer)
            return true;
    return false;
}

/* What the best snapshot of the last second may have shown, less our own drains since. */
static void check_floor(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t upstream,
                        const uint8_t *peers, uint32_t n)
{
    uint32_t configured = 0, left = 0;
    bool takes = false;

    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];
        bool up = sim_peer_up(t, i) || p->lost_ms >= t->now_ms - JUDGE_SNAPSHOT_MS;
        bool going = p->draining == who->fence || listed(peers, n, i);

        if (t->peers[i].upstream != upstream || t->peers[i].backup)
            continue;
        configured++;
        left += up && !going ? 1 : 0;
        takes = takes || (sim_peer_up(t, i) && listed(peers, n, i));
    }
    if (takes && left < floor_of(j, configured))
        judge_breach(j, "I1", "a drain is sent that leaves %u of %u peers up in upstream %u, the floor is %u", left,
                     configured, upstream, floor_of(j, configured));
}

void judge_drain_sent(struct judge *j, const struct sim_truth *t, uint8_t seat, const struct sim_who *who, uint8_t node,
                      const uint8_t *peers, uint32_t n)
{
    for (uint8_t u = 0; u < t->n_upstreams; u++)
        check_floor(j, t, who, u, peers, n);
    for (uint32_t i = 0; i < n; i++)
        j->peers[peers[i]].draining = who->fence;
    j->seats[seat][node].confirmed = false;
}

void judge_drain_over(struct judge *j, uint8_t peer, uint64_t fence)
{
    if (j->peers[peer].draining == fence)
        j->peers[peer].draining = 0;
}

bool judge_no_room(const struct judge *j, const struct sim_truth *t)
{
    for (uint8_t u = 0; u < t->n_upstreams; u++) {
        uint32_t configured = 0, up = 0, most = 0;

        for (uint8_t i = 0; i < t->n_peers; i++) {
            const struct sim_peer *p = &t->peers[i];
            uint32_t own = 0;

            if (p->upstream != u)
                continue;
            configured += p->backup ? 0 : 1;
            up += !p->backup && sim_peer_up(t, i) ? 1 : 0;
            for (uint8_t k = 0; p->node != SIM_NOBODY && k < t->n_peers; k++)
                own += t->peers[k].upstream == u && t->peers[k].node == p->node && !t->peers[k].backup ? 1 : 0;
            most = own > most ? own : most;
        }
        if (up < floor_of(j, configured) + most)
            return true;
    }
    return false;
}

/* ---- gates: I3, I4, "only what we took out", I5 */

static void check_fence(struct judge *j, struct sim_who *highest, const struct sim_who *who, const char *what)
{
    if (who->fence < highest->fence || (who->fence == highest->fence && who->rollout != highest->rollout))
        judge_breach(j, "I5", "%s by fence %llu of rollout %u takes effect after one by fence %llu of rollout %u", what,
                     (unsigned long long)who->fence, who->rollout, (unsigned long long)highest->fence,
                     highest->rollout);
    *highest = *who;
}

static bool claim_names(const struct sim_claim *c, uint8_t peer)
{
    return c->there && listed(c->took, c->n_took, peer);
}

static bool node_owned(const struct judge *j, const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && owned(&j->peers[i]))
            return true;
    return false;
}

static void close_gate(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t peer,
                       int64_t sent_ms)
{
    struct judge_peer *p = &j->peers[peer];
    uint8_t node = t->peers[peer].node;

    if (node == SIM_NOBODY) {
        judge_breach(j, "I4", "peer %u is closed and is no node's", peer);
        return;
    }
    if (owned(p))
        return;
    if (!node_owned(j, t, node)) {
        j->nodes[node].before = t->agents[node].now;
        j->nodes[node].touched = false;
    }
    if (!claim_names(&t->agents[node].claim, peer) && !p->forgotten)
        judge_breach(j, "I4", "peer %u of node %u is taken out and no claim at the agent names it", peer, node);
    p->owner = *who;
    j->n_owned++;
    p->was = t->peers[peer].gate;
    p->mixed = p->foreign_ms >= sent_ms - JUDGE_SNAPSHOT_MS; /* changed behind our back just now */
}

static void open_gate(struct judge *j, const struct sim_truth *t, uint8_t peer, enum sim_gate to)
{
    struct judge_peer *p = &j->peers[peer];

    if (t->peers[peer].gate == SIM_OPEN && to == SIM_OPEN) {
        disown(j, peer);
        return;
    }
    if (!owned(p) && p->foreign_ms == SIM_NEVER)
        judge_breach(j, "I4", "peer %u is put back and no rollout took it out", peer);
    if (owned(p) && !p->mixed && p->was != (uint8_t)to)
        judge_breach(j, "I4", "peer %u is put back otherwise than it was", peer);
    disown(j, peer);
}

void judge_gate(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t peer, enum sim_gate to,
                bool back, int64_t sent_ms)
{
    check_fence(j, &j->highest[t->peers[peer].upstream], who, "a change of a peer");
    if (back)
        open_gate(j, t, peer, to);
    else
        close_gate(j, t, who, peer, sent_ms);
}

void judge_back_sent(struct judge *j, const struct sim_truth *t, uint8_t seat, uint8_t node)
{
    const struct judge_seat_node *s = &j->seats[seat][node];
    const struct judge_node *n = &j->nodes[node];
    const struct sim_ident *now = &t->agents[node].now;
    bool unseen = n->changed_ms >= s->told_ms; /* the process changed since it was last asked about */
    bool checked = s->good >= j->rules.threshold &&
                   t->now_ms - s->first_good_ms >= (int64_t)j->rules.min_healthy_ms &&
                   (sim_same(&s->checked, now) || unseen);
    bool wanted = s->checked.exe == n->before.exe || (j->rules.target != 0 && s->checked.exe == j->rules.target);

    if (!node_owned(j, t, node) || (s->confirmed && !n->touched))
        return;
    if (!checked)
        judge_breach(j, "I3", "node %u is put back after %u good checks in a row%s", node, s->good,
                     n->touched ? "" : ", and nobody asked whether the process before still runs");
    else if (!wanted)
        judge_breach(j, "I3", "node %u is put back with executable %c, which is neither the target nor the one before",
                     node, s->checked.exe);
}

/* ---- claims */

void judge_claim(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_claim *c)
{
    check_fence(j, &j->highest_at[node], &c->who, "a claim");
    for (uint8_t i = 0; i < t->n_peers; i++) {
        struct judge_peer *p = &j->peers[i];

        if (t->peers[i].node != node || !owned(p))
            continue;
        if (listed(c->took, c->n_took, i)) {
            p->owner = c->who;
            p->forgotten = false;
        }
    }
}

void judge_always(struct judge *j, const struct sim_truth *t)
{
    if (j->n_owned == 0)
        return;
    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];

        if (owned(p) && !p->forgotten && !p->mixed && t->peers[i].gate != p->was &&
            !claim_names(&t->agents[t->peers[i].node].claim, i))
            judge_breach(j, "I4", "peer %u of node %u is out and no claim at its agent says so", i, t->peers[i].node);
    }
}

/* ---- I2, I5, I6 */

void judge_job(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_job *job, int64_t sent_ms)
{
    struct judge_node *n = &j->nodes[node];

    check_fence(j, &j->highest_at[node], &job->who, "a job");
    for (uint8_t i = 0; i < t->n_peers; i++) {
        if (t->peers[i].node != node || j->peers[i].foreign_open_ms >= sent_ms - JUDGE_SNAPSHOT_MS)
            continue;
        if (t->peers[i].gate != SIM_DOWN)
            judge_breach(j, "I2", "a job on node %u, whose peer %u is not down", node, i);
        else if (sim_peer_holds(t, i) && !j->rules.proceed)
            judge_breach(j, "I2", "a job on node %u, whose peer %u still holds requests", node, i);
    }
    if (!job->undo && n->done[job->who.rollout] > 0)
        judge_breach(j, "I6", "node %u gets a second job of rollout %u, and the first was done", node,
                     job->who.rollout);
    n->touched = true;
    n->touches[job->who.rollout]++;
    for (uint8_t s = 0; s < JUDGE_SEATS; s++)
        j->seats[s][node].good = 0;
}

void judge_job_done(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_job *job)
{
    struct judge_node *n = &j->nodes[node];
    bool good = job->state == SIM_JOB_DONE && t->agents[node].now.pid != 0;

    if (job->undo)
        memset(n->done, 0, sizeof n->done);
    else if (good && (job->kind == SIM_RESTART || t->agents[node].now.exe == job->exe))
        n->done[job->who.rollout]++;
}

void judge_process_changed(struct judge *j, const struct sim_truth *t, uint8_t node)
{
    j->nodes[node].changed_ms = t->now_ms;
}

void judge_agent_forgot(struct judge *j, uint8_t node)
{
    (void)node;
    memset(&j->highest_at[node], 0, sizeof j->highest_at[node]);
    memset(j->nodes[node].done, 0, sizeof j->nodes[node].done);
}

/* ---- told */

void judge_status_told(struct judge *j, uint8_t seat, uint8_t node, const struct sim_ident *now, int64_t seen_ms)
{
    struct judge_seat_node *s = &j->seats[seat][node];

    s->told_ms = seen_ms;
    if (sim_same(now, &j->nodes[node].before))
        s->confirmed = true;
}

void judge_health_told(struct judge *j, const struct sim_truth *t, uint8_t seat, uint8_t node,
                       const struct sim_ident *now, bool healthy, int64_t seen_ms)
{
    struct judge_seat_node *s = &j->seats[seat][node];

    s->told_ms = seen_ms;
    if (!healthy || !sim_same(&s->checked, now))
        s->good = 0;
    s->checked = *now;
    if (!healthy)
        return;
    if (s->good++ == 0)
        s->first_good_ms = t->now_ms;
}

/* ---- others */

void judge_foreign_gate(struct judge *j, const struct sim_truth *t, uint8_t peer, enum sim_gate to)
{
    struct judge_peer *p = &j->peers[peer];

    if (t->peers[peer].gate == (uint8_t)to && !owned(p))
        return;
    if (sim_peer_up(t, peer) && to != SIM_OPEN)
        p->lost_ms = t->now_ms;
    p->foreign_ms = t->now_ms;
    if (to == SIM_OPEN) {
        p->foreign_open_ms = t->now_ms;
        disown(j, peer);
    } else if (owned(p)) {
        p->mixed = true;
    }
}

void judge_peer_lost(struct judge *j, const struct sim_truth *t, uint8_t peer)
{
    if (sim_peer_up(t, peer))
        j->peers[peer].lost_ms = t->now_ms;
}

/* ---- the end */

void judge_ended(struct judge *j, const struct sim_truth *t, const struct judge_end *e)
{
    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];
        uint8_t node = t->peers[i].node;

        if (!owned(p) || p->mixed || !same_rollout(&p->owner, &e->who) || t->peers[i].gate == p->was)
            continue;
        if (e->code != 3)
            judge_breach(j, "I4", "exit code %d, and peer %u of node %u is out by this rollout", e->code, i, node);
        else if (!e->names(e->ctx, node))
            judge_breach(j, "I4", "exit code 3, and nothing says that node %u is out", node);
    }
    for (uint8_t node = 0; node < t->n_nodes && e->code == 0 && e->rolls; node++) {
        const struct sim_agent *a = &t->agents[node];

        if ((e->plan_nodes >> node & 1) == 0 || a->now.pid == 0)
            continue;
        if (e->target != 0 && a->now.exe != e->target)
            judge_breach(j, "I3", "exit code 0, and node %u runs %c", node, a->now.exe);
        if (e->target == 0 && j->nodes[node].done[e->who.rollout] == 0)
            judge_breach(j, "I3", "exit code 0, and node %u was not restarted", node);
    }
}

void judge_calm(struct judge *j, const struct sim_truth *t, int code)
{
    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];
        uint8_t node = t->peers[i].node;
        const struct sim_agent *a;
        bool fit;

        if (!owned(p) || p->mixed || p->forgotten || t->peers[i].gate == p->was)
            continue;
        a = &t->agents[node];
        fit = a->now.pid != 0 && !a->ill &&
              (a->now.exe == j->nodes[node].before.exe || (j->rules.target != 0 && a->now.exe == j->rules.target));
        if (fit)
            judge_breach(j, "I4", "the storm is over and repair ended with %d, but peer %u of node %u, which is well, "
                                  "is still out", code, i, node);
        else if (code != 3)
            judge_breach(j, "I4", "repair ended with %d, and node %u is out", code, node);
    }
}
