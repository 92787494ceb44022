/* lock.h - this node's vote on which rollout may change load balancers that have no lease of their own (NGINX Plus).
 *
 * A rollout has the lock while a majority of the fleet's agents hold theirs for it. It stands beside the claim, in a
 * place of its own: a node is claimed and unclaimed while the lock stays, and no renewal of the lock can arrive late
 * and overwrite what a claim says was taken out. Both share the fence, and neither is given while the other is a living
 * rollout's. One holder is one process: two jobs of a pipeline may have one id. Pure; durable with the claim. */
#ifndef AGENT_LOCK_H
#define AGENT_LOCK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "code.h"
#include "common/err.h"

struct claim_state;

struct lock {
    bool held; /* false: there is none, and nothing else here means anything */
    char rollout[WIRE_ID_MAX + 1];
    char holder[WIRE_HOLDER_MAX + 1];
    uint64_t fence; /* > 0 */
    uint32_t ttl_s;
    uint64_t due_ms; /* runs out then, by CLOCK_BOOTTIME */
};

/* Who gives a claim or a lock back; holder NULL: he does not say which run of the rollout he is. */
struct owner {
    const char *rollout, *holder;
    uint64_t fence;
};

bool owner_is(const struct owner *, const char *rollout, const char *holder, uint64_t fence);

uint64_t lock_left_ms(const struct lock *lock, uint64_t now_ms);
bool lock_same(const struct lock *a, const struct lock *b); /* one rollout, holder and fence */

/* PUT: JOB_OK; CLAIM_HELD while lock or claim are a living other's; FENCE_STALE when a higher fence was seen, or this
 * one of somebody else. */
enum code lock_may_put(const struct claim_state *state, const struct lock *wanted, uint64_t now_ms);
/* DELETE: JOB_OK (also where there is none) or FENCE_STALE. */
enum code lock_may_drop(const struct claim_state *state, const struct owner *);

/* `next` becomes the state that holds after a PUT; the claim is shared (new references). */
void lock_put(const struct claim_state *state, const struct lock *wanted, uint64_t now_ms, struct claim_state *next);
void lock_drop(const struct claim_state *state, struct claim_state *next);

/* A body of PUT; all but due_ms is set. */
bool lock_from_json(const json_t *body, struct lock *lock, struct err *err);
/* LOCK of wire.h, null where there is none. A new reference. */
json_t *lock_to_json(const struct lock *lock, uint64_t now_ms);

#endif
