/* run_reverse.c - the second half of a rollout whose failures are too many: the nodes that it changed go the same way
 * once more, back to what ran before, the last one first; at the same pace, above the same floor. */
#include "pace.h"
#include "run_state.h"

void reverse_begin(struct run *r, const struct plan *p, const char *text, struct turn *t)
{
    run_stop(r, p, RUN_STOP_FAILURE, text, t);
    r->reversing = r->reversed = true;
    r->back_next = r->n_nodes;
}

/* Those that have had their job end the first half; only then it is known who has to go back. A bake is cut short: what
 * is watched there will not stay. */
static bool first_half_is_over(struct run *r)
{
    bool over = true;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        struct node *n = state_node(r, run_begun(r)[i]);

        if (n->reverse || !node_in_motion(n))
            continue;
        over = false;
        if (n->step == STEP_BAKE)
            n->left_ms = 0;
    }
    return over;
}

/* What an earlier run brought goes back as well, also where this one had not come to it. */
static void take_up_brought(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = r->next; i < r->n_nodes; i++) {
        struct move m;

        if (!p->nodes[i].brought || state_node(r, i)->step != STEP_WAIT)
            continue;
        m = node_begin(state_node(r, i), p);
        state_begun(r)[r->n_begun++] = (uint16_t)i;
        state_move(r, p, (uint16_t)i, &m, t);
    }
}

uint32_t reverse_drive(struct run *r, const struct plan *p, uint32_t in_motion, struct turn *t)
{
    if (!r->reversing || r->phase != RUN_ROLLING || !first_half_is_over(r))
        return in_motion;
    take_up_brought(r, p, t);
    while (r->back_next > 0 && in_motion < pace_batch(p, r->n_done)) {
        uint16_t id = (uint16_t)(r->back_next - 1);
        struct move m;

        if (node_was_changed(state_node(r, id)) && !pace_zone_is_free(r, p, id))
            break;
        r->back_next--;
        if (!node_was_changed(state_node(r, id)))
            continue;
        m = node_begin_back(state_node(r, id), p);
        state_begun(r)[r->n_begun++] = id;
        state_extra(r, id)->counted = false;
        state_move(r, p, id, &m, t);
        in_motion++;
    }
    return in_motion;
}

bool reverse_is_through(const struct run *r)
{
    return !r->reversing || r->back_next == 0;
}

bool reverse_is_complete(const struct run *r)
{
    if (!r->reversed)
        return false;
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct node *n = run_node(r, i);

        if (node_was_changed(n) || n->outcome == OUTCOME_LEFT || stands_in_doubt(r, i) ||
            (n->reverse && n->outcome != OUTCOME_BACK))
            return false;
        if (n->step == STEP_WAIT && run_extra(r, i)->brought)
            return false; /* it was stopped before it came to that one */
    }
    return true;
}
