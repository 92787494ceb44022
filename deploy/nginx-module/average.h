/* average.h - a moving average of milliseconds in one word that many processes add to. Pure.
 *
 * Each new time weighs an eighth, so that what the servers do now shows after some twenty requests; the first one is
 * taken as it is. The word: 0 = no time yet; else 1 more than the average in 1/256 ms. */
#ifndef API_AVERAGE_H
#define API_AVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#define AVERAGE_PARTS 256 /* of a millisecond */

/* One atomic exchange: of two that add at once, none is lost. In each request's way, so inline. */
static inline void average_add(uint64_t *average, uint64_t ms)
{
    uint64_t old = __atomic_load_n(average, __ATOMIC_RELAXED), next;
    int64_t word = (int64_t)(ms * AVERAGE_PARTS) + 1;

    do {
        next = old == 0 ? (uint64_t)word : (uint64_t)((int64_t)old + ((word - (int64_t)old) >> 3));
    } while (!__atomic_compare_exchange_n(average, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* From a copy of the word. False = no time yet. *ms is rounded. */
static inline bool average_read(uint64_t average, uint64_t *ms)
{
    if (average == 0) {
        return false;
    }
    *ms = (average - 1 + AVERAGE_PARTS / 2) / AVERAGE_PARTS;
    return true;
}

#endif
