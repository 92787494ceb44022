/* claim.h - who may change a service on this node now. The rules are pure; claim_store.h makes the state durable.
 *
 * A claim has a time to live; once that has run out, another rollout may take it over with a higher fence. The highest
 * fence ever seen never falls, and stays behind when the claim goes: a controller that was stopped in its tracks and
 * wakes up later has a lower one, and no effect. */
#ifndef AGENT_CLAIM_H
#define AGENT_CLAIM_H

#include <jansson.h>

#include "code.h"
#include "common/err.h"
#include "common/sha256.h"
#include "lock.h"

#define CLAIM_TTL_MAX_S    (7 * 24 * 3600)
#define CLAIM_VERSION_MAX  128
#define CLAIM_TOOK_OUT_MAX 1024
#define CLAIM_DEPTH_MAX    12 /* of took_out and before: they are kept and shown within other JSON, which has a limit */

struct claim {
    bool held; /* false: there is none, and nothing else here means anything */
    char rollout[WIRE_ID_MAX + 1];
    uint64_t fence; /* > 0 */
    uint32_t ttl_s;
    char holder[WIRE_HOLDER_MAX + 1];
    char target_sha256[SHA256_DIGITS + 1];      /* "" = null */
    char target_version[CLAIM_VERSION_MAX + 1]; /* "" = null */
    json_t *took_out;                           /* an array, owned; never NULL while held */
    json_t *before;                             /* an IDENT, owned; NULL = null */
    uint64_t due_ms;                            /* runs out then, by CLOCK_BOOTTIME */
    int64_t out_since_ms;                       /* took_out has not been empty since then; 0: it is. out.h */
};

struct claim_state {
    struct claim claim;
    uint64_t fence;                      /* the highest seen; 0: none yet */
    char fence_rollout[WIRE_ID_MAX + 1]; /* whose it is */
    struct lock lock;
};

/* What remains of the ttl; 0 = run out. Whole milliseconds. */
uint64_t claim_left_ms(const struct claim *claim, uint64_t now_ms);

/* The compare-and-set of PUT: whether `wanted` may stand now, given that the caller saw the fence `expect` there (0 =
 * none). JOB_OK, or CLAIM_HELD (the lock may be another's, too), FENCE_STALE, CLAIM_CHANGED (asked in this order: who
 * is refused by a living rollout is to learn that first). */
enum code claim_may_put(const struct claim_state *state, const struct claim *wanted, uint64_t expect, uint64_t now_ms);
/* DELETE: JOB_OK (also where there is none) or FENCE_STALE. */
enum code claim_may_drop(const struct claim_state *state, const struct owner *);
/* A job: JOB_OK, NO_CLAIM (none, or run out) or FENCE_STALE (another rollout's, or another fence). */
enum code claim_may_work(const struct claim_state *state, const char *rollout, uint64_t fence, uint64_t now_ms);

/* `next` becomes the state that holds after a PUT; took_out is shared (a new reference). */
void claim_put(const struct claim_state *state, const struct claim *wanted, uint64_t now_ms, struct claim_state *next);
void claim_state_clear(struct claim_state *state); /* gives took_out back */

/* Ids on the wire: 1 to `max` of [A-Za-z0-9._/-]. */
bool claim_id_ok(const char *id, size_t max);
/* What a body says of whose it is, of a claim or of a lock. */
bool claim_owner_ok(const char *rollout, const char *holder, uint64_t fence, uint64_t ttl_s, struct err *err);

/* A body of PUT; everything but due_ms is set on success. The claim is to be cleared by claim_clear. */
bool claim_from_json(const json_t *body, struct claim *claim, uint64_t *expect, struct err *err);
void claim_clear(struct claim *claim);
/* CLAIM of wire.h, null where there is none. `left` in whole seconds, rounded up. A new reference. */
json_t *claim_to_json(const struct claim *claim, uint64_t now_ms);

#endif
