/* clock.h - a library for LD_PRELOAD in whose programs the wall clock is set: what CLOCK_REALTIME, time() and
 * gettimeofday() say is so many milliseconds later. The other clocks go on, as they do where somebody sets the time.
 * All programs that map one file are set at the same moment.
 *
 *   CLOCK_FILE=PATH   of sizeof(int64_t) bytes, mapped once, at the start; without it the library changes nothing */
#ifndef SWEEP_CLOCK_H
#define SWEEP_CLOCK_H

#include <stdint.h>

typedef _Atomic int64_t clock_shift; /* what is in the file: ms */

#endif
