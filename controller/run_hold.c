/* run_hold.c - what a rollout waits for between its nodes: its canaries to be done, and a person to let it go on. A
 * person's wishes come by signal or through the agents, and are the same here. */
#include <stdio.h>

#include "run_state.h"

/* Behind the n-th node that the rollout changes: those at the target already prove nothing. */
static uint32_t end_of(const struct plan *p, uint32_t n)
{
    uint32_t i = 0;

    for (; i < p->n_nodes && n > 0; i++)
        n -= p->nodes[i].at_target ? 0 : 1;
    return i;
}

void hold_init(struct run *r, const struct plan *p)
{
    bool rolls = p->kind == PLAN_ROLL;
    uint32_t pause_end = rolls && p->pause_after > 0 ? end_of(p, p->pause_after) : r->n_nodes;

    r->canary_end = rolls ? end_of(p, p->canary) : 0;
    r->canary_good = r->canary_end == 0;
    r->pause_end =
        pause_end < r->n_nodes ? pause_end : UINT32_MAX; /* behind the last node there is no more to wait for */
}

bool hold_open(const struct run *r)
{
    return (r->canary_good || r->next < r->canary_end) && (r->promoted || r->next < r->pause_end);
}

/* All nodes before this one are begun, and none of them moves any more. */
static bool ended(const struct run *r, uint32_t end)
{
    if (r->next < end)
        return false;
    for (uint32_t i = 0; i < r->n_begun; i++)
        if (run_begun(r)[i] < end && node_in_motion(run_node(r, run_begun(r)[i])))
            return false;
    return true;
}

static void wait_for_promotion(struct run *r, const struct plan *p, struct turn *t)
{
    char text[ANSWER_TEXT_MAX], after[32] = "the canary";

    r->held = true;
    if (p->pause_after != p->canary)
        (void)snprintf(after, sizeof after, "%u node%s", p->pause_after, p->pause_after == 1 ? "" : "s");
    (void)snprintf(
        text, sizeof text,
        "after %s, the leases held: `rollout promote %s` goes on, `rollout pause %s` or `rollout abort %s` ends it",
        after, p->rollout, p->rollout, p->rollout);
    (void)turn_event(t, p, EVENT_HELD, text);
}

void hold_drive(struct run *r, const struct plan *p, struct turn *t)
{
    if (r->phase != RUN_ROLLING || r->stop != RUN_GOES)
        return;
    if (!r->canary_good && ended(r, r->canary_end))
        r->canary_good = true; /* one that had failed would have ended all (run_budget.c) */
    if (r->pause_end != UINT32_MAX && !r->promoted && !r->held && ended(r, r->pause_end))
        wait_for_promotion(r, p, t);
}

static bool promote(struct run *r, const struct plan *p, const char *who, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    if (!r->held || r->stop != RUN_GOES || r->phase != RUN_ROLLING)
        return false;
    r->held = false;
    r->promoted = true;
    (void)snprintf(text, sizeof text, "by %s", who);
    (void)turn_event(t, p, EVENT_PROMOTED, text);
    return true;
}

bool run_wish(struct run *r, const struct plan *p, enum wish wish, const char *who, struct turn *t)
{
    char text[ANSWER_TEXT_MAX], again[ANSWER_TEXT_MAX / 2];
    uint8_t stop = r->stop;

    if (wish == WISH_PROMOTE)
        return promote(r, p, who, t);
    (void)snprintf(again, sizeof again, "resume %s", p->rollout);
    (void)snprintf(text, sizeof text, "%s by %s; `rollout %s` goes on", wish == WISH_PAUSE ? "paused" : "aborted", who,
                   p->kind == PLAN_REPAIR ? "repair" : again);
    run_stop(r, p, wish == WISH_PAUSE ? RUN_STOP_PAUSE : RUN_STOP_PERSON, text, t);
    if (wish == WISH_PAUSE && r->stop != stop)
        r->pause_wished = true;
    return r->stop != stop || (wish == WISH_ABORT && r->phase != RUN_OVER);
}
