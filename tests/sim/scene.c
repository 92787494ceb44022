#include "scene.h"

#include <assert.h>
#include <string.h>

#include "controller/run_state.h" /* its turns are numbered anew */

/* ---- times and turns */

#define TIMES_MAX 400
struct times {
    int64_t *at[TIMES_MAX];
    uint32_t n;
};

static void add(struct times *t, int64_t *ms)
{
    if (*ms <= 0 || *ms == SIM_EVER)
        return; /* no time at all */
    assert(t->n < TIMES_MAX);
    t->at[t->n++] = ms;
}

static void times_of_truth(struct sim_truth *t, struct times *out)
{
    for (uint8_t i = 0; i < t->n_lbs; i++) {
        add(out, &t->lbs[i].dead_until_ms);
        add(out, &t->lbs[i].reload_ms);
    }
    for (uint8_t i = 0; i < t->n_upstreams; i++)
        add(out, &t->upstreams[i].lease.until_ms);
    for (uint8_t i = 0; i < t->n_peers; i++) {
        add(out, &t->peers[i].held_until_ms);
        add(out, &t->peers[i].closed_ms);
    }
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        struct sim_agent *a = &t->agents[i];

        add(out, &a->dead_until_ms);
        add(out, &a->healthy_ms);
        add(out, &a->claim.until_ms);
        for (uint32_t k = 0; k < a->n_jobs; k++)
            add(out, &a->jobs[k].ends_ms);
    }
}

static void times_of_judge(struct judge *j, const struct sim_truth *t, uint8_t seat, struct times *out)
{
    for (uint8_t i = 0; i < t->n_peers; i++) {
        add(out, &j->peers[i].foreign_ms);
        add(out, &j->peers[i].foreign_open_ms);
        add(out, &j->peers[i].lost_ms);
        add(out, &j->peers[i].asked_ms);
        add(out, &j->peers[i].had_ms);
    }
    for (uint8_t i = 0; i < t->n_upstreams; i++)
        add(out, &j->unfenced_ms[i]);
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        add(out, &j->nodes[i].changed_ms);
        add(out, &j->nodes[i].claimed_ms);
        add(out, &j->nodes[i].came_ms);
        add(out, &j->nodes[i].job_ms);
        add(out, &j->nodes[i].forgot_ms);
        add(out, &j->seats[seat][i].first_good_ms);
        add(out, &j->seats[seat][i].told_ms);
    }
}

static void times_of_calls(struct scene *c, struct times *out)
{
    for (uint32_t i = 0; i < SCENE_CALLS; i++) {
        struct sim_call *call = &c->sim->calls[i];

        if (!call->used)
            continue;
        add(out, &call->sent_ms);
        add(out, &call->turn_ms);
        add(out, &call->told.seen_ms);
        for (uint32_t k = 0; k < call->n_parts; k++)
            add(out, &call->parts[k].poll_until_ms);
    }
}

static void from_now(struct scene *c, struct times *t)
{
    int64_t passed = c->sim->truth.now_ms - SCENE_NOW_MS;

    for (uint32_t i = 0; i < t->n; i++)
        *t->at[i] -= passed;
    c->book.until_ms -= c->book.began ? (uint64_t)passed : 0;
    c->sim->truth.now_ms = SCENE_NOW_MS;
}

/* What lies back for long keeps its order alone. */
static void order_past(struct times *t)
{
    int64_t limit = SCENE_NOW_MS - SCENE_PAST_MS, to = limit, last = INT64_MAX;

    for (;;) {
        int64_t next = 0;

        for (uint32_t i = 0; i < t->n; i++)
            if (*t->at[i] < limit && *t->at[i]<last && * t->at[i]> next)
                next = *t->at[i];
        if (next == 0)
            return;
        to--;
        for (uint32_t i = 0; i < t->n; i++)
            if (*t->at[i] == next)
                *t->at[i] = to;
        last = next; /* what is left is below it, and to is not */
    }
}

static void expire(int64_t *until_ms)
{
    if (*until_ms <= SCENE_NOW_MS)
        *until_ms = SIM_NEVER;
}

static void forget_over(struct sim_truth *t)
{
    for (uint8_t i = 0; i < t->n_lbs; i++)
        expire(&t->lbs[i].dead_until_ms);
    for (uint8_t i = 0; i < t->n_upstreams; i++)
        expire(&t->upstreams[i].lease.until_ms);
    for (uint8_t i = 0; i < t->n_peers; i++)
        expire(&t->peers[i].held_until_ms);
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        struct sim_agent *a = &t->agents[i];

        expire(&a->dead_until_ms);
        expire(&a->healthy_ms);
        expire(&a->claim.until_ms);
        if (!a->claim.there)
            memset(&a->claim, 0, sizeof a->claim);
        for (uint32_t k = 0; k < a->n_jobs; k++)
            if (a->jobs[k].state != SIM_JOB_RUNNING)
                a->jobs[k].ends_ms = SIM_NEVER;
    }
}

/* Who took it out is at work and has the lease for longer than anybody asks when a peer was taken: a successor waits
 * that long, and he himself is not asked about his own. */
static bool taken_by_holder(const struct scene *c, uint8_t peer)
{
    const struct sim_lease *l = &c->sim->truth.upstreams[c->sim->truth.peers[peer].upstream].lease;
    uint64_t by = c->sim->judge.peers[peer].lost_by;

    return c->book.phase == SCENE_RUNS && by == c->sim->seats[c->book.last].who.fence && l->who.fence == by &&
           l->until_ms > SCENE_NOW_MS + SCENE_PAST_MS && c->reach->reloads == 0;
}

/* What of its past nobody asks about any more. */
static void forget_past(struct scene *c)
{
    const int64_t past = SCENE_NOW_MS - SCENE_PAST_MS;
    struct sim_truth *t = &c->sim->truth;
    struct judge *j = &c->sim->judge;
    bool others = c->reach->reloads > 0; /* somebody else than a rollout moves gates */

    for (uint8_t i = 0; i < t->n_lbs; i++)
        if (t->lbs[i].exact)
            t->lbs[i].reload_ms = SIM_NEVER;
    for (uint8_t i = 0; i < t->n_peers; i++) {
        struct judge_peer *p = &j->peers[i];

        if (t->lbs[t->upstreams[t->peers[i].upstream].lb].exact || t->peers[i].gate == SIM_OPEN)
            t->peers[i].closed_ms = SIM_NEVER;
        if (p->lost_ms < past || taken_by_holder(c, i)) {
            p->lost_ms = SIM_NEVER;
            p->lost_by = 0;
        }
        if (!others) {
            p->asked_ms = SIM_NEVER;
            p->had_ms = 0;
        }
    }
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        struct judge_node *n = &j->nodes[i];
        struct judge_seat_node *s = &j->seats[c->book.last][i];

        if (!others)
            n->claimed_ms = n->came_ms = SIM_NEVER;
        if (n->job_seat == c->book.last)
            n->job_ms = SIM_NEVER; /* it knows */
        if (s->first_good_ms < past || j->rules.min_healthy_ms == 0)
            s->first_good_ms = 0;
        if (n->changed_ms == SIM_NEVER && n->job_ms == SIM_NEVER)
            s->told_ms = 0;
    }
}

/* ---- of what the run knows, that which nothing reads any more before it is written anew */

/* It sees this peer, and that is looked at with its next answer. */
static bool sees(const struct run *r, const struct plan *p, uint32_t node, uint32_t i)
{
    const struct run_extra *x = run_extra(r, node);

    return x->looks && ((x->look_seen >> i & 1) != 0 ||
                        run_lb(r, plan_peer_lb(p, p->nodes[node].first_peer + i))->read_turn >= x->look_turn);
}

/* A list is on its way that was begun before that turn; who reads from now on reads what is newer. */
static bool old_list(const struct run *r, uint64_t turn)
{
    for (uint32_t i = 0; i < r->n_lbs; i++)
        if (run_lb(r, i)->reading && run_lb(r, i)->began_turn < turn)
            return true;
    return false;
}

/* Of a node that is done (and is not taken back: nobody asks for that here) nothing is read, but where a list from
 * before its way back is still to come: that one must not count it as down. LOOK, the first, takes what is known; every
 * later step asks anew, and then of what was known only that it was up is of interest (the sum of those that are is
 * kept right by that). */
static void forget_peers(struct run *r, const struct plan *p, uint32_t node)
{
    const struct plan_node *pn = &p->nodes[node];
    enum step step = (enum step)run_node(r, node)->step;

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        struct seen_peer *seen = state_peer(r, pn->first_peer + i);

        if (step == STEP_DONE && run_extra(r, node)->out_turn == 0)
            memset(seen, 0, sizeof *seen);
        else if (step != STEP_WAIT && step != STEP_CHECK && step != STEP_LOOK && !sees(r, p, node, i))
            *seen = (struct seen_peer){.state = seen->state == PEER_UP ? PEER_UP : PEER_DOWN, .backup = seen->backup};
    }
}

static void forget_lbs(struct run *r)
{
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        if (lb->read_age_ms != UINT32_MAX && lb->read_age_ms > SCENE_AGE_MS)
            lb->read_age_ms = SCENE_AGE_MS;
        if (lb->began_ms != UINT32_MAX && lb->began_ms > SCENE_AGE_MS)
            lb->began_ms = SCENE_AGE_MS;
    }
}

/* It gives its leases back, and what the load balancers show is of interest to nobody any more. */
static void forget_shown(struct run *r)
{
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        lb->began_ms = lb->read_age_ms = lb->took_ms = lb->n_held = 0;
        lb->reading = lb->stale = false;
    }
    r->n_held = 0;
    for (uint32_t i = 0; i < r->n_peers; i++)
        memset(state_peer(r, i), 0, sizeof *state_peer(r, i));
    for (uint32_t i = 0; i < r->n_upstreams; i++)
        memset(state_upstream(r, i), 0, sizeof *state_upstream(r, i));
}

static void forget_steps(struct run *r, const struct plan *p)
{
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        struct run_extra *x = state_extra(r, i);

        if (!old_list(r, x->out_turn))
            x->out_turn = 0;
        forget_peers(r, p, i);
        if (node_in_motion(run_node(r, i)) || x->renewing || x->holding)
            continue;
        x->claim_ms = 0;
        x->look_turn = x->look_asked = x->look_seen = 0;
    }
    forget_lbs(r);
    for (uint32_t i = 0; i < r->n_upstreams; i++)
        if (!run_lease(r, i)->asked)
            state_lease(r, i)->asked_ms = 0;
    r->age_ms = 0; /* of interest to wishes alone */
}

/* ---- turns: compared only, and with no others than these */

/* The last of the turns at which a node that still waits began to look, or was out, that is not behind `turn`. */
static uint64_t last_mark(const struct run *r, uint64_t turn, bool outs)
{
    uint64_t mark = 0;

    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct run_extra *x = run_extra(r, i);

        if (x->look_turn <= turn && x->look_turn > mark)
            mark = x->look_turn;
        if (outs && x->out_turn <= turn && x->out_turn > mark)
            mark = x->out_turn;
    }
    return mark;
}

static void forget_turns(struct scene *c)
{
    struct run *r = scene_run(c);

    for (uint32_t i = 0; i < r->n_nodes; i++) {
        struct run_extra *x = state_extra(r, i);

        if (!x->looks)
            x->look_turn = x->look_asked = x->look_seen = 0;
        if (!old_list(r, x->out_turn))
            x->out_turn = 0;
    }
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        lb->began_turn = lb->reading ? last_mark(r, lb->began_turn, true) : 0;
        lb->read_turn = last_mark(r, lb->read_turn, false);
    }
    for (uint32_t i = 0; i < SCENE_CALLS; i++) {
        struct sim_call *call = &c->sim->calls[i];

        if (call->used && call->seat == c->book.last && call->action.kind == ACT_LOOK &&
            run_extra(r, call->action.node)->look_turn != call->action.look)
            call->action.look = 0; /* its node has moved on */
    }
}

static void number_turns(struct scene *c)
{
    uint64_t *at[2 * SIM_LBS + 2 * SIM_NODES + SCENE_CALLS];
    uint32_t n = 0;
    struct run *r = scene_run(c);
    uint64_t last = 0;

    forget_turns(c);
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        at[n++] = &state_lb(r, i)->began_turn;
        at[n++] = &state_lb(r, i)->read_turn;
    }
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        at[n++] = &state_extra(r, i)->look_turn;
        at[n++] = &state_extra(r, i)->out_turn;
    }
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        if (c->sim->calls[i].used && c->sim->calls[i].seat == c->book.last && c->sim->calls[i].action.kind == ACT_LOOK)
            at[n++] = &c->sim->calls[i].action.look;
    for (r->turn = 0;; r->turn++) {
        uint64_t next = UINT64_MAX;

        for (uint32_t i = 0; i < n; i++)
            if (*at[i] > last && *at[i] < next)
                next = *at[i];
        if (next == UINT64_MAX)
            return;
        for (uint32_t i = 0; i < n; i++)
            if (*at[i] == next)
                *at[i] = r->turn + 1;
        last = next; /* what is left is above it, and r->turn + 1 is not */
    }
}

void scene_settle(struct scene *c)
{
    struct times t = {.n = 0};
    struct sim *s = c->sim;

    scene_drop_fenced(c);
    times_of_truth(&s->truth, &t);
    times_of_judge(&s->judge, &s->truth, c->book.last, &t);
    times_of_calls(c, &t);
    if (scene_seat(c)->collected_ms > 0)
        add(&t, &scene_seat(c)->collected_ms);
    from_now(c, &t);
    forget_over(&s->truth);
    forget_past(c);
    t.n = 0;
    times_of_truth(&s->truth, &t);
    times_of_judge(&s->judge, &s->truth, c->book.last, &t);
    times_of_calls(c, &t);
    order_past(&t);
    if (c->book.phase == SCENE_RUNS) {
        forget_steps(scene_run(c), scene_seat(c)->plan);
        if (scene_run(c)->phase == RUN_RELEASING && c->reach->reloads == 0) {
            scene_drop_shown(c);
            forget_shown(scene_run(c));
        }
        number_turns(c);
    }
}

/* ---- its hash */

static inline void mix(uint64_t *h, uint64_t v)
{
    *h = (*h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    *h ^= *h >> 32;
}

static void mix_bytes(uint64_t *h, const void *bytes, size_t n)
{
    uint64_t v = 0;

    for (; n >= 8; n -= 8, bytes = (const char *)bytes + 8) {
        memcpy(&v, bytes, 8);
        mix(h, v);
    }
    v = 0;
    memcpy(&v, bytes, n);
    mix(h, v);
}

static void mix_who(uint64_t *h, const struct sim_who *w)
{
    mix(h, w->fence << 16 | (uint64_t)w->rollout << 8 | w->holder);
}

static void mix_ident(uint64_t *h, const struct sim_ident *i)
{
    mix(h, i->ticks);
    mix(h, (uint64_t)i->pid << 16 | (uint64_t)i->boot << 8 | i->exe);
}

static void mix_agent(uint64_t *h, const struct sim_agent *a)
{
    mix(h, (uint64_t)a->dead_until_ms);
    mix(h, (uint64_t)a->healthy_ms);
    mix_ident(h, &a->now);
    mix(h, a->claim.there);
    if (a->claim.there) {
        mix_who(h, &a->claim.who);
        mix(h, (uint64_t)a->claim.until_ms);
        mix_ident(h, &a->claim.before);
        mix_bytes(h, a->claim.took, a->claim.n_took);
        mix(h, (uint64_t)a->claim.was_draining << 8 | a->claim.target);
    }
    mix_who(h, &a->highest);
    for (uint32_t k = 0; k < a->n_jobs; k++) {
        const struct sim_job *j = &a->jobs[k];

        mix_who(h, &j->who);
        mix_ident(h, &j->before);
        mix_ident(h, &j->after);
        mix(h, (uint64_t)j->ends_ms);
        mix(h, (uint64_t)j->kind << 40 | (uint64_t)j->state << 32 | (uint64_t)j->exe << 24 |
                   (uint64_t)j->attempt << 16 | (uint64_t)j->undo << 8 | j->touched);
    }
    mix(h, (uint64_t)a->installed << 32 | (uint64_t)a->staged << 24 | (uint64_t)a->previous << 16 | a->ill);
}

static void mix_truth(uint64_t *h, const struct sim_truth *t)
{
    for (uint8_t i = 0; i < t->n_lbs; i++) {
        mix(h, (uint64_t)t->lbs[i].dead_until_ms);
        mix(h, (uint64_t)t->lbs[i].reload_ms);
        mix(h, t->lbs[i].generation);
    }
    for (uint8_t i = 0; i < t->n_upstreams; i++) {
        mix_who(h, &t->upstreams[i].lease.who);
        mix(h, (uint64_t)t->upstreams[i].lease.until_ms);
    }
    for (uint8_t i = 0; i < t->n_peers; i++) {
        mix(h, (uint64_t)t->peers[i].held_until_ms);
        mix(h, (uint64_t)t->peers[i].closed_ms);
        mix(h, (uint64_t)t->peers[i].gate << 8 | t->peers[i].failing);
    }
    for (uint8_t i = 0; i < t->n_nodes; i++)
        mix_agent(h, &t->agents[i]);
}

static void mix_judge(uint64_t *h, const struct judge *j, const struct sim_truth *t, uint8_t seat)
{
    for (uint8_t i = 0; i < t->n_peers; i++) {
        const struct judge_peer *p = &j->peers[i];

        mix_who(h, &p->owner);
        mix(h, (uint64_t)p->foreign_ms);
        mix(h, (uint64_t)p->foreign_open_ms);
        mix(h, (uint64_t)p->lost_ms);
        mix(h, (uint64_t)p->asked_ms);
        mix(h, p->lost_by);
        mix(h, (uint64_t)p->had_ms);
        mix(h, p->had_fence << 16 | (uint64_t)p->lost_was << 8 | (uint64_t)p->lost << 1 | p->lost_mixed);
        mix(h, p->draining << 24 | (uint64_t)p->was << 16 | (uint64_t)p->mixed << 8 | p->forgotten);
    }
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        const struct judge_node *n = &j->nodes[i];
        const struct judge_seat_node *s = &j->seats[seat][i];

        mix_ident(h, &n->before);
        mix(h, (uint64_t)n->changed_ms);
        mix(h, (uint64_t)n->claimed_ms);
        mix(h, (uint64_t)n->job_ms);
        mix(h, (uint64_t)n->forgot_ms);
        mix(h, (uint64_t)n->job_seat << 16 | n->touched);
        mix_bytes(h, n->done, sizeof n->done);
        mix(h, n->done_fence);
        mix_bytes(h, n->ever_done, sizeof n->ever_done);
        mix_ident(h, &s->checked);
        mix(h, (uint64_t)s->first_good_ms);
        mix(h, (uint64_t)s->told_ms);
        mix(h, (uint64_t)s->good << 16 | (uint64_t)s->unclaimed << 8 | s->confirmed);
        mix_who(h, &j->highest_at[i]);
    }
    for (uint8_t i = 0; i < t->n_upstreams; i++) {
        mix_who(h, &j->highest[i]);
        mix(h, (uint64_t)j->unfenced_ms[i]);
    }
    mix(h, j->n_owned);
}

static void mix_told(uint64_t *h, const struct sim_told *t)
{
    mix(h, (uint64_t)t->kind << 32 | (uint64_t)t->job << 16 | (uint64_t)t->job_of << 8 | t->attempt);
    mix(h, t->ok_mask);
    mix(h, t->claim_fence);
    mix_ident(h, &t->now);
    mix(h, (uint64_t)t->seen_ms);
    mix(h, (uint64_t)t->connections << 8 | (uint64_t)t->claim_gone << 4 | (uint64_t)t->healthy << 3 |
               (uint64_t)t->touched << 2 | (uint64_t)t->claim_ours << 1 | t->claim_live);
    mix(h, t->fence);
    mix_ident(h, &t->job_before);
    mix_ident(h, &t->job_after);
}

static void mix_action(uint64_t *h, const struct action *a)
{
    mix(h, (uint64_t)a->kind << 56 | (uint64_t)a->ask << 48 | (uint64_t)a->node << 32 | (uint64_t)a->lb << 16 |
               a->upstream);
    mix(h, a->mask);
    mix(h, a->prior_mask);
    mix(h, a->expect);
    mix(h, a->before.start_ticks);
    mix(h, (uint64_t)a->before.pid << 16 | (uint64_t)a->before.boot[0] << 8 | a->before.sha256[0]);
    mix(h, (uint64_t)a->attempt << 32 | (uint64_t)a->job << 16 | (uint64_t)a->reverse << 8 | a->goal[0]);
    mix(h, (uint64_t)a->ttl_ms << 32 | a->hold_s);
    mix(h, a->look);
}

/* Which slot a call lies in says nothing: their hashes are summed up. */
static uint64_t hash_call(const struct scene *c, uint32_t i)
{
    const struct sim_call *call = &c->sim->calls[i];
    uint64_t h = call->seat + 1u;
    bool there = false;

    mix_action(&h, &call->action);
    mix_who(&h, &call->who);
    mix(&h, (uint64_t)call->turn_ms);
    for (uint32_t k = 0; k < call->n_parts; k++) {
        const struct sim_part *p = &call->parts[k];

        mix(&h, (uint64_t)p->poll_until_ms);
        mix(&h, (uint64_t)c->book.where[i][k] << 32 | (uint64_t)p->lb << 16 | p->reply);
        mix(&h, p->ok_mask);
        there = there || c->book.where[i][k] == WHERE_THERE;
    }
    if (there)
        mix_told(&h, &call->told);
    for (uint32_t k = 0; there && call->action.kind == ACT_LOOK && k < SIM_NODE_PEERS; k++)
        if (call->action.mask >> k & 1) /* of the others a call before it in this slot may have left something */
            mix(&h,
                (uint64_t)call->looked[k].state << 32 | (uint64_t)call->looked[k].exact << 16 | call->looked[k].active);
    return h;
}

/* What a list that has not been handed over yet has shown. */
static void mix_seen(uint64_t *h, const struct sim_seat *seat)
{
    const struct plan *p = seat->plan;

    for (uint32_t lb = 0; lb < p->n_lbs; lb++) {
        mix(h, seat->seen[lb].generation << 1 | seat->seen[lb].exact);
        for (uint32_t i = 0; i < p->n_upstreams; i++)
            mix(h, (uint64_t)seat->seen[lb].upstreams[i].configured << 32 |
                       (uint64_t)seat->seen[lb].upstreams[i].up << 1 | seat->seen[lb].upstreams[i].there);
        for (uint32_t i = 0; i < p->n_peers; i++)
            mix(h, (uint64_t)seat->seen[lb].peers[i].state << 32 | seat->seen[lb].peers[i].active);
    }
}

uint64_t scene_hash(const struct scene *c)
{
    const struct sim *s = c->sim;
    const struct sim_seat *seat = &s->seats[c->book.last];
    const struct scene_book *b = &c->book;
    uint64_t h = 1, calls = 0;

    mix(&h, (uint64_t)b->phase << 56 | (uint64_t)b->deaths << 48 | (uint64_t)b->faults << 40 |
                (uint64_t)b->reloads << 32 | (uint64_t)b->last << 24 | (uint64_t)seat->act << 16 |
                (uint64_t)b->late << 4 | (uint64_t)b->repaired << 3 | (uint64_t)b->final << 2 |
                (uint64_t)b->failed << 1 | b->began);
    if (b->deaths > 0 && b->phase < SCENE_ENDED)
        mix(&h, b->stepped); /* a state in which nobody died yet is not one in which all deaths were tried */
    mix(&h, b->began ? b->until_ms : 0);
    mix_truth(&h, &s->truth);
    mix_judge(&h, &s->judge, &s->truth, b->last);
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        if (s->calls[i].used)
            calls += hash_call(c, i);
    mix(&h, calls);
    if (b->phase == SCENE_RUNS || b->phase == SCENE_PLANS) {
        mix(&h, (uint64_t)(uintptr_t)seat->plan); /* of the same content there is one */
        mix_bytes(&h, seat->durable, sizeof seat->durable);
    }
    if (b->phase == SCENE_RUNS) {
        mix(&h, run_hash(&c->at.run));
        mix(&h, (uint64_t)seat->collected_ms);
        mix_seen(&h, seat);
    }
    if (b->phase == SCENE_ENDED)
        mix(&h, (uint64_t)seat->code);
    return h;
}

static void mix_whose(uint64_t *h, const struct sim_who *w)
{
    mix(h, w->fence << 8 | w->rollout);
}

uint64_t scene_end_hash(const struct scene *c)
{
    const struct sim_truth *t = &c->sim->truth;
    uint64_t h = (uint64_t)c->sim->seats[c->book.last].code + 1;

    for (uint8_t i = 0; i < t->n_upstreams; i++)
        mix_whose(&h, &t->upstreams[i].lease.who);
    for (uint8_t i = 0; i < t->n_peers; i++)
        mix(&h, (uint64_t)t->peers[i].gate << 8 | t->peers[i].failing);
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        const struct sim_agent *a = &t->agents[i];

        mix_ident(&h, &a->now);
        mix_whose(&h, &a->highest);
        mix(&h, (uint64_t)a->claim.there << 24 | (uint64_t)a->staged << 16 | (uint64_t)a->installed << 8 | a->ill);
        for (uint32_t k = 0; k < a->n_jobs; k++) {
            mix_whose(&h, &a->jobs[k].who);
            mix(&h, (uint64_t)a->jobs[k].kind << 16 | (uint64_t)a->jobs[k].state << 8 | a->jobs[k].undo);
        }
    }
    return h;
}

/* ---- kept, and taken up again */

struct tape {
    char *at;
    bool back;
};

static void pass(struct tape *t, void *thing, size_t size)
{
    if (t->back)
        memcpy(thing, t->at, size);
    else
        memcpy(t->at, thing, size);
    t->at += size;
}

static void pass_judge(struct tape *t, struct judge *j, const struct sim_truth *truth, uint8_t seat)
{
    pass(t, j->peers, truth->n_peers * sizeof *j->peers);
    pass(t, j->nodes, truth->n_nodes * sizeof *j->nodes);
    pass(t, j->seats[seat], truth->n_nodes * sizeof *j->seats[seat]);
    pass(t, &j->highest, sizeof *j - offsetof(struct judge, highest));
}

static void pass_calls(struct tape *t, struct sim *s)
{
    for (uint32_t i = 0; i < SCENE_CALLS; i++) {
        pass(t, &s->calls[i].used, sizeof s->calls[i].used);
        if (s->calls[i].used)
            pass(t, &s->calls[i], sizeof s->calls[i]);
    }
}

static void pass_seats(struct tape *t, struct sim *s, const struct scene_book *b)
{
    struct sim_seat *seat = &s->seats[b->last];

    pass(t, &s->n_seats, sizeof s->n_seats);
    for (uint32_t i = 0; i < s->n_seats; i++)
        pass(t, &s->seats[i], offsetof(struct sim_seat, seen));
    if (b->phase != SCENE_RUNS)
        return;
    for (uint32_t lb = 0; lb < seat->plan->n_lbs; lb++) {
        pass(t, seat->seen[lb].upstreams, seat->plan->n_upstreams * sizeof *seat->seen[lb].upstreams);
        pass(t, seat->seen[lb].peers, seat->plan->n_peers * sizeof *seat->seen[lb].peers);
        pass(t, &seat->seen[lb].generation, sizeof seat->seen[lb].generation);
        pass(t, &seat->seen[lb].exact, sizeof seat->seen[lb].exact);
    }
}

static size_t pass_all(struct scene *c, char *from, bool back)
{
    struct tape t = {.at = from, .back = back};
    struct sim *s = c->sim;

    pass(&t, &c->book, sizeof c->book);
    pass(&t, &s->truth, offsetof(struct sim_truth, peers));
    pass(&t, s->truth.peers, s->truth.n_peers * sizeof *s->truth.peers);
    pass(&t, s->truth.agents, s->truth.n_nodes * sizeof *s->truth.agents);
    pass_judge(&t, &s->judge, &s->truth, c->book.last);
    pass_calls(&t, s);
    pass_seats(&t, s, &c->book);
    if (c->book.phase == SCENE_RUNS) {
        uint64_t size = c->at.run.size_bytes;

        pass(&t, &size, sizeof size);
        pass(&t, &c->at.run, size);
    }
    assert(t.at <= from + SCENE_KEPT_MAX);
    return (size_t)(t.at - from);
}

size_t scene_keep(const struct scene *c, char *to)
{
    return pass_all((struct scene *)(uintptr_t)c, to, false);
}

void scene_take_up(struct scene *c, const char *from)
{
    (void)pass_all(c, (char *)(uintptr_t)from, true);
}
