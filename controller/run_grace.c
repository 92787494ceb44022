/* run_grace.c - a person's stop does not wait for ever: what cannot be turned round, because its job was sent, has so
 * long to be finished, then it is left as it is and named. */
#include <stdio.h>

#include "run_state.h"

#define GRACE_MS 5000

void grace_begin(struct run *r)
{
    if (r->grace_left_ms == UINT32_MAX)
        r->grace_left_ms = GRACE_MS;
}

void grace_time(struct run *r, uint32_t elapsed_ms)
{
    if (r->grace_left_ms != UINT32_MAX)
        r->grace_left_ms = r->grace_left_ms > elapsed_ms ? r->grace_left_ms - elapsed_ms : 0;
}

/* Nobody waits for it any more. */
static void cut_hook(struct run *r, uint16_t node, struct turn *t)
{
    const struct node *n = run_node(r, node);

    if (n->asked && step_row((enum step)n->step)->ask == ASK_HOOK && !n->cut)
        turn_action(t, ACT_CUT)->node = node;
}

/* What this very turn would still have asked of a node that it gives up is not sent: the journal has it as out. */
static void withdraw(struct run *r, uint16_t node, struct turn *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n_actions; i++) {
        const struct action *a = &t->actions[i];

        if (a->kind == ACT_ASK && a->node == node)
            state_node(r, node)->asked = false;
        else
            t->actions[kept++] = *a;
    }
    t->n_actions = kept;
}

void grace_drive(struct run *r, const struct plan *p, struct turn *t)
{
    if (r->grace_left_ms != 0)
        return;
    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = run_begun(r)[i];
        struct move m;

        cut_hook(r, id, t);
        m = node_grace_over(state_node(r, id), p);
        if (m.moved) {
            (void)snprintf(m.text, sizeof m.text, "not finished within %d s after the stop", GRACE_MS / 1000);
            withdraw(r, id, t);
        }
        state_move(r, p, id, &m, t); /* one that is out keeps its place among the begun */
    }
}

uint32_t grace_wait_ms(const struct run *r)
{
    return r->grace_left_ms == 0 ? UINT32_MAX : r->grace_left_ms;
}
