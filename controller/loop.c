#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "run.h"
#include "wall.h"

#define LOOP_INPUTS     256
#define LOOP_JOURNAL_MS 20 /* so late is in the journal what was only seen */

/* What must not leave before the journal has the events so far: all but mere reading. */
static bool changes(const struct plan *p, const struct action *a)
{
    switch (a->kind) {
    case ACT_READ_LB:
    case ACT_LOOK:
    case ACT_STANDS:
        return false;
    case ACT_ASK:
        return a->ask == ASK_STAGE ? p->has_release
                                   : a->ask != ASK_STATUS && a->ask != ASK_JOB_END && a->ask != ASK_HEALTH;
    case ACT_WISH:
        return a->expect != 0; /* who hears that it is taken can count on it */
    case ACT_CUT:
        return false;
    case ACT_LEASE:
    case ACT_RENEW:
    case ACT_HOLD:
    case ACT_LOCK:
    case ACT_END:
        break;
    }
    return true;
}

/* What the journal did not take: once all nodes are where they belong it is offered again, so that a disk that was full
 * for a while leaves no hole. */
struct backlog {
    struct event *events;
    size_t n;
    bool lost; /* its first event, the plan, is not in the journal: nothing else would make sense there */
};

static void keep_events(struct backlog *b, const struct turn *t)
{
    if (b->lost || t->n_events == 0)
        return;
    if (b->n == 0 && t->events[0].kind == EVENT_BEGAN) {
        b->lost = true;
        return;
    }
    b->events = mem_grow(b->events, b->n + t->n_events, sizeof *b->events);
    memcpy(b->events + b->n, t->events, t->n_events * sizeof *b->events);
    b->n += t->n_events;
}

/* What the turns yielded and the journal does not have yet. */
struct pending {
    struct turn t;
    size_t shown;       /* of its events */
    uint32_t oldest_ms; /* how long the oldest of them waits */
    struct backlog missed;
};

static void show_events(const struct loop *l, struct pending *n)
{
    for (size_t i = n->shown; i < n->t.n_events; i++) {
        view_feed(l->view, &n->t.events[i]);
        l->show(l->show_ctx, l->view, &n->t.events[i]);
    }
    if (l->show_all != NULL && n->shown < n->t.n_events)
        l->show_all(l->show_ctx);
    n->shown = n->t.n_events;
}

static void stamp(struct turn *t)
{
    int64_t now = t->n_events > 0 ? wall_now_ms() : 0;

    for (size_t i = t->n_events; i > 0 && t->events[i - 1].wall_ms == 0; i--)
        t->events[i - 1].wall_ms = now;
}

/* Events durable first: no change that is not in the journal has left. */
static void settle_events(const struct loop *l, struct run *r, struct pending *n)
{
    struct turn *t = &n->t;
    struct err err;
    bool in_order = r->stop != RUN_STOP_STORE && n->missed.n == 0 && !n->missed.lost; /* or not at all */
    bool written;

    err.text[0] = '\0';
    written = in_order && (t->n_events == 0 || l->store->ops->append(l->store, t->events, t->n_events, &err));

    if (in_order && !written) {
        char text[sizeof err.text + 64];

        (void)snprintf(text, sizeof text, "the journal cannot be written: %s", err.text);
        run_stop(r, l->plan, RUN_STOP_STORE, text, t);
        run_withhold(r, l->plan, t);
        stamp(t);
    }
    if (!written)
        keep_events(&n->missed, t);
    show_events(l, n);
    t->n_events = n->shown = n->oldest_ms = 0;
}

/* Mere reading waits for nothing: its answers are on their way while the disk is written. */
static void start_reads(const struct loop *l, struct turn *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n_actions; i++) {
        if (changes(l->plan, &t->actions[i]))
            t->actions[kept++] = t->actions[i];
        else
            l->world->ops->start(l->world, &t->actions[i]);
    }
    t->n_actions = kept;
}

/* What was only seen waits for the next change, or for LOOP_JOURNAL_MS: many share a transaction. */
static void turn_around(const struct loop *l, struct run *r, struct pending *n, bool now)
{
    stamp(&n->t);
    start_reads(l, &n->t);
    if (now || n->oldest_ms >= LOOP_JOURNAL_MS || n->t.n_actions > 0)
        settle_events(l, r, n);
    else
        show_events(l, n);
    for (size_t i = 0; i < n->t.n_actions; i++)
        l->world->ops->start(l->world, &n->t.actions[i]);
    n->t.n_actions = 0;
}

static void begin(const struct loop *l, struct run *r, struct pending *n)
{
    turn_event(&n->t, l->plan, EVENT_BEGAN, NULL)->plan = l->plan;
    turn_around(l, r, n, true);
}

static int end(const struct loop *l, struct run *r, struct pending *n)
{
    int count, code = run_exit_code(r, l->signal(&count));

    turn_event(&n->t, l->plan, EVENT_ENDED, NULL)->code = code;
    turn_around(l, r, n, true);
    if (n->missed.n > 0)
        (void)l->store->ops->append(l->store, n->missed.events, n->missed.n, NULL);
    free(n->missed.events);
    return code;
}

static void wish_by_signal(const struct loop *l, struct run *r, struct turn *t)
{
    if (l->wished == NULL)
        return;
    if (l->wished(WISH_PROMOTE))
        (void)run_wish(r, l->plan, WISH_PROMOTE, "SIGUSR2", t);
    if (l->wished(WISH_PAUSE))
        (void)run_wish(r, l->plan, WISH_PAUSE, "SIGUSR1", t);
}

static void stop_by_signal(struct run *r, const struct plan *p, int number, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    r->signal = (uint8_t)number;
    (void)snprintf(text, sizeof text, "SIG%s came; a second signal breaks off", sigabbrev_np(number));
    run_stop(r, p, RUN_STOP_PERSON, text, t);
}

/* Those who watch see time pass, too. Returns how long may be waited until they are due again. */
static uint32_t tick(const struct loop *l, const struct run *r, uint32_t elapsed_ms, uint32_t *since_ms)
{
    if (l->tick == NULL)
        return UINT32_MAX;
    *since_ms = ms_later(*since_ms, elapsed_ms);
    if (*since_ms >= l->tick_ms) {
        l->tick(l->show_ctx, r);
        *since_ms = 0;
    }
    return l->tick_ms - *since_ms;
}

int loop_run(const struct loop *l)
{
    static struct input inputs[LOOP_INPUTS];
    struct run *r = run_new(l->plan);
    struct pending n = {0};
    int signals = 0, code;
    uint32_t wait_ms = 0, since_tick_ms = 0, tick_wait_ms;

    run_began_before(r, l->age_ms);
    begin(l, r, &n);
    while (!run_over(r) && signals < 2) {
        uint32_t elapsed_ms = 0;
        size_t n_inputs = l->world->ops->collect(l->world, wait_ms, inputs, LOOP_INPUTS, &elapsed_ms);
        int number = l->signal(&signals);

        n.oldest_ms += n.t.n_events > 0 ? elapsed_ms : 0;
        run_turn(r, l->plan, elapsed_ms, inputs, n_inputs, &n.t);
        wish_by_signal(l, r, &n.t);
        if (signals > 0)
            stop_by_signal(r, l->plan, number, &n.t);
        turn_around(l, r, &n, false);
        tick_wait_ms = tick(l, r, elapsed_ms, &since_tick_ms);
        wait_ms = run_wait_ms(r, l->plan);
        wait_ms = wait_ms < tick_wait_ms ? wait_ms : tick_wait_ms;
        if (n.t.n_events > 0 && wait_ms > LOOP_JOURNAL_MS)
            wait_ms = LOOP_JOURNAL_MS;
    }
    code = end(l, r, &n);
    turn_free(&n.t);
    run_free(&r);
    return code;
}
