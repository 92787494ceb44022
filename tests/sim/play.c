/* play.c - one story from its first event to its last. */
#include "arena.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "sim.h"

/* ---- a heap of what is due, the earliest first; what is due at once, in the order in which it was said */

static bool before(const struct sim_due *a, const struct sim_due *b)
{
    return a->ms != b->ms ? a->ms < b->ms : a->order < b->order;
}

static void swap(struct sim_due *a, struct sim_due *b)
{
    struct sim_due c = *a;

    *a = *b;
    *b = c;
}

void sim_due(struct sim *s, int64_t ms, enum sim_due_kind kind, uint8_t a, uint32_t b)
{
    uint32_t i = s->n_dues++;

    assert(i < SIM_DUES);
    s->dues[i] = (struct sim_due){.ms = ms, .order = s->next_order++, .kind = (uint8_t)kind, .a = a, .b = b};
    for (; i > 0 && before(&s->dues[i], &s->dues[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->dues[i], &s->dues[(i - 1) / 2]);
}

void sim_due_sink(struct sim *s, uint32_t i)
{
    for (;;) {
        uint32_t least = i;

        for (uint32_t k = 2 * i + 1; k <= 2 * i + 2 && k < s->n_dues; k++)
            if (before(&s->dues[k], &s->dues[least]))
                least = k;
        if (least == i)
            return;
        swap(&s->dues[i], &s->dues[least]);
        i = least;
    }
}

static struct sim_due take_due(struct sim *s)
{
    struct sim_due due = s->dues[0];

    s->dues[0] = s->dues[--s->n_dues];
    sim_due_sink(s, 0);
    return due;
}

/* ---- */

void sim_sent(struct sim *s, uint8_t target, uint8_t node)
{
    s->faulty = s->faulty || s->story->call_after == target;
    for (uint32_t i = 0; i < s->story->n_events && s->waiting != 0; i++)
        if (s->waiting >> i & 1 && s->story->events[i].after == target && !s->calm) {
            s->waiting &= ~(1u << i);
            s->aimed[i] = node;
            sim_due(s, s->truth.now_ms + s->story->events[i].at_ms, DUE_EVENT, (uint8_t)i, 0);
        }
}

void sim_fired(struct sim *s, enum sim_fault fault)
{
    s->fired[fault]++;
    s->tally->faults[fault]++;
}

void sim_note(struct sim *s, enum traced kind, int64_t a, int64_t b, int64_t c, int64_t d)
{
    trace_put(&s->trace, kind, s->truth.now_ms, a, b, c, d);
}

/* ---- the beginning */

static void add_peer(struct sim_truth *t, uint8_t upstream, uint8_t node, uint8_t port, bool backup)
{
    assert(t->n_peers < SIM_PEERS);
    t->peers[t->n_peers++] = (struct sim_peer){.upstream = upstream,
                                               .node = node,
                                               .port = port,
                                               .gate = SIM_OPEN,
                                               .backup = backup,
                                               .closed_ms = SIM_NEVER,
                                               .held_until_ms = SIM_NEVER};
}

static void set_up(struct sim *s)
{
    const struct story *y = s->story;
    struct sim_truth *t = &s->truth;

    t->next_pid = 200;
    t->n_nodes = y->nodes;
    t->n_lbs = y->lbs;
    for (uint8_t i = 0; i < y->lbs; i++)
        t->lbs[i] = (struct sim_lb){.exact = y->exact && !(y->plus >> i & 1),
                                    .plus = y->plus >> i & 1,
                                    .generation = 1,
                                    .dead_until_ms = SIM_NEVER,
                                    .reload_ms = SIM_NEVER};
    t->n_upstreams = (uint8_t)(y->lbs * y->upstreams_per_lb);
    for (uint8_t u = 0; u < t->n_upstreams; u++) {
        t->upstreams[u] =
            (struct sim_upstream){.lb = (uint8_t)(u / y->upstreams_per_lb), .lease = {.until_ms = SIM_NEVER}};
        uint8_t at = (uint8_t)(u % y->upstreams_per_lb), foreign = y->lone && at == 1 ? 0 : y->foreign;

        for (uint8_t n = 0; n < y->nodes; n++)
            for (uint8_t k = 0; k < (y->grows ? 1 : y->ports) && story_serves(y, n, at); k++)
                add_peer(t, u, n, k, false);
        for (uint8_t k = 0; k < foreign + y->backups; k++)
            add_peer(t, u, SIM_NOBODY, k, k >= foreign);
    }
    for (uint8_t i = 0; i < y->nodes; i++) {
        bool there = i < 8 && y->at_target >> i & 1;

        t->agents[i] = (struct sim_agent){.now = {.pid = 100u + i, .ticks = 1, .boot = 1, .exe = there ? 'B' : 'A'},
                                          .dead_until_ms = SIM_NEVER,
                                          .healthy_ms = SIM_NEVER,
                                          .host = (uint8_t)(story_host(y, i) + 1),
                                          .zone = story_zone(y, i),
                                          .service = y->two_services ? i % 2 : 0,
                                          .vote = {.until_ms = SIM_NEVER},
                                          .gets_healthy_ms = y->gets_healthy_ms[i],
                                          .flap_ms = y->flap_ms[i],
                                          .fate = y->fate[i],
                                          .undo_fate = y->undo_fate[i]};
        t->agents[i].installed = t->agents[i].now.exe;
    }
}

static void begin(struct sim *s, const struct story *story, struct tally *tally)
{
    const struct judge_rules rules = {.max_unavailable = story->max_unavailable,
                                      .max_unavailable_percent = story->max_unavailable_percent,
                                      .proceed = story->proceed,
                                      .in_place = story->in_place,
                                      .ttl_ms = story->ttl_ms,
                                      .threshold = story->threshold,
                                      .min_healthy_ms = story->min_healthy_ms,
                                      .target = story->restart ? 0 : 'B'};

    memset(&s->truth, 0, offsetof(struct sim_truth, lbs)); /* the rest is set as far as it is used */
    s->story = story;
    s->tally = tally;
    s->dice = (struct dice){story->seed ^ UINT64_C(0x5851f42d4c957f2d)};
    s->n_call_faults = s->n_stuck = s->n_dues = s->next_order = s->n_seats = s->n_over = s->next_process = 0;
    s->next = NULL;
    s->calm = false;
    s->faulty = story->call_after == 0;
    s->at_peace = story_is_calm(story);
    s->journal = NULL;
    memset(s->fired, 0, sizeof s->fired);
    for (uint32_t i = 0; i < SIM_CALLS; i++)
        s->calls[i].used = false;
    trace_begin(&s->trace);
    set_up(s);
    judge_begin(&s->judge, &s->truth, &rules);
    s->waiting = 0;
    memset(s->aimed, SIM_NOBODY, sizeof s->aimed);
    for (uint32_t i = 0; i < story->n_events; i++)
        if (story->events[i].after != 0)
            s->waiting |= 1u << i;
        else
            sim_due(s, story->events[i].at_ms, DUE_EVENT, (uint8_t)i, 0);
    for (uint32_t i = 0; i < story->n_processes; i++)
        if (i == 0 || story->processes[i].overlaps)
            sim_due(s, story->processes[i].start_ms, DUE_START, (uint8_t)i, 0);
}

/* ---- what is due */

static void job_ends(struct sim *s, uint8_t node, uint32_t order)
{
    struct sim_agent *a = &s->truth.agents[node];

    for (uint32_t i = 0; i < a->n_jobs; i++) {
        struct sim_job *job = &a->jobs[i];

        if (job->order != order || job->state != SIM_JOB_RUNNING)
            continue;
        sim_job_end(&s->truth, node, job);
        if (a->now.pid == 0)
            process_dies(s, node);
        judge_job_done(&s->judge, &s->truth, node, job);
        sim_note(s, TRACE_JOB_END, node, job->state, a->now.exe, a->now.pid);
    }
}

static void sticky(struct sim *s, uint8_t peer)
{
    struct sim_peer *p = &s->truth.peers[peer];
    int64_t until = s->truth.now_ms + dice_below(&s->dice, 1500);

    if (p->gate != SIM_DRAIN)
        return;
    sim_fired(s, SIM_STICKY);
    p->held_until_ms = until > p->held_until_ms ? until : p->held_until_ms;
}

static void signal_comes(struct sim *s, struct sim_seat *seat, uint32_t which)
{
    if (seat->state != SEAT_RUNS)
        return;
    sim_fired(s, which == 0 ? SIM_SIGNAL : SIM_SECOND_SIGNAL);
    seat->signals++;
    seat->signal = 15;
    sim_note(s, TRACE_SIGNAL, seat->index, seat->signals, 0, 0);
    if (!seat->sleeping) {
        seat->awake = true;
        seat->wake_ms = s->truth.now_ms;
    }
}

static void make_wish(struct sim *s, const struct sim_seat *seat)
{
    if (seat->state != SEAT_RUNS)
        return;
    if (s->story->pause_after > 0) /* nobody waits for ever: it is wished again */
        sim_due(s, s->truth.now_ms + 60000, DUE_WISH, seat->index, 0);
    sim_fired(s, (enum sim_fault)(SIM_WISH_PAUSE + seat->process->wish - 1));
    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        if (!sim_agent_dead(&s->truth, i))
            s->truth.agents[i].wish = (struct sim_wish){.put_ms = s->truth.now_ms,
                                                        .id = s->next_order + 1u,
                                                        .rollout = seat->who.rollout,
                                                        .wish = seat->process->wish};
}

static void start(struct sim *s, uint8_t process)
{
    if (process + 1u > s->next_process)
        s->next_process = process + 1u;
    (void)seat_start(s, &s->story->processes[process]);
}

/* Whoever looks would take its controller for dead. */
static void check_claims(struct sim *s)
{
    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        if (s->truth.agents[i].claim.there && s->truth.agents[i].claim.until_ms < s->truth.now_ms)
            judge_breach(&s->judge, "goal", "nothing was wrong, and the claim of node %u has run out", i);
}

static void happen(struct sim *s, const struct sim_due *due)
{
    switch ((enum sim_due_kind)due->kind) {
    case DUE_ARRIVE: /* of what a dead controller has sent, a part never left */
        if (s->seats[s->calls[due->a].seat].state == SEAT_DEAD && s->calls[due->a].parts[due->b].poll_until_ms <= 0 &&
            dice_one_in(&s->dice, 2))
            sim_due(s, due->ms, DUE_BACK, due->a, due->b);
        else
            wire_arrive(s, due->a, due->b);
        break;
    case DUE_BACK:
        wire_back(s, due->a, due->b);
        break;
    case DUE_JOB:
        job_ends(s, due->a, due->b);
        break;
    case DUE_EVENT:
        event_happens(s, due->a, due->b != 0);
        break;
    case DUE_START:
        start(s, due->a);
        break;
    case DUE_SIGNAL:
        signal_comes(s, &s->seats[due->a], due->b);
        break;
    case DUE_WISH:
        make_wish(s, &s->seats[due->a]);
        break;
    case DUE_STUCK:
        wire_stuck(s, due->a);
        break;
    case DUE_STICKY:
        sticky(s, due->a);
        break;
    }
    judge_always(&s->judge, &s->truth);
    if (s->at_peace && !s->story->wished)
        check_claims(s);
    if (s->seen != NULL)
        s->seen(s);
}

static struct sim_seat *first_awake(struct sim *s)
{
    struct sim_seat *first = NULL;

    while (s->n_over < s->n_seats && s->seats[s->n_over].state != SEAT_RUNS)
        s->n_over++;
    for (uint32_t i = s->n_over; i < s->n_seats; i++) {
        struct sim_seat *seat = &s->seats[i];

        if (seat->state == SEAT_RUNS && seat->awake && (first == NULL || seat->wake_ms < first->wake_ms))
            first = seat;
    }
    return first;
}

struct sim_seat *sim_next(struct sim *s)
{
    while (s->judge.breach[0] == '\0') {
        struct sim_seat *seat = first_awake(s);

        if (s->n_dues > 0 && (seat == NULL || s->dues[0].ms <= seat->wake_ms)) {
            struct sim_due due = take_due(s);

            s->truth.now_ms = due.ms;
            happen(s, &due);
        } else {
            if (seat != NULL && seat->wake_ms > s->truth.now_ms)
                s->truth.now_ms = seat->wake_ms;
            return seat;
        }
    }
    return NULL;
}

/* Until nobody has anything to do any more. */
static void go_on(struct sim *s)
{
    struct sim_seat *seat;

    while ((seat = s->next != NULL ? s->next : sim_next(s)) != NULL) {
        s->next = NULL;
        seat_resume(seat);
        if (s->seen != NULL)
            s->seen(s);
    }
}

/* ---- the end */

static bool anything_left(const struct sim *s)
{
    bool claims = false;

    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        claims = claims || s->truth.agents[i].claim.there;
    return claims || s->judge.n_owned > 0;
}

static void end_calm(struct sim *s)
{
    static const struct story_process repair = {.act = STORY_REPAIR, .rollout = JUDGE_ROLLOUTS - 1};
    int code = 0;

    if (s->judge.breach[0] != '\0' || !anything_left(s))
        return;
    events_calm(s);
    for (uint32_t i = 0; i < 3 && anything_left(s) && s->judge.breach[0] == '\0' && s->n_seats < SIM_SEATS; i++) {
        const struct sim_seat *seat = &s->seats[seat_start(s, &repair)];

        go_on(s);
        code = seat->code;
    }
    if (s->judge.breach[0] == '\0')
        judge_calm(&s->judge, &s->truth, code);
}

/* A person's wish is the only thing that keeps it from its goal: then it ends as wished, or had come to it before. */
static bool ends_well(struct sim *s, const struct sim_seat *seat)
{
    uint8_t wish = s->story->wished && seat->index == 0 ? seat->process->wish : WISH_NONE;
    int code = seat->code;

    s->judge.facts[FACT_WISH_PAUSED] += wish == WISH_PAUSE && code == 7 ? 1 : 0;
    s->judge.facts[FACT_WISH_ABORTED] += wish == WISH_ABORT && code == 130 ? 1 : 0;
    s->judge.facts[FACT_WISH_PROMOTED] += wish == WISH_PROMOTE && code == 0 ? 1 : 0;
    s->judge.facts[FACT_WISH_RESUMED] += seat->index == 1 && code == 0 && s->seats[0].code > 0 ? 1 : 0;
    if (code == 0 || (code == 5 && s->refused_rightly))
        return true;
    /* One that takes longer than its grace is left out by an abort, and named; a hook that does is broken off. */
    return (wish == WISH_PAUSE && code == 7) ||
           (wish == WISH_ABORT && (code == 130 || code == 3 || (code == 1 && s->story->hooks != 0)));
}

static void end_goal(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_seats && s->judge.breach[0] == '\0' && s->at_peace; i++)
        if (!ends_well(s, &s->seats[i]))
            judge_breach(&s->judge, "goal", "nothing was wrong, and the exit code is %d", s->seats[i].code);
    for (uint8_t i = 0; i < s->truth.n_nodes && s->at_peace; i++)
        if (s->truth.agents[i].claim.there)
            judge_breach(&s->judge, "goal", "nothing was wrong, and the claim of node %u is still there", i);
}

bool sim_play(struct sim *s, const struct story *story, struct tally *tally)
{
    scan_begin(story);
    arena_begin();
    begin(s, story, tally);
    s->refused_rightly = judge_no_room(&s->judge, &s->truth);
    go_on(s);
    end_goal(s);
    end_calm(s);
    arena_end();
    tally->stories++;
    for (uint32_t i = 0; i < JUDGE_FACTS; i++)
        tally->facts[i] += s->judge.facts[i];
    return s->judge.breach[0] == '\0';
}
