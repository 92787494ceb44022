#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "run.h"

#define LOOP_INPUTS 256

static int64_t wall_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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

/* Events first, durable, then shown: nothing that is not in the journal has left. */
static void settle_events(const struct loop *l, struct run *r, struct turn *t, struct backlog *b)
{
    int64_t now = wall_now_ms();
    struct err err = {.text = ""};
    bool written = r->stop != RUN_STOP_STORE && b->n == 0 && !b->lost; /* in order, or not at all */

    for (size_t i = 0; i < t->n_events; i++)
        t->events[i].wall_ms = now;
    if (t->n_events > 0 && written && !l->store->ops->append(l->store, t->events, t->n_events, &err)) {
        size_t before = t->n_events;
        char text[sizeof err.text + 64];

        written = false;
        (void)snprintf(text, sizeof text, "the journal cannot be written: %s", err.text);
        run_stop(r, l->plan, RUN_STOP_STORE, text, t);
        run_withhold(r, l->plan, t);
        for (size_t i = before; i < t->n_events; i++)
            t->events[i].wall_ms = now;
    }
    if (!written)
        keep_events(b, t);
    for (size_t i = 0; i < t->n_events; i++) {
        view_feed(l->view, &t->events[i]);
        l->show(l->show_ctx, l->view, &t->events[i]);
    }
}

static void turn_around(const struct loop *l, struct run *r, struct turn *t, struct backlog *b)
{
    settle_events(l, r, t, b);
    for (size_t i = 0; i < t->n_actions; i++)
        l->world->ops->start(l->world, &t->actions[i]);
    turn_clear(t);
}

static void begin(const struct loop *l, struct run *r, struct turn *t, struct backlog *b)
{
    char *packed = plan_pack(l->plan);

    turn_event(t, l->plan, EVENT_BEGAN, NULL)->payload = packed;
    turn_around(l, r, t, b);
    free(packed);
}

static int end(const struct loop *l, struct run *r, struct turn *t, struct backlog *b)
{
    int count, code = run_exit_code(r, l->signal(&count));

    turn_event(t, l->plan, EVENT_ENDED, NULL)->code = code;
    turn_around(l, r, t, b);
    if (b->n > 0)
        (void)l->store->ops->append(l->store, b->events, b->n, NULL);
    free(b->events);
    return code;
}

static void stop_by_signal(struct run *r, const struct plan *p, int number, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    (void)snprintf(text, sizeof text, "SIG%s came; a second signal breaks off", sigabbrev_np(number));
    run_stop(r, p, RUN_STOP_PERSON, text, t);
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

int loop_run(const struct loop *l)
{
    static struct input inputs[LOOP_INPUTS];
    struct run *r = run_new(l->plan);
    struct turn t = {0};
    struct backlog b = {0};
    int signals = 0, code;
    uint32_t wait_ms = 0;

    begin(l, r, &t, &b);
    while (!run_over(r) && signals < 2) {
        uint32_t elapsed_ms = 0;
        size_t n = l->world->ops->collect(l->world, wait_ms, inputs, LOOP_INPUTS, &elapsed_ms);
        int number = l->signal(&signals);

        run_turn(r, l->plan, elapsed_ms, inputs, n, &t);
        wish_by_signal(l, r, &t);
        if (signals > 0)
            stop_by_signal(r, l->plan, number, &t);
        turn_around(l, r, &t, &b);
        wait_ms = run_wait_ms(r, l->plan);
    }
    code = end(l, r, &t, &b);
    turn_free(&t);
    run_free(&r);
    return code;
}
