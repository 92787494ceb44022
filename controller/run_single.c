/* run_single.c - servers looked at one by one, where the load balancer shows one alone (our module): nothing else is
 * read for it, and while a node drains the load balancer holds the answer until it is quiet (Prefer: wait).
 *
 * At most SINGLE_HELD_MAX answers are held by one load balancer, SINGLE_ALL_MAX by all; who comes later waits for the
 * shared list. An answer that comes after its node has moved on is dropped: it is told by the number of the turn in
 * which it was asked for. */
#include <string.h>

#include "run_state.h"

#define SINGLE_HELD_MAX 128
#define SINGLE_ALL_MAX  256 /* by all of them: half of the calls that may be on the wire at once */
/* Then it is asked anew: people are told what is waited for, and no wait outlives its node for long. */
#define SINGLE_HOLD_S 1

bool single_may(const struct run *r, const struct plan *p, uint32_t peer)
{
    const struct run_lb *lb = run_lb(r, plan_peer_lb(p, peer));

    return lb->one_by_one && lb->exact;
}

static bool holds(const struct node *n)
{
    return n->step == STEP_QUIET && n->streak == 0;
}

bool single_holds(const struct run *r, uint32_t node)
{
    return holds(run_node(r, node));
}

/* How many more. */
static uint32_t may_hold(const struct run *r, const struct plan *p, uint32_t peer)
{
    uint32_t here = run_lb(r, plan_peer_lb(p, peer))->n_held;
    uint32_t more = here < SINGLE_HELD_MAX ? SINGLE_HELD_MAX - here : 0;
    uint32_t all = r->n_held < SINGLE_ALL_MAX ? SINGLE_ALL_MAX - r->n_held : 0;

    return more < all ? more : all;
}

static uint64_t mask_now(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct plan_node *pn = &p->nodes[id];
    bool hold = holds(run_node(r, id));
    uint64_t mask = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint32_t peer = pn->first_peer + i;

        if (single_may(r, p, peer) && !(hold && may_hold(r, p, peer) <= n)) {
            mask |= UINT64_C(1) << i;
            n++;
        }
    }
    return mask;
}

/* What is to be confirmed is asked at once; what was not so, after the step's pause. */
static uint32_t due_ms(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct node *n = run_node(r, id);
    const struct run_extra *x = run_extra(r, id);
    uint32_t every;

    if (!x->looks || x->look_asked != 0 || x->look_seen != 0 || n->step == STEP_LOOK || look_first(n, false))
        return UINT32_MAX;
    every = look_pause_ms(r, p, id);
    return n->streak > 0 || x->look_ms >= every ? 0 : every - x->look_ms;
}

/* Each with an answer of its own: what one shows is known while another is held. */
static void ask(struct run *r, const struct plan *p, uint16_t id, uint32_t i, struct turn *t)
{
    struct action *a = turn_action(t, ACT_LOOK);

    a->node = id;
    a->mask = UINT64_C(1) << i;
    a->look = run_extra(r, id)->look_turn;
    a->hold_s = holds(run_node(r, id)) ? SINGLE_HOLD_S : 0;
    if (a->hold_s > 0) {
        state_lb(r, plan_peer_lb(p, p->nodes[id].first_peer + i))->n_held++;
        r->n_held++;
    }
}

void single_drive(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t k = 0; k < r->n_begun; k++) {
        uint16_t id = run_begun(r)[k];
        uint64_t mask = due_ms(r, p, id) == 0 ? mask_now(r, p, id) : 0;

        if (mask == 0)
            continue;
        state_extra(r, id)->look_asked = mask;
        state_extra(r, id)->look_ms = 0;
        for (uint32_t i = 0; i < p->nodes[id].n_peers; i++)
            if (mask >> i & 1)
                ask(r, p, id, i, t);
    }
}

uint32_t single_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = UINT32_MAX, due;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = run_begun(r)[i];

        due = due_ms(r, p, id);
        if (due < wait && mask_now(r, p, id) != 0)
            wait = due;
    }
    return wait;
}

/* Into what the list showed, its sum too: newer than the list, or as old as its asking took. */
static void take_peer(struct run *r, const struct plan *p, uint32_t peer, const struct seen_peer *now)
{
    struct seen_peer *then = state_peer(r, peer);

    look_recount(state_upstream(r, p->peers[peer].upstream), then, now);
    then->state = now->state;
    then->backup = now->backup;
    then->active = now->active;
}

static void take_answer(struct run *r, const struct plan *p, const struct input *in, uint32_t i)
{
    uint32_t peer = p->nodes[in->node].first_peer + i;
    const struct seen_peer *seen = &in->looked[i];
    struct run_lb *lb = state_lb(r, plan_peer_lb(p, peer));

    if (seen->state == PEER_UNKNOWN) {
        lb->one_by_one = false; /* it does not after all: the list */
    } else if (!seen->exact) {
        lb->exact = false;
    } else {
        take_peer(r, p, peer, seen);
        state_extra(r, in->node)->look_seen |= UINT64_C(1) << i;
    }
}

/* Not quiet yet, and people know: it goes on being waited for, without a pause. */
static bool goes_on(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct plan_node *pn = &p->nodes[id];
    const struct node *n = run_node(r, id);
    uint32_t active = 0;

    for (uint32_t i = 0; i < pn->n_peers; i++)
        active += run_peer(r, pn->first_peer + i)->active;
    return n->noted && holds(n) && active > 0;
}

void look_single_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);
    uint32_t i = (uint32_t)__builtin_ctzll(in->mask);

    if (in->hold_s > 0) {
        state_lb(r, plan_peer_lb(p, p->nodes[in->node].first_peer + i))->n_held--;
        r->n_held--;
    }
    if (!x->looks || x->look_turn != in->look || (x->look_asked & in->mask) == 0)
        return; /* its node has moved on */
    x->look_asked &= ~in->mask;
    if (in->answer.kind == ANS_OK)
        take_answer(r, p, in, i);
    if (in->answer.kind == ANS_OK)
        drift_look(r, p, in->node);
    if (in->answer.kind != ANS_OK)
        look_answer_ready(r, p, in, t);
    else if (x->look_asked == 0 && goes_on(r, p, in->node))
        x->look_seen = 0;
    else if (x->look_asked == 0)
        look_answer_ready(r, p, NULL, t);
}
