/* clock.h - the steady clocks of everything that waits: in ms since some moment before the program began. Nobody sets
 * them, and they go on while we are stopped. For people's times see wall.h. Not for the core, which is told what has
 * passed. */
#ifndef CONTROLLER_CLOCK_H
#define CONTROLLER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_of_ms(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Goes on while this machine is suspended, as the leases, claims and votes that others hold for us do. */
static inline int64_t clock_ms(void)
{
    return clock_of_ms(CLOCK_BOOTTIME);
}

/* Stands still meanwhile, as the timers of libcurl and of the kernel do: for these alone. */
static inline int64_t clock_awake_ms(void)
{
    return clock_of_ms(CLOCK_MONOTONIC);
}

#endif
