/* clock.h - a library for LD_PRELOAD in whose programs the wall clock is set: what CLOCK_REALTIME, time() and
 * gettimeofday() say is so many milliseconds later. The other clocks go on, as they do where somebody sets the time.
 * Or their machine was suspended for so long: CLOCK_MONOTONIC is behind by that, and CLOCK_BOOTTIME is not.
 * All programs that map one file are set at the same moment.
 *
 *   CLOCK_FILE=PATH   of sizeof(clock_shift) bytes, mapped once, at the start; without it the library changes nothing
 */
#ifndef SWEEP_CLOCK_H
#define SWEEP_CLOCK_H

#include <stdint.h>

typedef struct {
    _Atomic int64_t set_ms, slept_ms;
} clock_shift; /* what is in the file */

#endif
