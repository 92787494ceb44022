#include "run.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"
#include "run_state.h"

static void forget_begun(struct run *r, uint16_t node)
{
    uint16_t *begun = state_begun(r);

    for (uint32_t i = 0; i < r->n_begun; i++)
        if (begun[i] == node) {
            begun[i] = begun[--r->n_begun];
            return;
        }
}

static void book_end(struct run *r, const struct node *n)
{
    r->n_done++;
    if (n->step == STEP_DONE)
        forget_begun(r, n->id);
}

static void state_answer(struct run *r, const struct plan *p, uint16_t id, const struct answer *a, struct turn *t)
{
    struct move next = node_answer(state_node(r, id), p, a);

    state_move(r, p, id, &next, t);
}

void state_move(struct run *r, const struct plan *p, uint16_t id, const struct move *m, struct turn *t)
{
    const struct node *n = state_node(r, id);
    struct run_extra *x = state_extra(r, id);
    struct answer instead;
    bool withheld = false;

    if (m->moved && n->step == STEP_BAKE)
        gate_begin(r, p, id);
    if (m->moved || m->note) {
        struct event *e = turn_event(t, p, m->moved ? EVENT_STEP : EVENT_NOTE, m->text);

        e->node = id;
        e->from = (uint8_t)m->from;
        e->state = *n;
        if (m->moved && m->from == STEP_BAKE)
            gate_tell(r, p, id, e->text);
    }
    if (m->moved)
        look_end(r, id);
    if (m->moved && m->from == STEP_DRAIN && n->step == STEP_QUIET)
        drift_taken(r, p, id, n->out_mask);
    if (m->moved && m->from == STEP_SEEN && n->step != STEP_OUT)
        x->out_turn = r->turn; /* who begins anew from here must not take an older list for how it was before us */
    if (m->asks) {
        struct action act = m->action;
        enum ask ask = act.ask;

        if (ask == ASK_PEERS || ask == ASK_FLOOR || look_first(n, m->moved)) {
            look_begin(r, id);
        } else if ((ask == ASK_CLAIM || ask == ASK_UNCLAIM) && x->renewing) {
            x->deferred = true; /* a renewal that overtakes an unclaim would bring the claim back */
        } else if (ask == ASK_BACK && x->holding) {
            x->back_waits = true;
        } else if (lock_lets(r, p, &act, &instead)) {
            turn_ask(t, &act);
        } else {
            withheld = true;
        }
        if (ask == ASK_CLAIM)
            x->claim_ms = 0;
    }
    if (m->moved && (n->step == STEP_DONE || n->step == STEP_OUT))
        book_end(r, n);
    if ((n->failed || n->step == STEP_OUT) && !x->counted) { /* at once: others may wait for their turn behind it */
        x->counted = true;
        budget_take(r, p, n, t);
    }
    if (m->moved && n->step == STEP_DONE)
        gate_end(r, p, n, t);
    if (withheld)
        state_answer(r, p, id, &instead, t);
}

void state_ask(struct run *r, const struct plan *p, uint16_t id, struct turn *t)
{
    struct action act = node_action(run_node(r, id), p);
    struct answer instead;

    if (lock_lets(r, p, &act, &instead))
        turn_ask(t, &act);
    else
        state_answer(r, p, id, &instead, t);
}

/* Claims of nodes in motion are put again after a third of their ttl. UINT32_MAX: not as things are. */
static uint32_t claim_due_ms(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct node *n = run_node(r, id);
    const struct run_extra *x = run_extra(r, id);
    enum ask ask = step_row((enum step)n->step)->ask;
    uint32_t third = p->lease_ttl_ms / 3;

    if (!node_in_motion(n) || n->claim_fence != p->fence || x->renewing || ask == ASK_CLAIM || ask == ASK_UNCLAIM)
        return UINT32_MAX;
    if (n->theirs || (x->anew && !lease_is_ours(r, p)))
        return UINT32_MAX; /* an agent that has lost its disk would take it from anybody */
    return third > x->claim_ms ? third - x->claim_ms : 0;
}

static void renew_claims(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = state_begun(r)[i];
        struct run_extra *x = state_extra(r, id);
        struct action *a;

        if (claim_due_ms(r, p, id) > 0)
            continue;
        a = turn_action(t, ACT_RENEW);
        *a = node_action(run_node(r, id), p);
        a->kind = ACT_RENEW;
        a->mask = run_node(r, id)->peers_mask;
        a->expect = x->anew ? 0 : a->expect;
        x->renewing = true;
        x->claim_ms = 0;
    }
}

/* Its agent may have lost it: put at once, and only where nobody has one. */
static void claim_is_gone(struct run *r, const struct plan *p, uint16_t id)
{
    state_extra(r, id)->anew = true;
    state_extra(r, id)->claim_ms = p->lease_ttl_ms;
}

static void claim_is_anothers(struct run *r, const struct plan *p, uint16_t id, const char *said, struct turn *t)
{
    char text[ANSWER_TEXT_MAX + 64];

    (void)snprintf(text, sizeof text, "the claim of %s is no longer ours: %s", p->nodes[id].name, said);
    run_stop(r, p, RUN_STOP_HELD, text, t);
}

static void renewed(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);
    uint32_t third = p->lease_ttl_ms / 3, retry = p->wait_ms[WAIT_RETRY];
    uint32_t age_ms = r->age_ms > x->claim_ms ? r->age_ms - x->claim_ms : 0; /* when it was asked */
    bool first = !x->anew && !x->deferred;

    x->renewing = false;
    if (in->answer.kind == ANS_OK)
        sleep_claimed(r, p, in->node);
    else
        x->claim_ms = third > retry ? third - retry : 0; /* no whole answer: again soon, not after a third */
    if (x->deferred) {
        x->deferred = false;
        *turn_action(t, ACT_ASK) = node_action(state_node(r, in->node), p);
    }
    if (in->answer.kind == ANS_FENCED && first)
        claim_is_gone(r, p, in->node);
    else if (in->answer.kind == ANS_FENCED)
        claim_is_anothers(r, p, in->node, in->answer.text, t);
    if (in->answer.kind == ANS_OK && x->anew) {
        x->anew = false;
        node_hurry(state_node(r, in->node));
        turn_note(r, p, in->node, "its agent had lost our claim, and has it again", t);
    }
    drift_claimed(r, p, in->node, in->answer.kind == ANS_OK, t);
    wish_heard(r, p, in->node, &in->answer, age_ms, t);
}

/* What an answer of its agent says of our claim, beside what was asked. */
static void look_at_claim(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    const struct node *n = run_node(r, in->node);
    const struct answer *a = &in->answer;
    bool ours = n->claim_fence == p->fence && node_in_motion(n) && n->step != STEP_UNCLAIM;

    if (a->kind == ANS_OK && step_row((enum step)n->step)->ask == ASK_CLAIM)
        sleep_claimed(r, p, in->node);
    if (ours && a->claim_gone) {
        claim_is_gone(r, p, in->node);
    } else if (ours && a->kind == ANS_OK && step_row((enum step)n->step)->ask == ASK_STATUS && !a->claim_ours) {
        if (a->claim_fence == 0)
            claim_is_gone(r, p, in->node);
        else if (a->claim_live)
            claim_is_anothers(r, p, in->node, "its agent shows another rollout's", t);
    }
}

static void begin_node(struct run *r, const struct plan *p, uint16_t id, struct turn *t)
{
    struct move m = node_begin(state_node(r, id), p);

    state_begun(r)[r->n_begun++] = id;
    state_move(r, p, id, &m, t);
}

/* What an earlier run left out is in motion already: no batch holds it up, nor a failure of one of them the others. */
static void begin_resumed(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < r->n_nodes && r->next == 0; i++)
        if (p->nodes[i].resumed && state_node(r, i)->step == STEP_WAIT)
            begin_node(r, p, (uint16_t)i, t);
}

static void begin_nodes(struct run *r, const struct plan *p, struct turn *t)
{
    uint32_t in_motion = 0;

    if (r->phase == RUN_ROLLING && (r->stop == RUN_GOES || r->reversing))
        begin_resumed(r, p, t);
    for (uint32_t i = 0; i < r->n_begun; i++)
        in_motion += node_in_motion(state_node(r, state_begun(r)[i])) ? 1 : 0;
    while (r->phase == RUN_ROLLING && r->stop == RUN_GOES && r->next < r->n_nodes && hold_open(r) &&
           in_motion < pace_batch(p, r->n_done) && pace_zone_is_free(r, p, (uint16_t)r->next)) {
        uint16_t id = (uint16_t)r->next++;

        if (p->nodes[id].resumed)
            continue;
        begin_node(r, p, id, t);
        in_motion += node_in_motion(state_node(r, id)) ? 1 : 0;
    }
    in_motion = reverse_drive(r, p, in_motion, t);
    if (r->phase == RUN_ROLLING && in_motion == 0 && (r->stop != RUN_GOES || r->next == r->n_nodes) &&
        reverse_is_through(r) && !stands_hold_up(r, p, t))
        lease_give_back(r, p);
}

static void pass_time(struct run *r, const struct plan *p, uint32_t elapsed_ms)
{
    lease_time(r, elapsed_ms);
    grace_time(r, elapsed_ms);
    end_time(r, elapsed_ms);
    wish_time(r, elapsed_ms);
    look_time(r, elapsed_ms);
    stands_time(r, elapsed_ms);
    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = state_begun(r)[i];

        node_elapse(state_node(r, id), elapsed_ms);
        state_extra(r, id)->claim_ms += elapsed_ms;
    }
    sleep_time(r, p, elapsed_ms);
}

/* state_move() has something to count of it, whether or not it moves. */
static bool is_uncounted(const struct node *n)
{
    return n->failed || n->step == STEP_OUT;
}

static void take_due(struct run *r, const struct plan *p, struct turn *t)
{
    uint32_t i = 0;

    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        const struct node *n = run_node(r, id);
        uint32_t before = r->n_begun;

        if (node_is_due(n) || is_uncounted(n)) {
            struct move m = node_due(state_node(r, id), p);

            if (m.moved) /* a limit is over */
                look_tell_last(r, p, id, m.from, m.text);
            state_move(r, p, id, &m, t);
        }
        i += r->n_begun == before ? 1 : 0; /* a node that is done gives its place to the last */
    }
}

static void take_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct move m;

    switch (in->kind) {
    case IN_TIME:
        break;
    case IN_ANSWER:
        lease_lost(r, p, in, t);
        look_at_claim(r, p, in, t);
        m = node_answer(state_node(r, in->node), p, &in->answer);
        state_move(r, p, in->node, &m, t);
        break;
    case IN_LB:
        look_input(r, p, in, t);
        break;
    case IN_LOOK:
        look_single_input(r, p, in, t);
        break;
    case IN_LEASE:
        lease_answer(r, p, in, t);
        break;
    case IN_RENEW:
        renewed(r, p, in, t);
        break;
    case IN_WISH:
        wish_input(r, p, in, t);
        break;
    case IN_HOLD:
        drift_held(r, p, in, t);
        break;
    case IN_LOCK:
        lock_answer(r, p, in, t);
        break;
    case IN_STANDS:
        stands_answer(r, p, in, t);
        break;
    case IN_END:
        end_answer(r, p, in, t);
        break;
    case IN_SAID:
        end_said(r, p, in, t);
        break;
    case IN_STOP:
        run_stop(r, p, RUN_STOP_PERSON, in->answer.text, t);
        break;
    }
}

/* After a stop a node that has no job yet goes back: after a failure, so that one bad release is on one node; where
 * another rollout took over, because we have no right any more. But a repair mends what it can, and a pause lets those
 * finish that are in motion. */
static bool turns_round(const struct run *r, const struct plan *p)
{
    return r->stop != RUN_GOES && r->stop != RUN_STOP_PAUSE && !(r->stop == RUN_STOP_FAILURE && p->kind == PLAN_REPAIR);
}

static void turn_round(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct node *n = run_node(r, i);
        struct move m;

        if (r->reversing && n->reverse)
            continue; /* the stop was the first half's */
        if ((!node_in_motion(n) || n->stopping) && !is_uncounted(n))
            continue;
        m = node_stop(state_node(r, i), p);
        state_move(r, p, (uint16_t)i, &m, t);
    }
}

void run_turn(struct run *r, const struct plan *p, uint32_t elapsed_ms, const struct input *inputs, size_t n_inputs,
              struct turn *t)
{
    r->turn++;
    /* The time that the answers took is old before they are: a list is as old as its reading took, and a step that an
     * answer begins has its whole limit. But what is due comes after the answers: none loses against a limit. */
    pass_time(r, p, elapsed_ms);
    for (size_t i = 0; i < n_inputs; i++)
        take_input(r, p, &inputs[i], t);
    take_due(r, p, t);
    if (turns_round(r, p))
        turn_round(r, p, t);
    grace_drive(r, p, t);
    lease_drive(r, p, t); /* the last lease may begin the rolling, */
    hold_drive(r, p, t);
    begin_nodes(r, p, t); /* the last node may end it */
    lease_drive(r, p, t);
    end_drive(r, p, t);
    renew_claims(r, p, t);
    wish_drive(r, p, t);
    stands_drive(r, p, t);
    look_drive(r, p, t);
    sleep_hold_back(r, p, t);
}

void run_stop(struct run *r, const struct plan *p, enum run_stop why, const char *text, struct turn *t)
{
    bool first = r->stop == RUN_GOES || r->reversing || (r->stop == RUN_STOP_PAUSE && why != RUN_STOP_PAUSE) ||
                 (why == RUN_STOP_STORE && r->stop != RUN_STOP_STORE) ||
                 (why == RUN_STOP_HELD && r->stop == RUN_STOP_DRIFT); /* which that explains */

    if (r->phase == RUN_OVER || (!first && why != RUN_STOP_PERSON))
        return;
    if (why == RUN_STOP_PERSON)
        grace_begin(r);
    if (first) {
        r->stop = (uint8_t)why;
        r->reversing = false; /* the second half has an end as well */
        (void)turn_event(t, p, EVENT_STOPPING, text);
        if (r->phase == RUN_LEASING)
            lease_give_back(r, p);
    }
    if (why == RUN_STOP_PERSON || why == RUN_STOP_STORE)
        turn_round(r, p, t); /* the others come out of a turn, which does it at its end */
}

/* Begins something new on a node; what brings it back does not. */
static bool begins(const struct run *r, const struct action *a)
{
    if (a->kind == ACT_ASK && run_node(r, a->node)->step == STEP_BEFORE)
        return true;
    if (a->kind == ACT_ASK && run_node(r, a->node)->step == STEP_RECLAIM)
        return false;
    return a->kind == ACT_ASK && (a->ask == ASK_CLAIM || a->ask == ASK_STAGE || a->ask == ASK_DRAIN ||
                                  a->ask == ASK_DOWN || a->ask == ASK_JOB);
}

void run_withhold(struct run *r, const struct plan *p, struct turn *t)
{
    size_t i = 0, n = t->n_actions;

    while (i < n) {
        struct action a = t->actions[i];
        struct move m;

        if (!begins(r, &a)) {
            i++;
            continue;
        }
        n--;
        t->n_actions--;
        memmove(&t->actions[i], &t->actions[i + 1], (t->n_actions - i) * sizeof *t->actions);
        m = node_withhold(state_node(r, a.node), p);
        state_move(r, p, a.node, &m, t);
    }
}

bool run_over(const struct run *r)
{
    return r->phase == RUN_OVER;
}

uint32_t run_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = 60000, w;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        w = node_wait_ms(run_node(r, run_begun(r)[i]));
        wait = w < wait ? w : wait;
        w = claim_due_ms(r, p, run_begun(r)[i]);
        wait = w < wait ? w : wait;
    }
    w = wish_wait_ms(r, p);
    wait = w < wait ? w : wait;
    w = grace_wait_ms(r);
    wait = w < wait ? w : wait;
    w = lease_wait_ms(r, p);
    wait = w < wait ? w : wait;
    w = stands_wait_ms(r, p);
    wait = w < wait ? w : wait;
    w = end_wait_ms(r);
    wait = w < wait ? w : wait;
    w = look_wait_ms(r, p);
    return w < wait ? w : wait;
}

int run_exit_code(const struct run *r, int signal)
{
    bool failed = false, done = true, left = false;

    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct node *n = run_node(r, i);

        if (n->step != STEP_WAIT && n->step != STEP_DONE)
            return 3; /* out, or left in mid-motion: state unknown */
        if (n->step == STEP_WAIT && n->out_mask != 0 && r->stop != RUN_STOP_HELD)
            return 3; /* a repair that never came to it; what another rollout holds is that one's to answer for */
        failed = failed || n->outcome == OUTCOME_FAILED;
        left = left || n->outcome == OUTCOME_LEFT;
        done = done && n->step == STEP_DONE && n->outcome != OUTCOME_STOPPED && n->outcome != OUTCOME_LEFT &&
               !stands_in_doubt(r, i);
    }
    if (reverse_is_complete(r))
        return 8;
    if (done && r->end_failed && (r->stop != RUN_STOP_PAUSE || r->pause_wished))
        return 1; /* no node's failure; the one thing that a hook of the end can change */
    if (r->stop == RUN_STOP_STORE && r->n_begun == 0 && r->n_done == 0)
        return 78; /* there was no journal to begin with */
    if (failed || (r->reversed && !left) || r->stop == RUN_STOP_STORE)
        return 1;
    if (left)
        return 6; /* another run has it, whatever we stopped for */
    if (done && r->n_nodes > 0 && (r->stop != RUN_STOP_PAUSE || r->pause_wished))
        return 0; /* a stop that came too late stopped nothing; a gate that is left to a person is not passed */
    switch ((enum run_stop)r->stop) {
    case RUN_STOP_FAILURE: /* nobody ended as failed, say where a way back took a detour, and not all have begun */
        return 1;
    case RUN_STOP_HELD:
        return 6;
    case RUN_STOP_DRIFT:
    case RUN_STOP_UNSURE:
        return 1;
    case RUN_STOP_PAUSE:
        return 7;
    case RUN_STOP_REFUSED:
        return 5;
    case RUN_STOP_UNREACHABLE:
        return 4;
    case RUN_STOP_PERSON:
        return 128 + (signal != 0 ? signal : SIGINT); /* without one: `rollout abort` */
    default:
        return 0;
    }
}
