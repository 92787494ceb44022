/* run_single.c - servers looked at one by one, where the load balancer shows one alone (our module): nothing else is
 * read for it, and while a node drains the load balancer holds the answer until it is quiet (Prefer: wait).
 *
 * At most SINGLE_HELD_MAX answers are held by one load balancer; who comes later waits for the shared list. An answer
 * that comes after its node has moved on is dropped: it is told by the number of the turn in which it was asked for. */
#include <string.h>

#include "run_state.h"

#define SINGLE_HELD_MAX 128
#define SINGLE_HOLD_S                                                                                                  \
    1 /* then it is asked anew: people are told what is waited for, and no wait outlives its node long */

bool single_may(const struct run *r, const struct plan *p, uint32_t peer)
{
    const struct run_lb *lb = run_lb(r, plan_peer_lb(p, peer));

    return lb->one_by_one && lb->exact;
}

static bool holds(const struct node *n)
{
    return n->step == STEP_QUIET && n->streak == 0;
}

static uint64_t mask_now(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct plan_node *pn = &p->nodes[id];
    bool hold = holds(run_node(r, id));
    uint64_t mask = 0;

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint32_t peer = pn->first_peer + i;

        if (single_may(r, p, peer) && !(hold && run_lb(r, plan_peer_lb(p, peer))->n_held >= SINGLE_HELD_MAX))
            mask |= UINT64_C(1) << i;
    }
    return mask;
}

/* What is to be confirmed is asked at once; what was not so, after the step's pause. */
static uint32_t due_ms(const struct run *r, const struct plan *p, uint16_t id)
{
    const struct node *n = run_node(r, id);
    const struct run_extra *x = run_extra(r, id);
    uint32_t every = look_pause_ms(r, p, id);

    if (!x->looks || x->look_asked != 0 || x->look_seen != 0 || n->step == STEP_LOOK)
        return UINT32_MAX;
    return n->streak > 0 || x->look_ms >= every ? 0 : every - x->look_ms;
}

static void count_held(struct run *r, const struct plan *p, uint16_t id, uint64_t mask, bool more)
{
    const struct plan_node *pn = &p->nodes[id];

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (mask >> i & 1)
            state_lb(r, plan_peer_lb(p, pn->first_peer + i))->n_held += more ? 1u : UINT32_MAX;
}

void single_drive(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = run_begun(r)[i];
        struct run_extra *x = state_extra(r, id);
        uint64_t mask = due_ms(r, p, id) == 0 ? mask_now(r, p, id) : 0;
        struct action *a;

        if (mask == 0)
            continue;
        a = turn_action(t, ACT_LOOK);
        a->node = id;
        a->mask = x->look_asked = mask;
        a->look = x->look_turn;
        a->hold_s = holds(run_node(r, id)) ? SINGLE_HOLD_S : 0;
        x->look_ms = 0;
        if (a->hold_s > 0)
            count_held(r, p, id, mask, true);
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

static bool counts(const struct seen_peer *seen)
{
    return seen->state == PEER_UP && !seen->backup;
}

/* Into what the list showed, its sum too: newer than the list, or as old as its asking took. */
static void take_peer(struct run *r, const struct plan *p, uint32_t peer, const struct seen_peer *now)
{
    struct seen_peer *then = state_peer(r, peer);
    struct seen_upstream *u = state_upstream(r, p->peers[peer].upstream);

    if (u->there && counts(now) != counts(then))
        u->up += counts(now) ? 1u : UINT32_MAX;
    then->state = now->state;
    then->backup = now->backup;
    then->active = now->active;
}

static void take_peers(struct run *r, const struct plan *p, const struct input *in)
{
    const struct plan_node *pn = &p->nodes[in->node];
    struct run_extra *x = state_extra(r, in->node);

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        const struct seen_peer *seen = &in->looked[i];
        struct run_lb *lb = state_lb(r, plan_peer_lb(p, pn->first_peer + i));

        if ((in->mask >> i & 1) == 0)
            continue;
        if (seen->state == PEER_UNKNOWN) {
            lb->one_by_one = false; /* it does not after all: the list */
        } else if (!seen->exact) {
            lb->exact = false;
        } else {
            take_peer(r, p, pn->first_peer + i, seen);
            x->look_seen |= UINT64_C(1) << i;
        }
    }
}

/* Not quiet yet, and people know: it goes on being waited for, without a pause. */
static bool goes_on(const struct run *r, const struct plan *p, const struct input *in)
{
    const struct plan_node *pn = &p->nodes[in->node];
    const struct node *n = run_node(r, in->node);
    uint32_t active = 0;

    for (uint32_t i = 0; i < pn->n_peers; i++)
        active += (in->mask >> i & 1) != 0 ? in->looked[i].active : 0;
    return in->hold_s > 0 && n->noted && holds(n) && active > 0;
}

void look_single_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);

    if (in->hold_s > 0)
        count_held(r, p, in->node, in->mask, false);
    if (!x->looks || x->look_turn != in->look || x->look_asked != in->mask)
        return; /* its node has moved on */
    x->look_asked = 0;
    if (in->answer.kind == ANS_OK)
        take_peers(r, p, in);
    if (in->answer.kind == ANS_OK)
        drift_look(r, p, in->node);
    if (in->answer.kind == ANS_OK && goes_on(r, p, in))
        x->look_seen = 0;
    else
        look_answer_ready(r, p, in->answer.kind == ANS_OK ? NULL : in, t);
}
