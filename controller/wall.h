/* wall.h - the time that people's clocks show. For them only: nothing is decided by it. */
#ifndef CONTROLLER_WALL_H
#define CONTROLLER_WALL_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since the Unix epoch. */
static inline int64_t wall_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
