/* run_lock.c - the lock of a rollout whose load balancers know no lease (NGINX Plus): a majority of the fleet's agents
 * give it their votes, each for a time (agent/lock.h). Two majorities share an agent, so never two rollouts have one.
 *
 * The votes are renewed after a third of their time. What a majority has confirmed within half of it is sure: a PATCH
 * to such a load balancer leaves only then, and within what is left of that half. Else it is not sent, and asked for
 * again until its step's limit is over: whoever was stopped in his tracks and wakes up asks the agents first.
 *
 * The first voter is asked alone: of two rollouts that begin at once one gets it, and the other ends before the votes
 * are split. */
#include <stdio.h>

#include "run_state.h"

#define LOCK_RETRY_MS 1000

static uint32_t sure_ms(const struct plan *p)
{
    return p->lease_ttl_ms / 2;
}

/* ---- counting */

static uint32_t voters_of(const struct plan *p, uint32_t group)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_voters; i++)
        n += p->voters[i].group == group ? 1 : 0;
    return n;
}

static uint32_t majority_of(const struct plan *p, uint32_t group)
{
    return voters_of(p, group) / 2 + 1;
}

/* Ours by requests that were sent at most so long ago. */
static uint32_t held_in(const struct run *r, const struct plan *p, uint32_t group, uint32_t age_ms)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_voters; i++) {
        const struct run_lease *v = run_vote(r, i);

        n += p->voters[i].group == group && v->state == LEASE_HELD && v->age_ms <= age_ms ? 1 : 0;
    }
    return n;
}

static bool majority_in(const struct run *r, const struct plan *p, uint32_t age_ms)
{
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (held_in(r, p, g, age_ms) < majority_of(p, g))
            return false;
    return true;
}

/* The least age within which there is a majority of each service. */
static void count_age(struct run *r, const struct plan *p)
{
    uint32_t low = 0, high = UINT32_MAX;

    r->lock_changed = false;
    r->lock_age_ms = UINT32_MAX;
    if (!majority_in(r, p, UINT32_MAX))
        return;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (majority_in(r, p, middle))
            high = middle;
        else
            low = middle + 1;
    }
    r->lock_age_ms = low;
}

/* Another has so many that a majority cannot be ours. */
static bool out_of_reach(const struct run *r, const struct plan *p, uint32_t group)
{
    uint32_t gone = 0;

    for (uint32_t i = 0; i < p->n_voters; i++)
        gone += p->voters[i].group == group && run_vote(r, i)->state == LEASE_GONE ? 1 : 0;
    return voters_of(p, group) - gone < majority_of(p, group);
}

/* ---- asking */

void lock_time(struct run *r, uint32_t elapsed_ms)
{
    r->lock_age_ms = ms_later(r->lock_age_ms, elapsed_ms);
    for (uint32_t i = 0; i < r->n_voters; i++) {
        struct run_lease *v = state_vote(r, i);

        v->age_ms = ms_later(v->age_ms, elapsed_ms);
        v->asked_ms = ms_later(v->asked_ms, elapsed_ms);
        v->retry_ms = v->retry_ms > elapsed_ms ? v->retry_ms - elapsed_ms : 0;
    }
}

static void ask_vote(struct run *r, uint32_t voter, uint32_t ttl_ms, struct turn *t)
{
    struct action *a = turn_action(t, ACT_LOCK);
    struct run_lease *v = state_vote(r, voter);

    a->voter = voter;
    a->ttl_ms = ttl_ms;
    v->asked = true;
    v->asked_ms = 0;
    v->releasing = ttl_ms == 0;
}

/* Until it is to be asked for, or renewed; UINT32_MAX = not as things are. */
static uint32_t vote_due_ms(const struct plan *p, const struct run_lease *v)
{
    uint32_t third = p->lease_ttl_ms / 3, rest = third > v->age_ms ? third - v->age_ms : 0;

    if (v->asked || v->state == LEASE_GONE)
        return UINT32_MAX;
    return v->state == LEASE_HELD && rest > v->retry_ms ? rest : v->retry_ms;
}

static void ask_due(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < p->n_voters; i++)
        if ((r->lock_opened || i == r->lock_first) && vote_due_ms(p, run_vote(r, i)) == 0)
            ask_vote(r, i, p->lease_ttl_ms, t);
}

bool lock_taken(const struct run *r, const struct plan *p)
{
    return p->n_voters == 0 || r->lock_age_ms <= sure_ms(p);
}

void lock_take(struct run *r, const struct plan *p, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    if (p->n_voters == 0)
        return;
    if (r->lock_changed)
        count_age(r, p);
    if (lock_taken(r, p) && !r->lock_told) {
        (void)snprintf(text, sizeof text, "a majority of the %u agents%s is ours", p->n_voters / p->n_groups,
                       p->n_groups > 1 ? ", for each service," : "");
        (void)turn_event(t, p, EVENT_LOCKED, text);
        r->lock_told = true;
    }
    ask_due(r, p, t);
}

static void drive_giving_back(struct run *r, const struct plan *p, struct turn *t)
{
    for (uint32_t i = 0; i < p->n_voters && r->lease_left_ms > 0; i++) {
        const struct run_lease *v = run_vote(r, i);

        if (!v->asked && v->retry_ms == 0 && (v->state == LEASE_HELD || v->state == LEASE_MAYBE))
            ask_vote(r, i, 0, t);
    }
}

/* So long nobody could confirm it that it has run out, and may be another's by the time that somebody can. */
static uint32_t unsure_ms(const struct plan *p)
{
    return p->lease_ttl_ms + p->wait_ms[WAIT_CHANGE];
}

static void drive_renewing(struct run *r, const struct plan *p, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    if (r->lock_changed)
        count_age(r, p);
    ask_due(r, p, t);
    if (r->lock_age_ms < unsure_ms(p) || r->lock_lost)
        return;
    (void)snprintf(text, sizeof text, "too few of the %u agents that hold our lock can be asked", p->n_voters);
    run_stop(r, p, RUN_STOP_UNSURE, text, t);
}

void lock_drive(struct run *r, const struct plan *p, struct turn *t)
{
    if (p->n_voters == 0)
        return;
    if (r->phase == RUN_ROLLING)
        drive_renewing(r, p, t);
    else if (r->phase == RUN_RELEASING)
        drive_giving_back(r, p, t);
}

void lock_give_back(struct run *r)
{
    for (uint32_t i = 0; i < r->n_voters; i++)
        state_vote(r, i)->retry_ms = 0;
}

/* What is not by the end of the time for it runs out by itself. */
bool lock_given_back(const struct run *r, const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_voters && r->lease_left_ms > 0; i++) {
        const struct run_lease *v = run_vote(r, i);

        if (v->asked || v->state == LEASE_HELD || v->state == LEASE_MAYBE)
            return false;
    }
    return true;
}

void lock_doubt(struct run *r, const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_voters; i++) {
        struct run_lease *v = state_vote(r, i);

        if (v->state == LEASE_HELD && v->age_ms < p->lease_ttl_ms / 3)
            v->age_ms = p->lease_ttl_ms / 3;
    }
    r->lock_changed = true;
}

/* ---- answers */

/* Another rollout's. A repair waits for a dead one's to run out, as it does for leases. */
static void refused(struct run *r, const struct plan *p, uint32_t voter, const char *text, struct turn *t)
{
    struct run_lease *v = state_vote(r, voter);
    bool waits = r->phase == RUN_LEASING && r->lease_left_ms > p->wait_ms[WAIT_CHANGE];
    bool alone = r->phase == RUN_LEASING && !r->lock_opened;

    v->state = waits ? LEASE_NONE : LEASE_GONE;
    count_age(r, p);
    if (waits && !v->noted)
        (void)turn_event(t, p, EVENT_LEASE_WAIT, text);
    v->noted = true;
    if (waits || (!alone && !out_of_reach(r, p, p->voters[voter].group)))
        return;
    r->lock_lost = true;
    (void)turn_event(t, p, EVENT_LEASE_REFUSED, text);
    run_stop(r, p, RUN_STOP_HELD, text, t);
}

static void given(struct run *r, const struct plan *p, struct run_lease *v)
{
    v->state = LEASE_HELD;
    v->age_ms = v->asked_ms;
    r->lock_opened = true;
    r->lock_changed = true;
    if (!lock_taken(r, p) && majority_in(r, p, sure_ms(p)))
        count_age(r, p); /* who waits for it goes on in this very turn */
}

/* No answer that says yes or no. */
static void missed(struct run *r, const struct plan *p, uint32_t voter, const char *text, struct turn *t)
{
    struct run_lease *v = state_vote(r, voter);

    v->state = v->state == LEASE_HELD ? LEASE_HELD : LEASE_MAYBE;
    if (r->phase != RUN_LEASING)
        return;
    if (voter == r->lock_first && !r->lock_opened)
        r->lock_first = (voter + 1) % p->n_voters;
    if (r->lease_left_ms == 0)
        run_stop(r, p, RUN_STOP_UNREACHABLE, text, t);
}

static void given_back(struct run_lease *v, enum answer_kind kind)
{
    if (kind == ANS_OK || kind == ANS_FENCED || v->state == LEASE_MAYBE)
        v->state = LEASE_GONE;
}

void lock_answer(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_lease *v = state_vote(r, in->voter);
    char text[ANSWER_TEXT_MAX + 300];

    (void)snprintf(text, sizeof text, "the vote of %.200s: %s", p->voters[in->voter].host, in->answer.text);
    v->asked = false;
    v->retry_ms = in->answer.kind == ANS_OK ? 0 : LOCK_RETRY_MS;
    if (v->releasing)
        given_back(v, in->answer.kind);
    else if (in->answer.kind == ANS_OK)
        given(r, p, v);
    else if (in->answer.kind == ANS_FENCED && r->phase == RUN_RELEASING)
        v->state = LEASE_GONE;
    else if (in->answer.kind == ANS_FENCED)
        refused(r, p, in->voter, text, t);
    else
        missed(r, p, in->voter, text, t);
}

/* ---- what may leave */

static bool at_plus(const struct plan *p, uint16_t node, uint64_t mask)
{
    const struct plan_node *n = &p->nodes[node];

    for (uint32_t i = 0; p->n_voters > 0 && i < n->n_peers; i++)
        if ((mask >> i & 1) != 0 && p->upstreams[p->peers[n->first_peer + i].upstream].plus)
            return true;
    return false;
}

static void say_unsure(const struct run *r, const struct plan *p, char text[ANSWER_TEXT_MAX])
{
    if (r->lock_lost)
        (void)snprintf(text, ANSWER_TEXT_MAX, "not sent: another rollout has the lock");
    else
        (void)snprintf(text, ANSWER_TEXT_MAX, "not sent: no majority of the %u agents has confirmed our lock of late",
                       p->n_voters);
}

bool lock_lets(const struct run *r, const struct plan *p, struct action *a, struct answer *instead)
{
    bool patches = a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK;

    if (!patches || !at_plus(p, a->node, a->mask))
        return true;
    if (lock_taken(r, p)) {
        a->within_ms = sure_ms(p) - r->lock_age_ms + 1;
        return true;
    }
    *instead = (struct answer){.kind = r->lock_lost ? ANS_FENCED : ANS_TIMEOUT};
    say_unsure(r, p, instead->text);
    return false;
}

bool lock_lets_begin(const struct run *r, const struct plan *p, uint16_t node, char text[ANSWER_TEXT_MAX])
{
    if (!at_plus(p, node, run_node(r, node)->peers_mask) || lock_taken(r, p))
        return true;
    say_unsure(r, p, text);
    return false;
}

/* ---- when there is something to do */

uint32_t lock_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = UINT32_MAX;

    for (uint32_t i = 0; i < p->n_voters && r->phase < RUN_ENDING; i++) {
        const struct run_lease *v = run_vote(r, i);
        uint32_t due = vote_due_ms(p, v);

        if (r->phase == RUN_LEASING && !r->lock_opened && i != r->lock_first)
            continue;
        if (r->phase == RUN_RELEASING && due != UINT32_MAX)
            due = v->state == LEASE_NONE || r->lease_left_ms == 0 ? UINT32_MAX : v->retry_ms;
        wait = due < wait ? due : wait;
    }
    if (p->n_voters > 0 && r->phase == RUN_ROLLING && r->lock_age_ms < unsure_ms(p))
        wait = unsure_ms(p) - r->lock_age_ms < wait ? unsure_ms(p) - r->lock_age_ms : wait;
    if (p->n_voters > 0 && r->phase == RUN_RELEASING && r->lease_left_ms < wait)
        wait = lock_given_back(r, p) ? wait : r->lease_left_ms;
    return wait;
}
