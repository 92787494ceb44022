/* timer.h - one-shot timers of the one loop, to the microsecond: a drain of 100 ms is not one of 101. */
#ifndef BENCH_TIMER_H
#define BENCH_TIMER_H

#include <stdint.h>

struct timer { /* all zero = not set */
    int64_t at_ns;
    uint32_t place; /* in the heap, from 1; 0 = not set */
    void (*fire)(struct timer *);
};

int64_t timer_now_ns(void); /* CLOCK_MONOTONIC */
/* Sets it anew if it was set. `fire` runs once in timers_run, and may set it again. */
void timer_set(struct timer *, int64_t at_ns, void (*fire)(struct timer *));
void timer_stop(struct timer *);

/* All that are due; then when the next one is, INT64_MAX = none. */
int64_t timers_run(void);
void timers_free(void);

#endif
