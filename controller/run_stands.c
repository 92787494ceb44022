/* run_stands.c - does what was done before we stood still (run_sleep.c) still stand? A run that took us for dead may
 * have taken it back, given everything back and gone, and an nginx that has lost its fences since lets us go on as if
 * nothing had been. The agents know better: once leases and lock are ours again, so that nobody else changes anything,
 * each node that is done is asked about, a few at a time. Before all have answered the rollout is not called whole. */
#include <stdio.h>

#include "run_state.h"

#define STANDING_MAX 16 /* agents asked at a time */

bool stands_in_doubt(const struct run *r, uint32_t node)
{
    const struct node *n = run_node(r, node);

    return run_extra(r, node)->unsure && n->step == STEP_DONE &&
           (n->outcome == OUTCOME_UPGRADED || n->outcome == OUTCOME_ALREADY || n->outcome == OUTCOME_BACK);
}

static bool any_in_doubt(const struct run *r)
{
    for (uint32_t i = 0; i < r->n_nodes && r->slept; i++)
        if (stands_in_doubt(r, i))
            return true;
    return false;
}

/* After any other stop it does not end well anyway. */
static bool may_be_whole(const struct run *r)
{
    return r->phase == RUN_ROLLING && (r->stop == RUN_GOES || r->stop == RUN_STOP_PAUSE || r->reversing);
}

static bool asks(const struct run *r, const struct plan *p)
{
    return r->slept && may_be_whole(r) && lease_is_ours(r, p);
}

/* All others find out by their claim, which is still to be taken up, or put again before they go back (run_sleep.c). */
static bool is_done_or_about_to_be(const struct run *r, const struct plan *p, uint32_t node)
{
    switch ((enum step)run_node(r, node)->step) {
    case STEP_WAIT: /* at the target, it may be */
        return !p->nodes[node].resumed;
    case STEP_SEEN:
    case STEP_READDED:
    case STEP_BAKE:
    case STEP_UNCLAIM:
    case STEP_DONE:
        return true;
    default:
        return false;
    }
}

void stands_slept(struct run *r, const struct plan *p)
{
    r->slept = true;
    r->doubt_ms = p->wait_ms[WAIT_CHANGE];
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        struct run_extra *x = state_extra(r, i);

        x->stands_late = x->standing;
        x->stands_ms = r->age_ms;
        x->unsure = x->unsure || is_done_or_about_to_be(r, p, i);
    }
}

void stands_time(struct run *r, uint32_t elapsed_ms)
{
    if (r->doubt_last)
        r->doubt_ms = r->doubt_ms > elapsed_ms ? r->doubt_ms - elapsed_ms : 0;
    r->doubt_last = false;
}

/* Another answers for it from now on. */
static void fallen(struct run *r, const struct plan *p, uint16_t node, const char *why, struct turn *t)
{
    struct node *n = state_node(r, node);
    char text[ANSWER_TEXT_MAX];
    struct event *e;

    n->theirs = true;
    n->outcome = OUTCOME_LEFT;
    (void)snprintf(text, sizeof text, "while we stood still, %s", why);
    e = turn_event(t, p, EVENT_STEP, text);
    e->node = node;
    e->from = n->step;
    e->state = *n;
    (void)snprintf(text, sizeof text, "%.60s was done, and while we stood still %s", p->nodes[node].name, why);
    run_stop(r, p, RUN_STOP_HELD, text, t);
}

void stands_answer(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);
    const struct answer *a = &in->answer;
    bool late = x->stands_late;

    x->standing = x->stands_late = false;
    r->n_standing--;
    x->stands_ms = late ? r->age_ms : ms_later(r->age_ms, p->wait_ms[WAIT_RETRY]);
    if (late || a->kind != ANS_OK || !stands_in_doubt(r, in->node))
        return;
    x->unsure = false;
    r->doubt_ms = p->wait_ms[WAIT_CHANGE]; /* it goes on */
    if (a->fence > p->fence) {
        char why[128];

        (void)snprintf(why, sizeof why, "another run took it over with fence %llu; ours is %llu",
                       (unsigned long long)a->fence, (unsigned long long)p->fence);
        fallen(r, p, in->node, why, t);
    } else if (a->ident.pid != 0 && !ident_runs(&a->ident, node_target(run_node(r, in->node), p))) {
        fallen(r, p, in->node, "something else was put there", t);
    }
}

bool stands_hold_up(struct run *r, const struct plan *p, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];
    uint32_t i = 0;

    if (!may_be_whole(r) || !any_in_doubt(r))
        return false;
    r->doubt_last = r->doubt_ms > 0;
    if (r->doubt_last)
        return true;
    while (!stands_in_doubt(r, i))
        i++;
    (void)snprintf(text, sizeof text,
                   "nobody could say whether another run took over what was done, such as %.60s, while we stood still",
                   p->nodes[i].name);
    run_stop(r, p, RUN_STOP_UNSURE, text, t);
    return false;
}

static bool is_due(const struct run *r, uint32_t node)
{
    return stands_in_doubt(r, node) && !run_extra(r, node)->standing && run_extra(r, node)->stands_ms <= r->age_ms;
}

/* In turn, so that agents that do not answer keep no others from being asked. */
void stands_drive(struct run *r, const struct plan *p, struct turn *t)
{
    bool may = asks(r, p);

    for (uint32_t n = 0; n < r->n_nodes && r->n_standing < STANDING_MAX && may; n++) {
        uint16_t node = (uint16_t)r->stands_next;

        r->stands_next = (r->stands_next + 1) % r->n_nodes;
        if (!is_due(r, node))
            continue;
        turn_action(t, ACT_STANDS)->node = node;
        state_extra(r, node)->standing = true;
        r->n_standing++;
    }
}

uint32_t stands_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = r->doubt_last ? r->doubt_ms : UINT32_MAX;
    bool may = asks(r, p);

    for (uint32_t i = 0; i < r->n_nodes && r->n_standing < STANDING_MAX && may; i++) {
        uint32_t at = run_extra(r, i)->stands_ms, due = at > r->age_ms ? at - r->age_ms : 0;

        if (stands_in_doubt(r, i) && !run_extra(r, i)->standing && due < wait)
            wait = due;
    }
    return wait;
}
