#include "loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_TURN 64

struct loop {
    int epoll_fd;
    bool stopped;
    struct loop_timer *timers; /* few: a job, a claim a service, a probe a waiting request */
    struct epoll_event events[EVENTS_A_TURN];
    int event_count;
};

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL)
        abort();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop **loop)
{
    if (*loop == NULL)
        return;
    (void)close((*loop)->epoll_fd);
    free(*loop);
    *loop = NULL;
}

uint64_t loop_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool control(struct loop *loop, int op, struct loop_slot *slot, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = slot};

    return epoll_ctl(loop->epoll_fd, op, slot->fd, &event) == 0;
}

bool loop_add(struct loop *loop, struct loop_slot *slot, uint32_t epoll_events)
{
    return control(loop, EPOLL_CTL_ADD, slot, epoll_events);
}

void loop_change(struct loop *loop, struct loop_slot *slot, uint32_t epoll_events)
{
    (void)control(loop, EPOLL_CTL_MOD, slot, epoll_events);
}

void loop_remove(struct loop *loop, struct loop_slot *slot)
{
    (void)control(loop, EPOLL_CTL_DEL, slot, 0);
    for (int i = 0; i < loop->event_count; i++) { /* an event of this turn that has not been handed out yet */
        if (loop->events[i].data.ptr == slot)
            loop->events[i].data.ptr = NULL;
    }
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t in_ms, loop_fn *fn, void *ctx)
{
    loop_timer_stop(loop, timer);
    timer->due_ms = loop_now_ms() + in_ms;
    timer->fn = fn;
    timer->ctx = ctx;
    timer->armed = true;
    timer->next = loop->timers;
    loop->timers = timer;
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->armed)
        return;
    for (struct loop_timer **at = &loop->timers; *at != NULL; at = &(*at)->next) {
        if (*at == timer) {
            *at = timer->next;
            break;
        }
    }
    timer->armed = false;
}

static struct loop_timer *first_due(struct loop *loop)
{
    struct loop_timer *first = loop->timers;

    for (struct loop_timer *t = loop->timers; t != NULL; t = t->next) {
        if (t->due_ms < first->due_ms)
            first = t;
    }
    return first;
}

static int sleep_ms(struct loop *loop, uint64_t limit_ms)
{
    struct loop_timer *timer = first_due(loop);
    uint64_t now_ms = loop_now_ms();

    if (timer != NULL) {
        uint64_t timer_ms = timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;
        limit_ms = timer_ms < limit_ms ? timer_ms : limit_ms;
    }
    return limit_ms > 60000 ? 60000 : (int)limit_ms;
}

void loop_turn(struct loop *loop, uint64_t limit_ms)
{
    struct loop_timer *timer;
    uint64_t now_ms;

    loop->event_count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_A_TURN, sleep_ms(loop, limit_ms));
    for (int i = 0; i < loop->event_count; i++) {
        struct loop_slot *slot = loop->events[i].data.ptr;
        if (slot != NULL)
            slot->fn(slot->ctx);
    }
    loop->event_count = 0;
    now_ms = loop_now_ms();
    while ((timer = first_due(loop)) != NULL && timer->due_ms <= now_ms) {
        loop_timer_stop(loop, timer);
        timer->fn(timer->ctx);
    }
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped)
        loop_turn(loop, UINT64_MAX);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

void waiter_add(struct waiter **list, struct waiter *w)
{
    w->next = *list;
    *list = w;
}

void waiter_remove(struct waiter **list, struct waiter *w)
{
    for (; *list != NULL; list = &(*list)->next) {
        if (*list == w) {
            *list = w->next;
            return;
        }
    }
}

void waiter_wake(struct waiter **list)
{
    struct waiter *w;

    while ((w = *list) != NULL) {
        *list = w->next;
        w->fn(w->ctx);
    }
}
