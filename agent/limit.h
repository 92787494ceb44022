/* limit.h - how many requests a second one peer may make. Pure. Who makes more is not refused, but waits its turn: a
 * rollout in a hurry is no attack, and an attack gains nothing. */
#ifndef AGENT_LIMIT_H
#define AGENT_LIMIT_H

#include <stdint.h>

#define LIMIT_BURST_S 2 /* after a silence so many seconds' worth may come at once */

/* Zeroed: nobody has come yet. */
struct limit_rate {
    uint64_t next_ms1000; /* thousandths of a millisecond: when one more would be on time, were they evenly spread */
};

/* A request comes at now_ms. 0: it is counted, and may go on; else it is not, and may be asked for again after so many
 * milliseconds. per_s > 0. */
uint64_t limit_take(struct limit_rate *rate, uint32_t per_s, uint64_t now_ms);

#endif
