/* lease.h - who may change an upstream: the rule of Rollout-Fence, Rollout-Id, Rollout-Ttl and Rollout-Holder.
 *
 * One lease an upstream. It is held by one controller (id and holder) until its time has run out or it was given back
 * (ttl 0). The id alone does not tell two apart: it may be a pipeline's, and two of its jobs at work. The fence is a
 * number that only rises: a lease is granted only to the highest one seen, and a fence belongs to the controller that
 * brought it first. Pure: time comes in, and the caller holds the lock. */
#ifndef API_LEASE_H
#define API_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_ID_MAX     128
#define LEASE_HOLDER_MAX 128
#define LEASE_TTL_MAX_S  3600
#define LEASE_FENCE_MAX  INT64_MAX /* what every JSON reader takes as an integer */

struct lease {
    uint64_t fence;      /* highest seen; 0 = never leased */
    uint64_t expires_ms; /* monotonic */
    char id[LEASE_ID_MAX + 1];
    char holder[LEASE_HOLDER_MAX + 1];
};

/* What a request asks for. */
struct lease_ask {
    uint64_t fence;
    uint32_t ttl_s; /* 0 gives the lease back */
    char id[LEASE_ID_MAX + 1];
    char holder[LEASE_HOLDER_MAX + 1];
};

enum lease_verdict {
    LEASE_GRANTED,
    LEASE_HELD,  /* by another controller, whose time has not run out */
    LEASE_STALE, /* a higher fence was seen, or this one is another controller's */
};

/* Seconds left, rounded up: 0 only when nobody holds it. */
uint32_t lease_left_s(const struct lease *lease, uint64_t now_ms);

enum lease_verdict lease_judge(const struct lease *lease, const struct lease_ask *ask, uint64_t now_ms);

/* Only after LEASE_GRANTED. */
void lease_store(struct lease *lease, const struct lease_ask *ask, uint64_t now_ms);

/* One header's text into the request. False = the text is not what lease_headers.def says. */
bool lease_read_fence(struct lease_ask *ask, const char *text, size_t size_bytes);
bool lease_read_id(struct lease_ask *ask, const char *text, size_t size_bytes);
bool lease_read_ttl(struct lease_ask *ask, const char *text, size_t size_bytes);
bool lease_read_holder(struct lease_ask *ask, const char *text, size_t size_bytes);

#endif
