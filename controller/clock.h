/* clock.h - the steady clock of everything that waits: in ms since some moment before the program began. Nobody sets
 * it, and it goes on while we are stopped. For people's times see wall.h. Not for the core, which is told what has
 * passed. */
#ifndef CONTROLLER_CLOCK_H
#define CONTROLLER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
