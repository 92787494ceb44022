/* run_wish.c - what people want of this rollout, from wherever they are: it lies with the agents. One agent a second is
 * asked, in turn, and each says so when it renews a claim; who wished is told through the same agent that it was heard.
 */
#include "run_state.h"

#define WISHING_MAX 4 /* agents that do not answer do not keep the others from being asked */

void run_began_before(struct run *r, uint32_t ms)
{
    r->age_ms = ms;
}

void wish_time(struct run *r, uint32_t elapsed_ms)
{
    r->age_ms = ms_later(r->age_ms, elapsed_ms);
    r->wish_due_ms = r->wish_due_ms > elapsed_ms ? r->wish_due_ms - elapsed_ms : 0;
}

static void mark(struct run *r, uint16_t node, struct turn *t)
{
    struct run_extra *x = state_extra(r, node);
    struct action *a;

    if (x->wishing || x->marking)
        return; /* the next time that it says so */
    a = turn_action(t, ACT_WISH);
    a->node = node;
    a->expect = r->wish_id;
    a->effect = r->wish_effect;
    x->marking = true;
    r->n_marking++;
}

/* One that was there before this run was meant for the run before. */
void wish_heard(struct run *r, const struct plan *p, uint16_t node, const struct answer *a, uint32_t age_ms,
                struct turn *t)
{
    if (a->kind != ANS_OK || a->wish == WISH_NONE || a->wish_taken || a->wish_age_ms > age_ms || r->phase >= RUN_ENDING)
        return;
    if (a->wish_id != r->wish_id) {
        r->wish_id = a->wish_id;
        r->wish_effect = run_wish(r, p, (enum wish)a->wish, a->text, t);
    }
    mark(r, node, t);
}

void wish_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);

    r->n_wishing -= x->wishing ? 1 : 0;
    r->n_marking -= x->marking ? 1 : 0;
    x->wishing = x->marking = false;
    wish_heard(r, p, in->node, &in->answer, x->wish_ms, t);
}

static bool asks(const struct run *r, const struct plan *p)
{
    bool may = r->phase == RUN_LEASING || r->phase == RUN_ROLLING;

    return may && r->stop != RUN_STOP_PERSON && p->wait_ms[WAIT_WISH] > 0 && r->n_wishing < WISHING_MAX &&
           r->n_wishing + r->n_marking < r->n_nodes;
}

void wish_drive(struct run *r, const struct plan *p, struct turn *t)
{
    uint16_t node;

    if (r->wish_due_ms > 0 || !asks(r, p))
        return;
    do {
        node = (uint16_t)r->wish_next;
        r->wish_next = (r->wish_next + 1) % r->n_nodes;
    } while (run_extra(r, node)->wishing || run_extra(r, node)->marking);
    turn_action(t, ACT_WISH)->node = node;
    state_extra(r, node)->wishing = true;
    state_extra(r, node)->wish_ms = r->age_ms;
    r->n_wishing++;
    r->wish_due_ms = p->wait_ms[WAIT_WISH];
}

uint32_t wish_wait_ms(const struct run *r, const struct plan *p)
{
    if (r->phase == RUN_RELEASING && r->n_marking > 0 && r->lease_left_ms > 0)
        return r->lease_left_ms;
    return asks(r, p) ? r->wish_due_ms : UINT32_MAX;
}
