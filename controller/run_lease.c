/* run_lease.c - the leases of all upstreams of the rollout: taken one after another, renewed, given back. Those of
 * NGINX Plus have none; the lock (run_lock.c) is taken behind the others. */
#include <stdio.h>

#include "run_state.h"

#define LEASE_RETRY_MS   1000
#define LEASE_RELEASE_MS 5000 /* what is not given back by then runs out by itself */

void lease_time(struct run *r, uint32_t elapsed_ms)
{
    if (r->phase == RUN_LEASING || r->phase == RUN_RELEASING)
        r->lease_left_ms = r->lease_left_ms > elapsed_ms ? r->lease_left_ms - elapsed_ms : 0;
    for (uint32_t i = 0; i < r->n_upstreams; i++) {
        struct run_lease *l = state_lease(r, i);

        l->age_ms = ms_later(l->age_ms, elapsed_ms);
        l->asked_ms = ms_later(l->asked_ms, elapsed_ms);
        l->retry_ms = l->retry_ms > elapsed_ms ? l->retry_ms - elapsed_ms : 0;
    }
    lock_time(r, elapsed_ms);
}

void lease_give_back(struct run *r, const struct plan *p)
{
    uint32_t limit = p->wait_ms[WAIT_CHANGE];

    r->phase = RUN_RELEASING;
    r->lease_left_ms = limit < LEASE_RELEASE_MS ? limit : LEASE_RELEASE_MS;
    for (uint32_t i = 0; i < r->n_upstreams; i++)
        state_lease(r, i)->retry_ms = 0;
    lock_give_back(r);
}

void lease_doubt(struct run *r, const struct plan *p, uint16_t lb)
{
    for (uint32_t i = 0; i < r->n_upstreams; i++) {
        struct run_lease *l = state_lease(r, i);

        if (p->upstreams[i].lb == lb && l->state == LEASE_HELD && l->age_ms < p->lease_ttl_ms / 3)
            l->age_ms = p->lease_ttl_ms / 3;
    }
}

bool lease_is_ours(const struct run *r, const struct plan *p)
{
    bool ours = r->stop != RUN_STOP_HELD;

    for (uint32_t i = 0; i < r->n_upstreams; i++)
        ours = ours && (p->upstreams[i].plus || run_lease(r, i)->age_ms < p->lease_ttl_ms);
    return ours && (p->n_voters == 0 || r->lock_age_ms < p->lease_ttl_ms);
}

bool lease_ran_out(const struct run *r, const struct plan *p, uint32_t elapsed_ms)
{
    uint32_t least_ms = p->n_voters > 0 ? r->lock_age_ms : UINT32_MAX; /* of all */

    for (uint32_t i = 0; i < r->n_upstreams; i++)
        if (!p->upstreams[i].plus && run_lease(r, i)->age_ms < least_ms)
            least_ms = run_lease(r, i)->age_ms;
    return least_ms >= p->lease_ttl_ms && least_ms - p->lease_ttl_ms < elapsed_ms;
}

static void ask_lease(struct run *r, uint16_t upstream, uint32_t ttl_ms, struct turn *t)
{
    struct action *a = turn_action(t, ACT_LEASE);
    struct run_lease *l = state_lease(r, upstream);

    a->upstream = upstream;
    a->ttl_ms = ttl_ms;
    l->asked = true;
    l->asked_ms = 0;
    l->releasing = ttl_ms == 0;
}

/* Only the first that is not ours yet, so that of two rollouts one gets all and the other none. */
static void drive_taking(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint16_t i = 0; i < r->n_upstreams; i++) {
        const struct run_lease *l = run_lease(r, i);

        if (l->state == LEASE_HELD || p->upstreams[i].plus)
            continue;
        if (!l->asked && l->retry_ms == 0)
            ask_lease(r, i, p->lease_ttl_ms, t);
        return;
    }
    lock_take(r, p, t);
    if (lock_taken(r, p))
        r->phase = RUN_ROLLING;
}

static void drive_renewing(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint16_t i = 0; i < r->n_upstreams; i++) {
        const struct run_lease *l = run_lease(r, i);

        if (l->state == LEASE_HELD && !l->asked && l->retry_ms == 0 && l->age_ms >= p->lease_ttl_ms / 3)
            ask_lease(r, i, p->lease_ttl_ms, t);
    }
}

static void drive_releasing(struct run *r, const struct plan *p, struct turn *t)
{
    bool done = r->n_marking == 0 || r->lease_left_ms == 0; /* who wished is told that it was heard */

    for (uint16_t i = 0; i < r->n_upstreams; i++) {
        const struct run_lease *l = run_lease(r, i);
        bool ours = (l->state == LEASE_HELD || l->state == LEASE_MAYBE) && r->lease_left_ms > 0;

        if (!l->asked && ours && l->retry_ms == 0)
            ask_lease(r, i, 0, t);
        done = done && !l->asked && !ours;
    }
    done = done && lock_given_back(r, p);
    if (done) {
        end_begin(r, p);
        (void)turn_event(t, p, EVENT_RELEASED, NULL);
    }
}

void lease_drive(struct run *r, const struct plan *p, struct turn *t)
{
    lock_drive(r, p, t);
    if (r->phase == RUN_LEASING)
        drive_taking(r, p, t);
    if (r->phase == RUN_LEASING || r->phase == RUN_ROLLING)
        drive_renewing(r, p, t);
    if (r->phase == RUN_RELEASING)
        drive_releasing(r, p, t);
}

/* Another rollout's. A repair waits for a dead rollout's lease to run out, and says so once. */
static void refused(struct run *r, const struct plan *p, const struct input *in, const char *text, struct turn *t)
{
    struct run_lease *l = state_lease(r, in->upstream);
    /* No longer than lease_wait_ms since the start: a lease that is still there then is renewed by a living rollout. */
    bool waits = r->phase == RUN_LEASING && r->lease_left_ms > p->wait_ms[WAIT_CHANGE];

    l->state = waits ? LEASE_NONE : LEASE_GONE;
    if (!waits || !l->noted)
        turn_event(t, p, waits ? EVENT_LEASE_WAIT : EVENT_LEASE_REFUSED, text)->upstream = in->upstream;
    l->noted = true;
    if (!waits)
        run_stop(r, p, RUN_STOP_HELD, text, t);
}

void lease_lost(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    enum ask ask = step_row((enum step)run_node(r, in->node)->step)->ask;

    if (in->answer.kind == ANS_FENCED && (ask == ASK_DRAIN || ask == ASK_DOWN || ask == ASK_BACK))
        run_stop(r, p, RUN_STOP_HELD, in->answer.text, t);
}

static void tell(const struct plan *p, const struct input *in, char *text, size_t size)
{
    const struct plan_upstream *u = &p->upstreams[in->upstream];

    (void)snprintf(text, size, "upstream %s at %s: %s", u->name, p->lbs[u->lb].name, in->answer.text);
}

void lease_answer(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_lease *l = state_lease(r, in->upstream);
    char text[ANSWER_TEXT_MAX + 300];

    l->asked = false;
    l->retry_ms = in->answer.kind == ANS_OK ? 0 : LEASE_RETRY_MS;
    if (l->releasing) {
        if (in->answer.kind == ANS_OK || in->answer.kind == ANS_FENCED || l->state == LEASE_MAYBE)
            l->state = LEASE_GONE;
    } else if (in->answer.kind == ANS_OK) {
        if (r->phase == RUN_LEASING)
            turn_event(t, p, EVENT_LEASED, NULL)->upstream = in->upstream;
        l->state = LEASE_HELD;
        l->age_ms = l->asked_ms;
    } else if (in->answer.kind == ANS_FENCED && r->phase == RUN_RELEASING) {
        l->state = LEASE_GONE; /* a late renewal; we are done with it */
    } else if (in->answer.kind == ANS_FENCED) {
        tell(p, in, text, sizeof text);
        refused(r, p, in, text, t);
    } else if (l->state != LEASE_HELD) {
        l->state = LEASE_MAYBE;
        tell(p, in, text, sizeof text);
        if (r->phase == RUN_LEASING && (in->answer.kind == ANS_REFUSED || r->lease_left_ms == 0))
            run_stop(r, p, in->answer.kind == ANS_REFUSED ? RUN_STOP_REFUSED : RUN_STOP_UNREACHABLE, text, t);
    }
}

/* When drive_*() has something to do for this lease. */
static uint32_t due_ms(const struct run *r, const struct plan *p, const struct run_lease *l)
{
    uint32_t third = p->lease_ttl_ms / 3, rest = third > l->age_ms ? third - l->age_ms : 0;
    bool held = l->state == LEASE_HELD;

    if (l->asked || r->phase >= RUN_ENDING || (r->phase == RUN_RELEASING && r->lease_left_ms == 0))
        return UINT32_MAX;
    if (r->phase == RUN_RELEASING && (held || l->state == LEASE_MAYBE))
        return l->retry_ms < r->lease_left_ms ? l->retry_ms : r->lease_left_ms;
    if (r->phase == RUN_RELEASING || (r->phase == RUN_ROLLING && !held))
        return UINT32_MAX;
    return held && rest > l->retry_ms ? rest : l->retry_ms;
}

uint32_t lease_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = UINT32_MAX, due;

    for (uint32_t i = 0; i < r->n_upstreams; i++) {
        const struct run_lease *l = run_lease(r, i);

        due = p->upstreams[i].plus ? UINT32_MAX : due_ms(r, p, l);

        wait = due < wait ? due : wait;
        if (r->phase == RUN_LEASING && l->state != LEASE_HELD && !p->upstreams[i].plus)
            return wait; /* those behind it are not asked before it is ours */
    }
    due = lock_wait_ms(r, p);
    return due < wait ? due : wait;
}
