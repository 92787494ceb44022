/* run_sleep.c - a controller that stood still for longer than its leases last: somebody may have taken it for dead.
 * What a load balancer is to change by a decision of such a turn does not leave in it. It is asked for again a moment
 * later, when leases and claims, which are put again at once, have told whether it is still ours; for a load balancer
 * that has lost its fences would take it from anybody. */
#include <string.h>

#include "run_state.h"

static bool changes_lb(const struct action *a)
{
    return a->kind == ACT_HOLD ||
           (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK));
}

void sleep_hold_back(struct run *r, const struct plan *p, uint32_t elapsed_ms, struct turn *t)
{
    static const struct answer late = {.kind = ANS_TIMEOUT, .text = "we stood still for longer than our leases last"};
    size_t i = 0;

    while (elapsed_ms >= p->lease_ttl_ms && i < t->n_actions) {
        struct action a = t->actions[i];

        if (!changes_lb(&a)) {
            i++;
            continue;
        }
        memmove(&t->actions[i], &t->actions[i + 1], (--t->n_actions - i) * sizeof *t->actions);
        if (a.kind == ACT_HOLD) {
            state_extra(r, a.node)->holding = false;
        } else {
            struct move m = node_answer(state_node(r, a.node), p, &late);

            state_move(r, p, a.node, &m, t);
        }
    }
}
