/* run_sleep.c - a controller that stood still until its claims or leases had run out: somebody may have taken it for
 * dead, and ended what it began. So it changes nothing about a node at a load balancer before the node's agent has
 * taken its claim once more: one that has lost its fences would take a change from anybody. What a turn yields
 * meanwhile is asked for again a moment later; where the claim is another's by now, it is answered as that one's load
 * balancers would. Of what was done by then: run_stands.c. */
#include <string.h>

#include "run_state.h"

static bool changes_lb(const struct action *a)
{
    return a->kind == ACT_HOLD ||
           (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK));
}

/* What passed unseen is no bake: it goes on until its health is asked for once more, by which it is told from what
 * another may have put there. */
static void bake_on(struct node *n, const struct plan *p)
{
    uint32_t look_ms = p->wait_ms[WAIT_PROBE] + 1;

    if (n->step == STEP_BAKE && n->left_ms < look_ms)
        n->left_ms = look_ms;
}

void sleep_time(struct run *r, const struct plan *p, uint32_t elapsed_ms)
{
    bool slept = elapsed_ms >= p->lease_ttl_ms;

    if (r->phase > RUN_ROLLING || elapsed_ms == 0)
        return; /* what there is to wait for has no such limit, and all that was done has been told */
    if (slept || (r->phase == RUN_ROLLING && lease_ran_out(r, p, elapsed_ms)))
        stands_slept(r, p);
    for (uint32_t i = 0; i < r->n_begun; i++) {
        struct run_extra *x = state_extra(r, state_begun(r)[i]);

        if (!slept && (x->claim_ms < p->lease_ttl_ms || x->claim_ms - p->lease_ttl_ms >= elapsed_ms))
            continue; /* it has not run out, or had before */
        x->unsure = r->slept = true;
        bake_on(state_node(r, state_begun(r)[i]), p);
    }
}

void sleep_claimed(struct run *r, const struct plan *p, uint16_t node)
{
    struct run_extra *x = state_extra(r, node);

    if (x->claim_ms < p->lease_ttl_ms) /* it was asked for behind that */
        x->unsure = false;
}

/* What the node is told instead. */
static void answer_held_back(struct run *r, const struct plan *p, uint16_t node, struct turn *t)
{
    struct answer instead = {.kind = r->stop == RUN_STOP_HELD ? ANS_FENCED : ANS_TIMEOUT,
                             .text = "we stood still for longer than our claims last, and put this one again first"};
    struct move m = node_answer(state_node(r, node), p, &instead);

    state_move(r, p, node, &m, t);
}

void sleep_hold_back(struct run *r, const struct plan *p, struct turn *t)
{
    size_t i = 0;

    while (i < t->n_actions) {
        struct action a;

        if (!changes_lb(&t->actions[i]) || !run_extra(r, t->actions[i].node)->unsure) {
            i++;
            continue;
        }
        a = t->actions[i];
        memmove(&t->actions[i], &t->actions[i + 1], (--t->n_actions - i) * sizeof *t->actions);
        if (a.kind == ACT_HOLD)
            drift_hold_over(r, p, a.node, t);
        else
            answer_held_back(r, p, a.node, t);
    }
}
