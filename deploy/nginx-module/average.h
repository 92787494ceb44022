/* average.h - a moving average of milliseconds in one word that many processes add to. Pure.
 *
 * Each new time weighs an eighth, so that what the servers do now shows after some twenty requests; the first one is
 * taken as it is. The word: 0 = no time yet; else 1 more than the average in 1/256 ms. */
#ifndef API_AVERAGE_H
#define API_AVERAGE_H

#include <stdbool.h>
#include <stdint.h>

/* One atomic exchange: of two that add at once, none is lost. Times above some 2 days count as that. */
void average_add(uint64_t *average, uint64_t ms);

/* From a copy of the word. False = no time yet. *ms is rounded. */
bool average_read(uint64_t average, uint64_t *ms);

#endif
