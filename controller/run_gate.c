/* run_gate.c - nodes that bake, watched by what the load balancers count of them (gate.h has the rule). */
#include <stdio.h>

#include "gate.h"
#include "run_state.h"

/* A node that was put back as it was has nothing new to be judged by. */
static bool gated(const struct plan *p, const struct node *n)
{
    return n->step == STEP_BAKE && plan_gates(p) && n->gate != GATE_NONE;
}

void gate_begin(struct run *r, const struct plan *p, uint16_t node)
{
    const struct plan_node *pn = &p->nodes[node];
    struct node *n = state_node(r, node);

    n->gate = plan_gates(p) && !n->failed && n->job != ASK_NONE ? GATE_THIN : GATE_NONE;
    for (uint32_t i = pn->first_peer; i < pn->first_peer + pn->n_peers; i++)
        *state_watch(r, i) = (struct run_watch){.own = run_peer(r, i)->own, .others = run_peer(r, i)->others};
}

static enum gate judge_now(const struct run *r, const struct plan *p, uint16_t node, char text[ANSWER_TEXT_MAX])
{
    const struct plan_node *pn = &p->nodes[node];
    struct served own = {0}, others = {0};

    for (uint32_t i = pn->first_peer; i < pn->first_peer + pn->n_peers; i++) {
        struct served mine = served_since(&run_peer(r, i)->own, &run_watch(r, i)->own);
        struct served theirs = served_since(&run_peer(r, i)->others, &run_watch(r, i)->others);

        served_add(&own, &mine);
        served_add(&others, &theirs);
    }
    return gate_judge(&p->gate, &own, &others, text, ANSWER_TEXT_MAX);
}

void gate_input(struct run *r, const struct plan *p, uint16_t lb, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];
    uint32_t i = 0;

    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        uint32_t before = r->n_begun;

        if (gated(p, run_node(r, id)) && node_at_lb(p, id, lb)) {
            struct move m = node_gate(state_node(r, id), p, judge_now(r, p, id, text));

            state_move(r, p, id, &m, t);
        }
        i += r->n_begun == before ? 1 : 0;
    }
}

bool gate_watches(const struct run *r, const struct plan *p, uint32_t lb)
{
    for (uint32_t i = 0; i < r->n_begun && plan_gates(p); i++)
        if (gated(p, run_node(r, run_begun(r)[i])) && node_at_lb(p, run_begun(r)[i], lb))
            return true;
    return false;
}

void gate_tell(const struct run *r, const struct plan *p, uint16_t node, char text[ANSWER_TEXT_MAX])
{
    const struct node *n = run_node(r, node);

    if (n->gate != GATE_NONE && n->why != WHY_BAKE)
        (void)judge_now(r, p, node, text);
}

void gate_end(struct run *r, const struct plan *p, const struct node *n, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    if (n->gate != GATE_THIN || !p->gate.pause || n->outcome == OUTCOME_FAILED || r->reversing)
        return; /* reversing: it is taken back whatever the verdict */
    (void)snprintf(text, sizeof text, "paused: %s: %s", p->nodes[n->id].name, gate_phrase(GATE_THIN));
    run_stop(r, p, RUN_STOP_PAUSE, text, t);
}
