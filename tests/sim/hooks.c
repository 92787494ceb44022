/* hooks.c - the user's own commands in a story: how long they take and what they come to, and what must hold of them.
 * What is believed of them is kept here, by seat and node, from what was sent and told alone.
 *
 *   H1  a drain is sent only behind a before-drain that went well
 *   H2  a release that a job of this seat brought goes back only behind an after-handover that went well
 *   H3  where a before-drain went well, after-readd has its turn before the claim is dropped, and none of what was
 * taken out is out any more then H4  the end's hooks run once, know the exit code, and change nothing but a 0 */
#include <assert.h>
#include <string.h>

#include "sim.h"

static struct sim_hooks *book(struct sim_seat *seat)
{
    return &seat->hooks;
}

/* ---- the story's part */

static enum hook_fate fate_of(const struct sim_seat *seat, const struct action *a, enum hook_point point)
{
    const struct story *y = seat->sim->story;
    uint8_t fate = point == HOOK_AT_END ? y->end_fate : y->hook_fate[seat->node_of[a->node]];

    if (seat->sim->calm || (point != HOOK_AT_END && y->hook_fate_at != point))
        return HOOK_FATE_GOOD;
    return (enum hook_fate)fate;
}

static enum hook_point point_of(const struct sim_seat *seat, const struct action *a)
{
    enum step step;

    if (a->kind == ACT_END)
        return HOOK_AT_END;
    step = (enum step)seat->view->nodes[a->node].state.step;
    return step == STEP_BEFORE ? HOOK_BEFORE_DRAIN : step == STEP_AFTER ? HOOK_AFTER_HANDOVER : HOOK_AFTER_READD;
}

/* A hook that is cut ends soon, whatever it was to come to. */
static void cut(struct sim_seat *seat, uint16_t node)
{
    struct sim *s = seat->sim;

    for (uint8_t i = 0; i < SIM_CALLS; i++) {
        struct sim_call *c = &s->calls[i];
        bool hook = c->action.kind == ACT_END || (c->action.kind == ACT_ASK && c->action.ask == ASK_HOOK);

        if (!c->used || c->ready || !hook || c->seat != seat->index || c->action.node != node)
            continue;
        sim_fired(s, SIM_HOOK_CUT);
        c->parts[0].reply = ANS_BAD;
        for (uint32_t k = 0; k < s->n_dues; k++)
            if (s->dues[k].kind == DUE_BACK && s->dues[k].a == i) {
                s->dues[k] = s->dues[--s->n_dues];
                break;
            }
        for (uint32_t k = s->n_dues; k-- > 0;)
            sim_due_sink(s, k);
        sim_due(s, s->truth.now_ms + dice_in(&s->dice, 1, 2000), DUE_BACK, i, 0);
    }
}

static void run(struct sim_seat *seat, uint8_t index, const struct action *a, enum hook_point point)
{
    struct sim *s = seat->sim;
    struct sim_call *c = &s->calls[index];
    enum hook_fate fate = fate_of(seat, a, point);
    uint32_t ms = dice_in(&s->dice, 1, s->story->hook_ms), limit = seat->plan->wait_ms[WAIT_HOOK];

    c->parts[0] = (struct sim_part){.lb = SIM_LBS, .fault = SIM_FAULT_NONE, .reply = ANS_OK};
    if (fate == HOOK_FATE_FAILS) {
        sim_fired(s, SIM_HOOK_FAILS);
        c->parts[0].reply = ANS_REFUSED;
    }
    if (fate == HOOK_FATE_HANGS || ms > limit) {
        sim_fired(s, SIM_HOOK_HANGS);
        c->parts[0].reply = ANS_TIMEOUT;
        ms = limit + dice_below(&s->dice, 2000);
    }
    sim_due(s, s->truth.now_ms + ms, DUE_BACK, index, 0);
}

/* ---- what must hold */

static void began(struct sim_seat *seat, const struct action *a, enum hook_point point)
{
    struct sim *s = seat->sim;
    struct sim_hook_node *n;
    uint8_t node;

    if (point == HOOK_AT_END) {
        if (book(seat)->ends++ > 0)
            judge_breach(&s->judge, "H4", "seat %u runs the hook of its end again", seat->index);
        book(seat)->code = a->code;
        return;
    }
    node = seat->node_of[a->node];
    n = &book(seat)->nodes[node];
    if (n->twice)
        sim_fired(s, SIM_HOOK_TWICE);
    if (point == HOOK_BEFORE_DRAIN)
        n->drains_good = 0;
    if (point == HOOK_AFTER_HANDOVER)
        n->handover_good = false;
    if (point == HOOK_AFTER_READD)
        n->owes = false;
    if (point != HOOK_AFTER_HANDOVER && judge_holds_out(&s->judge, &s->truth, node, &seat->who))
        judge_breach(&s->judge, "H3", "seat %u runs %s of node %u, which is out", seat->index, hook_point_words[point],
                     node);
}

bool hook_send(struct sim_seat *seat, const struct action *a, uint8_t index)
{
    struct sim *s = seat->sim;
    struct sim_call *c = &s->calls[index];
    enum hook_point point;

    if (a->kind == ACT_CUT) {
        cut(seat, a->node);
        return true;
    }
    if (a->kind != ACT_END && (a->kind != ACT_ASK || a->ask != ASK_HOOK))
        return false;
    point = point_of(seat, a);
    sim_note(s, TRACE_HOOK, seat->index, a->kind == ACT_END ? SIM_NOBODY : seat->node_of[a->node], point, a->hook);
    if (a->hook == 0)
        began(seat, a, point);
    *c = (struct sim_call){.used = true,
                           .seat = seat->index,
                           .sent_ms = s->truth.now_ms,
                           .turn_ms = seat->collected_ms,
                           .action = *a,
                           .who = seat->who,
                           .n_parts = 1,
                           .n_open = 1};
    run(seat, index, a, point);
    return true;
}

void hook_told(struct sim_seat *seat, const struct sim_call *c)
{
    bool good = c->told.kind == ANS_OK;
    enum hook_point point;
    struct sim_hook_node *n;

    sim_note(seat->sim, TRACE_TOLD, seat->index, c->action.kind == ACT_END ? 256 * ACT_END : ASK_HOOK,
             c->action.kind == ACT_END ? SIM_NOBODY : seat->node_of[c->action.node], c->told.kind);
    if (c->action.kind == ACT_END) {
        book(seat)->end_failed = book(seat)->end_failed || !good;
        return;
    }
    n = &book(seat)->nodes[seat->node_of[c->action.node]];
    point = point_of(seat, &c->action);
    if (point == HOOK_BEFORE_DRAIN && good) {
        n->drains_good++;
        n->owes = (seat->sim->story->hooks >> HOOK_AFTER_READD & 1) != 0;
    }
    if (point == HOOK_AFTER_HANDOVER)
        n->handover_good = good;
}

void hook_watch(struct sim_seat *seat, const struct action *a)
{
    struct sim *s = seat->sim;
    const struct story *y = s->story;
    struct sim_hook_node *n;
    uint8_t node;
    uint32_t wanted = y->hook_two ? 2 : 1;

    if (a->kind != ACT_ASK || y->hooks == 0 || seat->plan->n_hooks == 0)
        return;
    node = seat->node_of[a->node];
    n = &book(seat)->nodes[node];
    if (a->ask == ASK_DRAIN && (y->hooks >> HOOK_BEFORE_DRAIN & 1) != 0 && n->drains_good < wanted)
        judge_breach(&s->judge, "H1", "seat %u drains node %u, and %u before-drain went well", seat->index, node,
                     n->drains_good);
    if (a->ask == ASK_JOB)
        n->handover_good = false;
    if (a->ask == ASK_BACK && a->mask != 0 && (y->hooks >> HOOK_AFTER_HANDOVER & 1) != 0 && !n->handover_good &&
        judge_back_is_release(&s->judge, seat->index, node))
        judge_breach(&s->judge, "H2", "seat %u puts node %u back, and no after-handover went well", seat->index, node);
    if (a->ask == ASK_UNCLAIM && n->owes && !seat->view->nodes[a->node].state.theirs)
        judge_breach(&s->judge, "H3", "seat %u is done with node %u, and after-readd was not run", seat->index, node);
    if (a->ask == ASK_UNCLAIM)
        n->drains_good = 0; /* what comes is another way of it */
}

void hook_over(struct sim_seat *seat)
{
    struct sim *s = seat->sim;
    bool due = seat->plan != NULL && seat->view != NULL && (s->story->hooks >> HOOK_AT_END & 1) != 0 &&
               seat->act != STORY_REPAIR && seat->signals < 2;
    int code = book(seat)->code == 0 && book(seat)->end_failed ? 1 : book(seat)->code;

    if (due && book(seat)->ends == 0)
        judge_breach(&s->judge, "H4", "seat %u ends and has not run the hook of its end", seat->index);
    if (due && seat->code != code && seat->signals == 0 && seat->process->full_at == 0)
        judge_breach(&s->judge, "H4", "seat %u ends with %d and has told its hook %d", seat->index, seat->code,
                     book(seat)->code);
    if (book(seat)->end_failed)
        sim_fired(s, SIM_HOOK_END_FAILS);
}

/* What a dead seat had begun may be run again. */
void hook_resumed(struct sim_seat *seat)
{
    for (uint32_t i = 0; i < seat->plan->n_nodes; i++)
        book(seat)->nodes[seat->node_of[i]].twice = seat->plan->nodes[i].resumed;
}
