/* run_budget.c - how many nodes may fail over the whole rollout. The one place that ends a rollout for a failure. */
#include <stdio.h>

#include "run_state.h"

/* Too few that are up is nothing about this node: whoever comes next would wait for the floor in vain as well. */
static bool is_spent(const struct run *r, const struct plan *p, const struct node *n)
{
    return r->n_failed > p->max_failures || n->why == WHY_FLOOR;
}

/* On the way back every node counts, so one that cannot go stops no other, but for the floor. */
static bool ends_reverse(const struct node *n)
{
    return n->reverse && n->why == WHY_FLOOR;
}

void budget_take(struct run *r, const struct plan *p, const struct node *n, struct turn *t)
{
    bool back = p->rolls_back && r->stop == RUN_GOES;
    char text[ANSWER_TEXT_MAX], more[64] = "";

    r->n_failed++;
    if (!is_spent(r, p, n) || (r->reversing && !ends_reverse(n)))
        return;
    if (r->n_failed > 1)
        (void)snprintf(more, sizeof more, "; %u nodes have failed", r->n_failed);
    (void)snprintf(text, sizeof text, "%s %s: %s%s%s", p->nodes[n->id].name,
                   n->step == STEP_OUT ? "is out of rotation" : "failed", why_phrase((enum why)n->why), more,
                   back ? "; the nodes that this rollout changed are taken back" : "");
    if (back)
        reverse_begin(r, p, text, t);
    else
        run_stop(r, p, RUN_STOP_FAILURE, text, t);
}
