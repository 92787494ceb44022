/* outage.h - how often and how long nginx gave up on a peer: `unavail`, `downtime` and `downstart` of the API. Pure:
 * the times come in, and the caller holds the lock.
 *
 * nginx gives up on a peer when its failures in a row reach max_fails. For fail_timeout nobody selects it; then one
 * request tries it, and while that is under way or has failed, nobody does for another fail_timeout. An attempt that
 * succeeds ends it. Being unavailable is counted once, however many tries fail; the time is that in which nobody was
 * let through, so a peer that has waited out its fail_timeout without being asked for is not down meanwhile. */
#ifndef API_OUTAGE_H
#define API_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct outage {
    uint64_t times;
    uint64_t total_ms; /* of the spans that are over */
    uint64_t since_ms; /* monotonic; the span, may be over; 0 = none */
    uint64_t until_ms; /* its end, where nothing is heard before */
    uint64_t start_ms; /* UTC; when it was given up on */
    bool given_up;     /* and no attempt has succeeded since */
};

/* A failure after which nobody selects it until then. */
void outage_fail(struct outage *outage, uint64_t now_ms, uint64_t utc_ms, uint64_t until_ms);

/* It has been selected though given up on: nobody else does until then. */
void outage_try(struct outage *outage, uint64_t now_ms, uint64_t until_ms);

/* It is available again, or is out for another reason. */
void outage_end(struct outage *outage, uint64_t now_ms);

uint64_t outage_total_ms(const struct outage *outage, uint64_t now_ms);
bool outage_lasts(const struct outage *outage, uint64_t now_ms);

#endif
