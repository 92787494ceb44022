#include "lock.h"

#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "common/json.h"

uint64_t lock_left_ms(const struct lock *lock, uint64_t now_ms)
{
    return lock->held && lock->due_ms > now_ms ? lock->due_ms - now_ms : 0;
}

static bool same_holder(const struct lock *a, const struct lock *b)
{
    return strcmp(a->rollout, b->rollout) == 0 && strcmp(a->holder, b->holder) == 0;
}

bool lock_same(const struct lock *a, const struct lock *b)
{
    return a->held && b->held && a->fence == b->fence && same_holder(a, b);
}

enum code lock_may_put(const struct claim_state *state, const struct lock *wanted, uint64_t now_ms)
{
    const struct lock *there = &state->lock;

    if (lock_left_ms(there, now_ms) > 0 && !same_holder(there, wanted))
        return CODE_CLAIM_HELD;
    if (claim_left_ms(&state->claim, now_ms) > 0 && strcmp(state->claim.rollout, wanted->rollout) != 0)
        return CODE_CLAIM_HELD;
    if (wanted->fence < state->fence ||
        (wanted->fence == state->fence && strcmp(state->fence_rollout, wanted->rollout) != 0))
        return CODE_FENCE_STALE;
    if (there->held && there->fence == wanted->fence && !same_holder(there, wanted))
        return CODE_FENCE_STALE; /* its other job may wake up, and would be taken for this one */
    return CODE_JOB_OK;
}

bool owner_is(const struct owner *o, const char *rollout, const char *holder, uint64_t fence)
{
    return o->fence == fence && strcmp(o->rollout, rollout) == 0 &&
           (o->holder == NULL || strcmp(o->holder, holder) == 0);
}

enum code lock_may_drop(const struct claim_state *state, const struct owner *owner)
{
    const struct lock *there = &state->lock;

    if (!there->held || owner_is(owner, there->rollout, there->holder, there->fence))
        return CODE_JOB_OK;
    return CODE_FENCE_STALE;
}

static void share(const struct claim_state *state, struct claim_state *next)
{
    *next = *state;
    next->claim.took_out = json_incref(state->claim.took_out);
    next->claim.before = json_incref(state->claim.before);
}

void lock_put(const struct claim_state *state, const struct lock *wanted, uint64_t now_ms, struct claim_state *next)
{
    share(state, next);
    next->lock = *wanted;
    next->lock.held = true;
    next->lock.due_ms = now_ms + (uint64_t)wanted->ttl_s * 1000;
    if (wanted->fence >= state->fence) {
        next->fence = wanted->fence;
        memcpy(next->fence_rollout, wanted->rollout, sizeof next->fence_rollout);
    }
}

void lock_drop(const struct claim_state *state, struct claim_state *next)
{
    share(state, next);
    next->lock = (struct lock){0}; /* the fence stays */
}

bool lock_from_json(const json_t *body, struct lock *lock, struct err *err)
{
    const char *rollout, *holder;
    uint64_t ttl_s;

    *lock = (struct lock){0};
    if (!json_get_string(body, "rollout", &rollout, err) || !json_get_string(body, "holder", &holder, err) ||
        !json_get_uint(body, "fence", &lock->fence, err) || !json_get_uint(body, "ttl", &ttl_s, err))
        return false;
    if (!claim_owner_ok(rollout, holder, lock->fence, ttl_s, err))
        return false;
    (void)snprintf(lock->rollout, sizeof lock->rollout, "%s", rollout);
    (void)snprintf(lock->holder, sizeof lock->holder, "%s", holder);
    lock->ttl_s = (uint32_t)ttl_s;
    lock->held = true;
    return true;
}

json_t *lock_to_json(const struct lock *lock, uint64_t now_ms)
{
    if (!lock->held)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:I, s:s}", "rollout", lock->rollout, "fence", (json_int_t)lock->fence, "ttl",
                     (json_int_t)lock->ttl_s, "left", (json_int_t)((lock_left_ms(lock, now_ms) + 999) / 1000), "holder",
                     lock->holder);
}
