/* run_end.c - the hooks of the rollout's end: no lease is held any more and every node is where it is, so nothing but
 * the exit code 0 can still change. After a person's stop nobody waits for them for long. Also what hooks say, all of
 * them. */
#include <stdio.h>

#include "run_state.h"

#define STOPPED_MS 2000 /* so long has each of them, once the stop has waited long enough for everything else */

void end_begin(struct run *r, const struct plan *p)
{
    r->phase = plan_hooks(p, HOOK_AT_END) > 0 ? RUN_ENDING : RUN_OVER;
}

void end_time(struct run *r, uint32_t elapsed_ms)
{
    if (r->phase == RUN_ENDING)
        r->end_ms = ms_later(r->end_ms, elapsed_ms);
}

void end_answer(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    bool good = in->answer.kind == ANS_OK;

    (void)p;
    r->end_asked = false;
    r->end_hook++;
    r->end_failed = r->end_failed || !good;
    turn_event(t, p, EVENT_HOOKED, in->answer.text)->code = good ? 0 : 1;
}

void end_said(const struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct event *e = turn_event(t, p, EVENT_OUTPUT, in->answer.text);

    e->node = in->node;
    if (in->node == NODE_NONE)
        return;
    e->from = run_node(r, in->node)->step;
    e->state = *run_node(r, in->node);
}

static void begin(struct run *r, const struct plan *p, struct turn *t)
{
    struct action *a = turn_action(t, ACT_END);

    (void)turn_event(t, p, EVENT_HOOK, plan_hook(p, HOOK_AT_END, r->end_hook)->command);
    a->node = NODE_NONE;
    a->hook = r->end_hook;
    a->code = run_exit_code(r, r->signal);
    r->end_asked = true;
    r->end_cut = false;
    r->end_ms = 0;
}

/* For a person's stop. */
static bool is_late(const struct run *r)
{
    return r->grace_left_ms == 0 && r->end_ms >= STOPPED_MS;
}

void end_drive(struct run *r, const struct plan *p, struct turn *t)
{
    if (r->phase != RUN_ENDING)
        return;
    if (!r->end_asked && r->end_hook == plan_hooks(p, HOOK_AT_END)) {
        r->phase = RUN_OVER;
        return;
    }
    if (!r->end_asked)
        begin(r, p, t);
    if (is_late(r) && !r->end_cut) {
        turn_action(t, ACT_CUT)->node = NODE_NONE;
        r->end_cut = true;
    }
}

uint32_t end_wait_ms(const struct run *r)
{
    if (r->phase != RUN_ENDING || r->grace_left_ms != 0 || r->end_cut)
        return UINT32_MAX;
    return r->end_ms < STOPPED_MS ? STOPPED_MS - r->end_ms : 0;
}
