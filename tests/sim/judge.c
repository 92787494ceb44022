#include "judge.h"

#include <stdarg.h>
#include <stddef.h>
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

/* All servers of an upstream that are no backup are the node's. */
static bool alone(const struct sim_truth *t, uint8_t node, uint8_t upstream)
{
    uint32_t own = 0;

    for (uint8_t i = 0; i < t->n_peers; i++) {
        if (t->peers[i].upstream != upstream || t->peers[i].backup)
            continue;
        if (t->peers[i].node != node)
            return false;
        own++;
    }
    return own > 0;
}

static bool in_place(const struct judge *j, uint8_t node)
{
    return j->in_place >> node & 1;
}

void judge_begin(struct judge *j, const struct sim_truth *t, const struct judge_rules *rules)
{
    memset(j->peers, 0, t->n_peers * sizeof j->peers[0]);
    memset(j->nodes, 0, t->n_nodes * sizeof j->nodes[0]);
    for (uint32_t i = 0; i < JUDGE_SEATS; i++)
        memset(j->seats[i], 0, t->n_nodes * sizeof j->seats[i][0]);
    memset(j->zones, 0, sizeof *j - offsetof(struct judge, zones));
    j->rules = *rules;
    j->votes_lost_ms = SIM_NEVER;
    for (uint8_t i = 0; i < SIM_UPSTREAMS; i++)
        j->unfenced_ms[i] = SIM_NEVER;
    for (uint8_t i = 0; i < t->n_peers; i++)
        j->peers[i].asked_ms = j->peers[i].foreign_ms = j->peers[i].foreign_open_ms = j->peers[i].lost_ms = SIM_NEVER;
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        j->nodes[i].job_ms = j->nodes[i].changed_ms = j->nodes[i].claimed_ms = j->nodes[i].came_ms =
            j->nodes[i].forgot_ms = SIM_NEVER;
        j->nodes[i].before = t->agents[i].now;
        j->nodes[i].origin = t->agents[i].now.exe;
        for (uint8_t u = 0; u < t->n_upstreams && rules->in_place; u++)
            j->in_place |= (uint16_t)(alone(t, i, u) ? 1u << i : 0);
    }
}

static bool owned(const struct judge_peer *p)
{
    return p->owner.fence != 0;
}

static void disown(struct judge *j, uint8_t peer)
{
    if (owned(&j->peers[peer]))
        j->n_owned--;
    j->owned[peer / 64] &= ~(UINT64_C(1) << peer % 64);
    j->peers[peer].owner.fence = 0;
    j->peers[peer].mixed = j->peers[peer].forgotten = false;
}

static void belongs_to(struct judge *j, uint8_t peer, const struct sim_who *who)
{
    j->peers[peer].owner = *who;
    j->n_owned++;
    j->owned[peer / 64] |= UINT64_C(1) << peer % 64;
}

static bool same_rollout(const struct sim_who *a, const struct sim_who *b)
{
    return a->rollout == b->rollout && a->fence == b->fence && a->holder == b->holder;
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

static void lose(struct judge *j, const struct sim_truth *t, uint8_t peer, uint64_t by)
{
    if (!sim_peer_up(t, peer))
        return;
    j->peers[peer].lost_ms = t->now_ms;
    j->peers[peer].lost_by = by;
}

/* What the best snapshot of the last second may have shown, less our own drains since. What another rollout took out
 * since then was up in it, whatever has become of it: put back, and found unavailable meanwhile. */
static void check_floor(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t upstream,
                        const uint8_t *peers, uint32_t n, int64_t turn_ms)
{
    uint32_t configured = 0, left = 0;
    bool takes = false;

    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];
        bool lost = p->lost_by != who->fence && p->lost_ms >= turn_ms - JUDGE_SNAPSHOT_MS;
        bool up = sim_peer_up(t, i) || lost;
        bool going = p->draining == who->fence || listed(peers, n, i);

        if (t->peers[i].upstream != upstream || t->peers[i].backup)
            continue;
        if (p->grown && p->added_ms >= turn_ms - JUDGE_SNAPSHOT_MS && !up)
            continue; /* nor may it know yet that there is one more */
        configured++;
        left += up && !going ? 1 : 0;
        takes = takes || (sim_peer_up(t, i) && listed(peers, n, i));
    }
    if (takes && left < floor_of(j, configured))
        judge_breach(j, "I1", "a drain is sent that leaves %u of %u peers up in upstream %u, the floor is %u", left,
                     configured, upstream, floor_of(j, configured));
}

void judge_drain_sent(struct judge *j, const struct sim_truth *t, uint8_t seat, const struct sim_who *who, uint8_t node,
                      const uint8_t *peers, uint32_t n, int64_t turn_ms)
{
    for (uint8_t u = 0; u < t->n_upstreams; u++)
        check_floor(j, t, who, u, peers, n, turn_ms);
    for (uint32_t i = 0; i < n; i++) {
        j->peers[peers[i]].draining = who->fence;
        if (j->peers[peers[i]].asked_ms < j->nodes[node].came_ms)
            j->peers[peers[i]].asked_ms = t->now_ms;
    }
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
            for (uint8_t k = 0; p->node != SIM_NOBODY && !in_place(j, p->node) && k < t->n_peers; k++)
                own += t->peers[k].upstream == u && t->peers[k].node == p->node && !t->peers[k].backup ? 1 : 0;
            most = own > most ? own : most;
        }
        if (most > 0 && up < floor_of(j, configured) + most)
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

/* Its agent has lost its disk since the claim was put. */
static bool forgotten_since(const struct judge_node *n)
{
    return n->forgot_ms != SIM_NEVER && n->forgot_ms >= n->claimed_ms;
}

static bool claim_names(const struct sim_claim *c, uint8_t peer)
{
    return c->there && listed(c->took, c->n_took, peer);
}

static bool claimed_by(const struct sim_claim *c, uint8_t peer, const struct sim_who *who)
{
    return claim_names(c, peer) && same_rollout(&c->who, who);
}

/* Any of it is out. What is as it was before, say draining, needs no putting back. */
static bool node_owned(const struct judge *j, const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && owned(&j->peers[i]) && t->peers[i].gate != j->peers[i].was)
            return true;
    return false;
}

static bool owned_by(const struct judge *j, const struct sim_truth *t, uint8_t node, uint64_t fence)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && owned(&j->peers[i]) && j->peers[i].owner.fence == fence)
            return true;
    return false;
}

/* What runs beside it on its host. */
static void count_services(struct judge *j, const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_nodes; i++)
        if (i != node && sim_same_host(t, i, node))
            j->facts[node_owned(j, t, i) ? FACT_SERVICES_OUT : FACT_SERVICE_ALONE]++;
}

static void close_gate(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t peer,
                       int64_t turn_ms)
{
    struct judge_peer *p = &j->peers[peer];
    uint8_t node = t->peers[peer].node;
    bool unfenced;

    if (node == SIM_NOBODY) {
        judge_breach(j, "I4", "peer %u is closed and is no node's", peer);
        return;
    }
    if (in_place(j, node))
        judge_breach(j, "I2", "peer %u of node %u, which is handed over in place, is taken out", peer, node);
    if (owned(p))
        return;
    if (!node_owned(j, t, node)) {
        count_services(j, t, node);
        if (t->agents[node].now.pid != 0)
            j->nodes[node].before = t->agents[node].now;
        j->nodes[node].touched = false;
    }
    /* Who was stopped between a decision and its request, while another ended what he had begun and nginx lost the
     * fences that would refuse him, cannot help it; but he must say so in the end. */
    unfenced = j->unfenced_ms[t->peers[peer].upstream] >= turn_ms;
    if (!claim_names(&t->agents[node].claim, peer) && !forgotten_since(&j->nodes[node]) && !unfenced)
        judge_breach(j, "I4", "peer %u of node %u is taken out and no claim at the agent names it", peer, node);
    belongs_to(j, peer, who);
    lose(j, t, peer, who->fence);
    p->forgotten = forgotten_since(&j->nodes[node]) || (unfenced && !claimed_by(&t->agents[node].claim, peer, who));
    if (p->had_fence != who->fence) {
        p->had_fence = who->fence;
        p->had_ms = t->now_ms;
        p->lost = false;
    }
    p->was = p->lost ? p->lost_was : t->peers[peer].gate;
    /* Changed behind our back just now; or put back while it was ours, and then nginx was started anew, or never could
     * be read; or moved after a drain that may have been it. */
    p->mixed = p->foreign_ms >= turn_ms - JUDGE_SNAPSHOT_MS || p->foreign_open_ms >= p->had_ms ||
               (p->lost && p->lost_mixed) || (p->asked_ms >= j->nodes[node].came_ms && p->foreign_ms >= p->asked_ms);
}

static const char *const gates[] = {"open", "draining", "down"};

static void open_gate(struct judge *j, const struct sim_truth *t, uint8_t peer, enum sim_gate to)
{
    struct judge_peer *p = &j->peers[peer];
    bool first = p->first_fence != 0 && p->first_was == (uint8_t)to; /* as it truly was, whoever knows that */

    if (t->peers[peer].gate == (uint8_t)to) {
        disown(j, peer);
        return;
    }
    lose(j, t, peer, 0); /* put back to the drain that it had; its operator has ended that meanwhile */
    if (!owned(p) && p->foreign_ms == SIM_NEVER)
        judge_breach(j, "I4", "peer %u is put back and no rollout took it out", peer);
    if (owned(p) && !p->mixed && p->was != (uint8_t)to && !first)
        judge_breach(j, "I4", "peer %u is put back as %s and was %s", peer, gates[to], gates[p->was]);
    if (p->first_was == (uint8_t)to)
        p->first_fence = 0;
    disown(j, peer);
}

/* ---- I5 where nginx does not check it: a majority of the agents that run each service have given it their votes */

static bool has_votes(const struct sim_truth *t, const struct sim_who *who)
{
    uint32_t all[2] = {0}, given[2] = {0};

    for (uint8_t i = 0; i < t->n_nodes; i++) {
        const struct sim_lease *v = &t->agents[i].vote;

        all[t->agents[i].service]++;
        given[t->agents[i].service] += same_rollout(&v->who, who) && v->until_ms > t->now_ms ? 1 : 0;
    }
    return given[0] > all[0] / 2 && (all[1] == 0 || given[1] > all[1] / 2);
}

/* What was lost with disks counts for nobody. */
static bool another_has_votes(const struct sim_truth *t, const struct sim_who *who)
{
    if (has_votes(t, who))
        return false;
    for (uint8_t i = 0; i < t->n_nodes; i++)
        if (t->agents[i].vote.who.fence != 0 && has_votes(t, &t->agents[i].vote.who))
            return true;
    return false;
}

static bool has_module(const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && !sim_peer_plus(t, i))
            return true;
    return false;
}

void judge_patch_sent(struct judge *j, const struct sim_truth *t, const struct sim_who *who, const uint8_t *peers,
                      uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!sim_peer_plus(t, peers[i]))
            continue;
        j->facts[FACT_PLUS_CHANGE]++;
        j->facts[FACT_PLUS_BESIDE] += has_module(t, t->peers[peers[i]].node) ? 1 : 0;
        if (!has_votes(t, who) && j->votes_lost_ms < t->now_ms - (int64_t)j->rules.ttl_ms)
            judge_breach(j, "I5",
                         "a change of peer %u at an NGINX Plus is sent, and no majority of the agents has given "
                         "rollout %u of fence %llu its votes",
                         peers[i], who->rollout, (unsigned long long)who->fence);
    }
}

void judge_gate(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t peer, enum sim_gate to,
                bool back, bool stuck, int64_t turn_ms)
{
    const struct sim_peer *p = &t->peers[peer];
    bool late = j->highest[p->upstream].fence > who->fence || another_has_votes(t, who) ||
                (stuck && !claim_names(&t->agents[p->node].claim, peer));

    if (sim_peer_plus(t, peer) && late) { /* as good as an operator's hand */
        j->facts[FACT_PLUS_STALE]++;
        judge_foreign_gate(j, t, peer, to);
        return;
    }
    check_fence(j, &j->highest[t->peers[peer].upstream], who, "a change of a peer");
    if (back)
        open_gate(j, t, peer, to);
    else
        close_gate(j, t, who, peer, turn_ms);
}

void judge_back_sent(struct judge *j, const struct sim_truth *t, uint8_t seat, uint8_t node)
{
    const struct judge_seat_node *s = &j->seats[seat][node];
    const struct judge_node *n = &j->nodes[node];
    const struct sim_ident *now = &t->agents[node].now;
    bool unseen =
        n->changed_ms >= s->told_ms ||
        (n->job_ms >= s->told_ms && n->job_seat != seat); /* the process changed since it was last asked about */
    bool checked = s->good >= j->rules.threshold && t->now_ms - s->first_good_ms >= (int64_t)j->rules.min_healthy_ms &&
                   (sim_same(&s->checked, now) || unseen);
    bool wanted = s->checked.exe == n->before.exe || s->checked.exe == n->origin ||
                  (j->rules.target != 0 && s->checked.exe == j->rules.target);

    bool untold = n->job_seat != seat && (n->job_ms >= s->told_ms || n->job_forgotten);
    bool untouched = !n->touched || untold;

    if (!node_owned(j, t, node) || (s->confirmed && untouched))
        return;
    if (!checked)
        judge_breach(j, "I3", "node %u is put back after %u good checks in a row%s", node, s->good,
                     n->touched ? "" : ", and nobody asked whether the process before still runs");
    else if (!wanted)
        judge_breach(j, "I3", "node %u is put back with executable %c, which is neither the target nor the one before",
                     node, s->checked.exe);
}

bool judge_holds_out(const struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_who *who)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && owned(&j->peers[i]) && j->peers[i].owner.fence == who->fence &&
            !j->peers[i].mixed && !j->peers[i].lost && t->peers[i].gate != j->peers[i].was)
            return true;
    return false;
}

bool judge_back_is_release(const struct judge *j, uint8_t seat, uint8_t node)
{
    return j->rules.target != 0 && j->nodes[node].touched && j->nodes[node].job_seat == seat &&
           j->seats[seat][node].checked.exe == j->rules.target;
}

/* ---- claims */

/* A claim names a peer that is out. What was before, only he knows who took it out. */
static void claim_peer(struct judge *j, const struct sim_truth *t, uint8_t peer, const struct sim_who *who)
{
    struct judge_peer *p = &j->peers[peer];
    bool first = p->first_fence == who->fence && t->peers[peer].gate != p->first_was;

    if (!owned(p) && first) {
        belongs_to(j, peer, who);
        p->was = p->first_was;
    } else if (owned(p) && p->forgotten && !same_rollout(&p->owner, who)) {
        if (p->first_fence == 0) {
            p->first_fence = p->owner.fence;
            p->first_was = p->was;
        }
        p->was = first ? p->first_was : t->peers[peer].gate;
    }
    if (owned(p)) {
        p->owner = *who;
        p->forgotten = false;
    }
}

/* What an operator moved meanwhile keeps nobody from beginning anew. */
static bool node_held(const struct judge *j, const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && owned(&j->peers[i]) && !j->peers[i].mixed)
            return true;
    return false;
}

void judge_claim(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_claim *c, bool anew,
                 bool resumed)
{
    if (resumed)
        j->seats[c->who.holder - 1][node].resumed = true;
    check_fence(j, &j->highest_at[node], &c->who, "a claim");
    if (c->who.holder - 1 != j->nodes[node].job_seat)
        j->nodes[node].heir = (uint8_t)c->who.holder;
    if (anew && (!node_held(j, t, node) || j->nodes[node].forgot_ms != SIM_NEVER)) {
        if (j->nodes[node].forgot_ms == SIM_NEVER || !same_rollout(&j->nodes[node].claimer, &c->who))
            j->nodes[node].came_ms = t->now_ms;
        j->nodes[node].claimer = c->who;
        j->nodes[node].claimed_ms = t->now_ms;
        j->nodes[node].forgot_ms = SIM_NEVER;
        if (!owned_by(j, t, node, c->who.fence)) { /* nobody could know any more what was before that */
            j->nodes[node].touched = false;
            if (t->agents[node].now.pid != 0)
                j->nodes[node].before = t->agents[node].now;
        }
    }
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && listed(c->took, c->n_took, i))
            claim_peer(j, t, i, &c->who);
    for (uint8_t i = 0; i < c->n_took; i++)
        if (j->peers[c->took[i]].had_fence != 0)
            j->peers[c->took[i]].had_fence = c->who.fence;
}

void judge_unclaim(struct judge *j, const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node)
            j->peers[i].had_fence = 0;
}

void judge_always(struct judge *j, const struct sim_truth *t)
{
    for (uint32_t word = 0; word < sizeof j->owned / sizeof *j->owned; word++)
        for (uint64_t bits = j->owned[word]; bits != 0; bits &= bits - 1) {
            uint8_t i = (uint8_t)(word * 64 + (uint32_t)__builtin_ctzll(bits));
            const struct judge_peer *p = &j->peers[i];

            if (!p->forgotten && !p->mixed && t->peers[i].gate != p->was &&
                !claim_names(&t->agents[t->peers[i].node].claim, i))
                judge_breach(j, "I4", "peer %u of node %u is out and no claim at its agent says so", i,
                             t->peers[i].node);
        }
}

/* ---- I2, I5, I6 */

/* An nginx whose `active` says nothing of old workers was reloaded before the rollout came, while somebody else had the
 * peer out: what they still hold, no load balancer tells. That the agent sees no connection at all would tell, but it
 * would wait for the idle ones that an nginx keeps to each node, so it is asked only where a reload was noticed. */
static bool reloaded_before(const struct judge *j, const struct sim_truth *t, uint8_t peer)
{
    const struct sim_lb *lb = &t->lbs[t->upstreams[t->peers[peer].upstream].lb];
    const struct judge_peer *p = &j->peers[peer];
    int64_t came_ms = owned(p) ? p->had_ms : j->nodes[t->peers[peer].node].claimed_ms;

    return !lb->exact && t->peers[peer].closed_ms <= lb->reload_ms && lb->reload_ms < came_ms;
}

void judge_job(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_job *job, int64_t turn_ms)
{
    struct judge_node *n = &j->nodes[node];

    check_fence(j, &j->highest_at[node], &job->who, "a job");
    for (uint8_t i = 0; i < t->n_peers && !in_place(j, node); i++) {
        if (t->peers[i].node != node ||
            j->peers[i].foreign_ms >= turn_ms - (j->peers[i].grown ? JUDGE_FILE_MS : JUDGE_SNAPSHOT_MS))
            continue;
        if (t->peers[i].gate != SIM_DOWN)
            judge_breach(j, "I2", "a job on node %u, whose peer %u is not down", node, i);
        else if (sim_peer_holds(t, i) && !j->rules.proceed && !reloaded_before(j, t, i))
            judge_breach(j, "I2", "a job on node %u, whose peer %u still holds requests", node, i);
    }
    if (job->kind != SIM_ROLLBACK && n->done[job->who.rollout] > 0)
        judge_breach(j, "I6", "node %u gets a second job of rollout %u, and the first was done", node,
                     job->who.rollout);
    n->touched = true;
    n->job_forgotten = false;
    n->job_ms = t->now_ms;
    n->job_seat = (uint8_t)(job->who.holder - 1);
    n->heir = 0;
    j->seats[n->job_seat][node].good = 0;
}

void judge_job_done(struct judge *j, const struct sim_truth *t, uint8_t node, const struct sim_job *job)
{
    struct judge_node *n = &j->nodes[node];
    bool good = job->state == SIM_JOB_DONE && t->agents[node].now.pid != 0;

    if (job->kind == SIM_ROLLBACK)
        memset(n->done, 0, sizeof n->done);
    else if (good && (job->kind == SIM_RESTART || t->agents[node].now.exe == job->exe)) {
        n->ever_done[job->who.rollout] = ++n->done[job->who.rollout] > 0;
        j->facts[FACT_IN_PLACE] += in_place(j, node) ? 1 : 0;
        n->done_fence = job->who.fence;
        n->done_holder = (uint8_t)job->who.holder;
    }
}

void judge_process_changed(struct judge *j, const struct sim_truth *t, uint8_t node)
{
    j->nodes[node].changed_ms = t->now_ms;
    memset(j->nodes[node].done, 0, sizeof j->nodes[node].done); /* what a job brought is not what runs */
}

void judge_agent_forgot(struct judge *j, const struct sim_truth *t, uint8_t node)
{
    j->nodes[node].forgot_ms = t->now_ms;
    j->nodes[node].job_forgotten = true;
    j->votes_lost_ms = t->now_ms;
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node)
            j->peers[i].forgotten = true;
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
    if (s->good >= j->rules.threshold && t->now_ms - s->first_good_ms >= (int64_t)j->rules.min_healthy_ms)
        s->proved = *now;
}

void judge_unclaim_told(struct judge *j, uint8_t seat, uint8_t node, bool dropped)
{
    j->seats[seat][node].unclaimed = dropped;
    if (dropped)
        j->seats[seat][node].begun = j->seats[seat][node].left = false;
}

/* ---- wishes */

void judge_wish_told(struct judge *j, uint8_t seat)
{
    j->wished[seat] = true;
}

void judge_asked(struct judge *j, uint8_t seat, uint8_t node)
{
    struct judge_seat_node *s = &j->seats[seat][node];

    if (j->wished[seat] && !s->asked)
        judge_breach(j, "wish", "node %u begins, and its controller knows that a person wants nothing new to begin",
                     node);
    s->asked = true;
}

/* ---- --order zone: one after another */

/* By the controller's own doing, and it has not said that it is left so. */
static bool in_motion(const struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t node)
{
    const struct judge_seat_node *s = &j->seats[who->holder - 1][node];
    const struct sim_job *job = sim_job_last(&t->agents[node]);
    bool moves = in_place(j, node) && s->begun && job != NULL && job->state == SIM_JOB_RUNNING;

    for (uint8_t i = 0; i < t->n_peers; i++)
        moves = moves || (t->peers[i].node == node && owned(&j->peers[i]) && !j->peers[i].mixed &&
                          j->peers[i].owner.fence == who->fence);
    return moves && !s->left;
}

void judge_begins(struct judge *j, const struct sim_truth *t, const struct sim_who *who, uint8_t node, bool back)
{
    struct judge_seat_node *s = &j->seats[who->holder - 1][node];
    struct judge_zones *z = &j->zones[who->holder - 1];
    uint8_t zone = t->agents[node].zone;

    if (zone == 0 || s->begun)
        return;
    s->begun = true;
    if (s->resumed) /* what an earlier run had begun goes on first, whatever its zone */
        return;
    for (uint8_t i = 0; i < t->n_nodes; i++)
        if (t->agents[i].zone != zone && in_motion(j, t, who, i))
            judge_breach(j, "zone", "node %u of zone %u begins while node %u of zone %u is in motion", node, zone, i,
                         t->agents[i].zone);
    if (z->back != back)
        *z = (struct judge_zones){.back = back};
    if (z->past >> zone & 1)
        judge_breach(j, "zone", "node %u of zone %u begins after another zone has begun", node, zone);
    if (z->now != zone && z->now != 0) {
        j->facts[FACT_ZONE_NEXT]++;
        z->past |= (uint8_t)(1u << z->now);
    }
    z->now = zone;
}

void judge_left_told(struct judge *j, uint8_t seat, uint8_t node)
{
    j->seats[seat][node].left = true;
}

/* ---- others */

void judge_foreign_gate(struct judge *j, const struct sim_truth *t, uint8_t peer, enum sim_gate to)
{
    struct judge_peer *p = &j->peers[peer];

    if (t->peers[peer].gate == (uint8_t)to && !owned(p))
        return;
    if (to != SIM_OPEN)
        lose(j, t, peer, 0);
    p->foreign_ms = t->now_ms;
    p->first_fence = 0;
    p->lost = false;
    if (to == SIM_OPEN) {
        p->foreign_open_ms = t->now_ms;
        disown(j, peer);
    } else if (owned(p)) {
        p->mixed = true;
    }
}

void judge_nginx_forgets(struct judge *j, const struct sim_truth *t, uint8_t peer)
{
    struct judge_peer *p = &j->peers[peer];

    if (t->peers[peer].gate == SIM_OPEN)
        return;
    p->foreign_ms = t->now_ms;
    p->first_fence = 0;
    if (!owned(p))
        return;
    p->lost = true;
    p->lost_mixed = p->mixed;
    p->lost_was = p->was;
    disown(j, peer);
}

void judge_peer_added(struct judge *j, const struct sim_truth *t, uint8_t peer)
{
    j->peers[peer] = (struct judge_peer){.asked_ms = SIM_NEVER,
                                         .foreign_ms = t->now_ms,
                                         .foreign_open_ms = t->now_ms,
                                         .added_ms = t->now_ms,
                                         .lost_ms = SIM_NEVER,
                                         .grown = true};
}

void judge_fences_lost(struct judge *j, const struct sim_truth *t, uint8_t upstream)
{
    j->highest[upstream] = (struct sim_who){0};
    j->unfenced_ms[upstream] = t->now_ms;
}

void judge_peer_lost(struct judge *j, const struct sim_truth *t, uint8_t peer)
{
    lose(j, t, peer, 0);
}

/* ---- the end */

/* Who is handed over in place is in rotation all the time: a process that is not well there is told of like a node that
 * is out, and none is good unseen. Who has taken the claim over answers for what it found. */
static void check_in_place(struct judge *j, const struct sim_truth *t, const struct judge_end *e, uint8_t node)
{
    const struct judge_node *n = &j->nodes[node];
    const struct sim_agent *a = &t->agents[node];

    if (n->job_ms == SIM_NEVER || e->seat != (n->heir != 0 ? n->heir - 1 : n->job_seat) || n->changed_ms >= n->job_ms)
        return;
    if (a->now.pid == 0 || a->ill) {
        j->facts[FACT_IN_PLACE_ILL]++;
        if (e->code != 3 || !e->names(e->ctx, node))
            judge_breach(j, "I4", "exit code %d, and nothing says that node %u is not well by its handover in place",
                         e->code, node);
    } else if (e->code == 0 && n->done_fence == e->who.fence && !sim_same(&j->seats[e->seat][node].proved, &a->now)) {
        judge_breach(j, "I3", "exit code 0, and node %u was handed over in place and not seen healthy", node);
    }
}

void judge_ended(struct judge *j, const struct sim_truth *t, const struct judge_end *e)
{
    for (uint8_t i = 0; i < t->n_lbs; i++)
        j->facts[FACT_PLUS_HELD] += t->lbs[i].plus && e->code == 6 ? 1 : 0;
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
    for (uint8_t node = 0; node < t->n_nodes; node++)
        if (j->seats[e->seat][node].unclaimed && t->agents[node].claim.there &&
            same_rollout(&t->agents[node].claim.who, &e->who))
            judge_breach(j, "I4", "the claim of node %u is there again after it was given back", node);
    for (uint8_t node = 0; node < t->n_nodes && j->in_place != 0; node++)
        if (in_place(j, node))
            check_in_place(j, t, e, node);
    for (uint8_t node = 0; node < t->n_nodes && e->code == 8; node++)
        if (j->nodes[node].done[e->who.rollout] > 0 &&
            (j->nodes[node].done_fence < e->who.fence ||
             (j->nodes[node].done_fence == e->who.fence && j->nodes[node].done_holder == e->who.holder)))
            judge_breach(j, "I4", "exit code 8, and node %u still runs what this rollout brought", node);
    for (uint8_t node = 0; node < t->n_nodes && e->code == 0 && e->rolls; node++) {
        const struct sim_agent *a = &t->agents[node];

        if ((e->plan_nodes >> node & 1) == 0 || a->now.pid == 0)
            continue;
        if (e->target != 0 && a->now.exe != e->target)
            judge_breach(j, "I3", "exit code 0, and node %u runs %c", node, a->now.exe);
        if (e->target == 0 && !j->nodes[node].ever_done[e->who.rollout])
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
              (a->now.exe == j->nodes[node].before.exe || a->now.exe == j->nodes[node].origin ||
               (j->rules.target != 0 && a->now.exe == j->rules.target));
        if (fit)
            judge_breach(j, "I4",
                         "the storm is over and repair ended with %d, but peer %u of node %u, which is well, "
                         "is still out",
                         code, i, node);
        else if (code != 3)
            judge_breach(j, "I4", "repair ended with %d, and node %u is out", code, node);
    }
}
