#include "timer.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "common/mem.h"

static struct timer **heap; /* heap[1] is the next one */
static uint32_t n, room;

int64_t timer_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void place(struct timer *t, uint32_t at)
{
    heap[at] = t;
    t->place = at;
}

static void rise(struct timer *t, uint32_t at)
{
    while (at > 1 && heap[at / 2]->at_ns > t->at_ns) {
        place(heap[at / 2], at);
        at /= 2;
    }
    place(t, at);
}

static void sink(struct timer *t, uint32_t at)
{
    for (;;) {
        uint32_t child = at * 2;

        if (child < n && heap[child + 1]->at_ns < heap[child]->at_ns)
            child++;
        if (child > n || heap[child]->at_ns >= t->at_ns)
            break;
        place(heap[child], at);
        at = child;
    }
    place(t, at);
}

void timer_stop(struct timer *t)
{
    uint32_t at = t->place;

    if (at == 0)
        return;
    t->place = 0;
    struct timer *last = heap[n--];
    if (last == t)
        return;
    if (at > 1 && heap[at / 2]->at_ns > last->at_ns)
        rise(last, at);
    else
        sink(last, at);
}

void timer_set(struct timer *t, int64_t at_ns, void (*fire)(struct timer *))
{
    timer_stop(t);
    if (n + 1 >= room) {
        room = room * 2 + 64;
        heap = mem_grow(heap, room, sizeof(struct timer *));
    }
    t->at_ns = at_ns;
    t->fire = fire;
    rise(t, ++n);
}

int64_t timers_run(void)
{
    while (n > 0 && heap[1]->at_ns <= timer_now_ns()) {
        struct timer *t = heap[1];

        timer_stop(t);
        t->fire(t);
    }
    return n > 0 ? heap[1]->at_ns : INT64_MAX;
}

void timers_free(void)
{
    free(heap);
    heap = NULL;
    n = room = 0;
}
