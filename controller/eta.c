#include "eta.h"

#include "wall.h"

/* What is left of the good path from `step` on, by the mean of those that have left each step. False: a step on it was
 * not seen yet; one that is passed over by this rollout (a step in place) takes no time. */
static bool rest_of_path(const struct view *v, enum step step, uint64_t *ms)
{
    *ms = 0;
    for (uint32_t i = 0; i < STEP_COUNT && step != STEP_DONE && step != STEP_OUT; i++) {
        if (v->step_n[step] > 0)
            *ms += v->step_ms[step] / v->step_n[step];
        step = step_row(step)->on_good;
    }
    return v->step_n[STEP_UNCLAIM] > 0;
}

static uint64_t rest_of_node(const struct view *v, uint32_t i, int64_t now_ms)
{
    const struct view_node *n = &v->nodes[i];
    enum step step = (enum step)n->state.step;
    uint64_t mean = v->step_n[step] > 0 ? v->step_ms[step] / v->step_n[step] : 0, rest;
    uint64_t spent = wall_passed_ms(n->step_ms, now_ms);

    (void)rest_of_path(v, step, &rest);
    return rest - (spent < mean ? spent : mean);
}

bool eta_ms(const struct view *v, int64_t now_ms, uint64_t *ms)
{
    struct view_counts c = view_count(v);
    uint64_t whole, longest = 0, rounds;
    uint32_t wide = c.moving > 0 ? c.moving : 1, to_come = 0;

    if (v->stopping[0] != '\0' || v->held[0] != '\0' || !rest_of_path(v, STEP_CHECK, &whole))
        return false;
    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct node *n = &v->nodes[i].state;

        to_come += n->step == STEP_WAIT && !v->plan->nodes[i].at_target ? 1 : 0;
        if (n->step != STEP_WAIT && n->step != STEP_DONE && n->step != STEP_OUT) {
            uint64_t rest = rest_of_node(v, i, now_ms);

            longest = rest > longest ? rest : longest;
        }
    }
    rounds = (to_come + wide - 1) / wide;
    *ms = rounds * whole + longest;
    return true;
}
