#include "claim_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "file.h"

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t claim_store_now_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

/* LOCK, and when it runs out. */
static json_t *lock_json(const struct lock *lock, uint64_t now_ms)
{
    json_t *o = lock_to_json(lock, now_ms);

    if (json_is_object(o)) {
        (void)json_object_set_new(o, "due_boottime_ms", json_integer((json_int_t)lock->due_ms));
        (void)json_object_set_new(o, "due_unix_ms",
                                  json_integer((json_int_t)(clock_ms(CLOCK_REALTIME) + lock_left_ms(lock, now_ms))));
    }
    return o;
}

/* 0 where nothing is out. */
static json_int_t out_since_unix_ms(const struct claim *claim, uint64_t now_ms)
{
    return claim->out_since_ms == 0
               ? 0
               : (json_int_t)clock_ms(CLOCK_REALTIME) - ((json_int_t)now_ms - (json_int_t)claim->out_since_ms);
}

/* What an agent of before wrote has the wall clock's alone. */
static int64_t out_since_ms_of(const json_t *root, bool same_boot)
{
    const json_t *since = json_object_get(root, "out_since_boottime_ms");
    int64_t unix_ms = (int64_t)clock_ms(CLOCK_REALTIME), now_ms = (int64_t)claim_store_now_ms();
    int64_t since_unix_ms = (int64_t)json_opt_uint(root, "out_since_unix_ms", 0);

    if (same_boot && json_is_integer(since))
        return json_integer_value(since);
    if (since_unix_ms == 0)
        return 0;
    return since_unix_ms < unix_ms ? now_ms - (unix_ms - since_unix_ms) : now_ms;
}

bool claim_store_save(const char *path, const char *boot_id, const struct claim_state *state, struct err *err)
{
    uint64_t now_ms = claim_store_now_ms(), left_ms = claim_left_ms(&state->claim, now_ms);
    json_t *root =
        json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "fence", (json_int_t)state->fence, "fence_rollout",
                  state->fence_rollout, "boot_id", boot_id, "due_boottime_ms", (json_int_t)state->claim.due_ms,
                  "due_unix_ms", (json_int_t)(clock_ms(CLOCK_REALTIME) + left_ms), "out_since_boottime_ms",
                  (json_int_t)state->claim.out_since_ms, "out_since_unix_ms", out_since_unix_ms(&state->claim, now_ms),
                  "claim", claim_to_json(&state->claim, now_ms), "lock", lock_json(&state->lock, now_ms));
    bool ok = root != NULL ? file_write_json(path, root, err) : err_set(err, "cannot write %s: out of memory", path);

    json_decref(root);
    return ok;
}

static uint64_t due_ms_of(const json_t *of, bool same_boot, uint32_t ttl_s)
{
    uint64_t now_ms = claim_store_now_ms(), unix_ms = clock_ms(CLOCK_REALTIME);
    uint64_t due_unix_ms = json_opt_uint(of, "due_unix_ms", 0);
    uint64_t left_ms = due_unix_ms > unix_ms ? due_unix_ms - unix_ms : 0;

    if (same_boot)
        return json_opt_uint(of, "due_boottime_ms", 0);
    return now_ms + (left_ms < (uint64_t)ttl_s * 1000 ? left_ms : (uint64_t)ttl_s * 1000);
}

/* An agent of before there were locks wrote none. */
static bool take_lock(const json_t *o, bool same_boot, struct lock *lock, struct err *err)
{
    if (!json_is_object(o))
        return true;
    if (!lock_from_json(o, lock, err))
        return err_context(err, "\"lock\"");
    lock->due_ms = due_ms_of(o, same_boot, lock->ttl_s);
    return true;
}

static bool take_state(json_t *root, const char *boot_id, struct claim_state *state, struct err *err)
{
    json_t *claim = json_object_get(root, "claim");
    const char *rollout, *boot = json_opt_string(root, "boot_id");
    bool same_boot = boot != NULL && strcmp(boot, boot_id) == 0;
    uint64_t expect;

    if (!json_get_uint(root, "fence", &state->fence, err) || !json_get_string(root, "fence_rollout", &rollout, err))
        return false;
    if (strlen(rollout) >= sizeof state->fence_rollout)
        return err_set(err, "\"fence_rollout\" is too long");
    (void)snprintf(state->fence_rollout, sizeof state->fence_rollout, "%s", rollout);
    if (!take_lock(json_object_get(root, "lock"), same_boot, &state->lock, err))
        return false;
    if (claim == NULL)
        return err_set(err, "\"claim\" is missing");
    if (json_is_null(claim))
        return true;
    (void)json_object_set_new(claim, "expect", json_integer(0)); /* the form of a body of PUT */
    if (!claim_from_json(claim, &state->claim, &expect, err))
        return err_context(err, "\"claim\"");
    state->claim.out_since_ms = out_since_ms_of(root, same_boot);
    state->claim.due_ms = due_ms_of(root, same_boot, state->claim.ttl_s);
    return true;
}

bool claim_store_load(const char *path, const char *boot_id, struct claim_state *state, struct err *err)
{
    json_t *root;
    bool ok;

    *state = (struct claim_state){0};
    if (!file_read_json(path, &root, err))
        return false;
    if (root == NULL)
        return true;
    ok = take_state(root, boot_id, state, err);
    if (!ok)
        err_context(err, "%s", path);
    json_decref(root);
    return ok;
}
