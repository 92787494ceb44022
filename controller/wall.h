/* wall.h - the time that people's clocks show. For them only: nothing is decided by it. */
#ifndef CONTROLLER_WALL_H
#define CONTROLLER_WALL_H

#include <stdint.h>

/* From now on wall_now_ms() is what the clock says now and what has passed since, sleep of the machine included: who
 * sets the clock meanwhile changes neither the order of what is told nor how long things took. Of the process. */
void wall_begin(void);

/* Milliseconds since the Unix epoch. */
int64_t wall_now_ms(void);

/* How long it is from one such time to another: 0 where the second is earlier, since they may be of two processes
 * between which the clock was set. */
static inline uint64_t wall_passed_ms(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (uint64_t)(to_ms - from_ms) : 0;
}

#endif
