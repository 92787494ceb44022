/* counts.h - what was sent to a peer and what came of it, since the peer is there: kept in the shared zone, so over
 * reloads, and added to by the workers of every generation.
 *
 * A worker adds with one atomic instruction a number, without a lock (these functions are inline, being in the way of
 * each request): nothing is lost to a race, and of a killed worker
 * no more than what it had not heard the end of. Only `outage` is under the zone's lock, and the list of codes to grow.
 */
#ifndef API_COUNTS_H
#define API_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "average.h"
#include "outage.h"

/* http and stream measure what each has. */
enum counts_times {
    COUNTS_CONNECT,
    COUNTS_FIRST, /* to the whole head of an answer (http), to the first byte (stream) */
    COUNTS_RESPONSE,
    COUNTS_TIMES,
};

/* How one attempt at a peer ended. */
struct attempt {
    uint64_t sent_bytes, received_bytes;
    unsigned status;               /* of the answer whose head came whole; 0 = there is none */
    int64_t time_ms[COUNTS_TIMES]; /* negative = it did not come to that, or nobody asks for it */
};

#define COUNTS_CLASSES 6 /* 1xx to 5xx, and 0 for other statuses */

/* In the order of their first coming. Never taken off the list while the peer lives. */
struct counts_code {
    struct counts_code *next;
    uint64_t n;
    uint32_t status;
};

struct counts {
    uint64_t selections;  /* attempts: requests of http, connections of stream. Counted when they begin */
    uint64_t selected_ms; /* the last one; UTC, 0 = none */
    uint64_t sent_bytes, received_bytes;
    uint64_t fails;
    struct counts_code *codes;
    uint64_t uncoded[COUNTS_CLASSES]; /* answers for whose code the zone had no memory */
    uint64_t averages[COUNTS_TIMES];  /* see average.h */
    struct outage outage;
};

static inline unsigned counts_class(unsigned status)
{
    return status >= 100 && status < 600 ? status / 100 : 0;
}

static inline void counts_selected(struct counts *counts, uint64_t utc_ms)
{
    __atomic_fetch_add(&counts->selections, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&counts->selected_ms, utc_ms, __ATOMIC_RELAXED);
}

/* NULL = no answer has had it yet. */
static inline struct counts_code *counts_code_find(const struct counts *counts, unsigned status)
{
    struct counts_code *code = __atomic_load_n(&counts->codes, __ATOMIC_ACQUIRE);

    while (code != NULL && code->status != status) {
        code = __atomic_load_n(&code->next, __ATOMIC_ACQUIRE);
    }
    return code;
}

/* Under the lock: `code` is new, and no other has its status. */
void counts_code_append(struct counts *counts, struct counts_code *code);

static inline void counts_time(struct counts *counts, enum counts_times which, const struct attempt *attempt)
{
    if (attempt->time_ms[which] >= 0) {
        average_add(&counts->averages[which], (uint64_t)attempt->time_ms[which]);
    }
}

/* All but the answer and the outage. */
static inline void counts_ended(struct counts *counts, const struct attempt *attempt, bool failed)
{
    __atomic_fetch_add(&counts->sent_bytes, attempt->sent_bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->received_bytes, attempt->received_bytes, __ATOMIC_RELAXED);
    counts_time(counts, COUNTS_CONNECT, attempt);
    counts_time(counts, COUNTS_FIRST, attempt);
    if (failed) {
        __atomic_fetch_add(&counts->fails, 1, __ATOMIC_RELAXED);
    } else { /* what came of a failed one was not taken for an answer */
        counts_time(counts, COUNTS_RESPONSE, attempt);
    }
}

/* A peer that has come back starts at 0. The codes stay, without answers: an old worker may be looking. Under the lock.
 */
void counts_reset(struct counts *counts);

#endif
