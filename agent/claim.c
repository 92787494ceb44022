#include "claim.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "ident.h"

uint64_t claim_left_ms(const struct claim *claim, uint64_t now_ms)
{
    return claim->held && claim->due_ms > now_ms ? claim->due_ms - now_ms : 0;
}

enum code claim_may_put(const struct claim_state *state, const struct claim *wanted, uint64_t expect, uint64_t now_ms)
{
    const struct claim *there = &state->claim;
    uint64_t seen = there->held ? there->fence : 0;
    bool equal = there->held && there->fence == wanted->fence;
    bool twin = equal && strcmp(there->holder, wanted->holder) != 0; /* a second run of it, that found the same fence */

    if (claim_left_ms(there, now_ms) > 0 && (twin || strcmp(there->rollout, wanted->rollout) != 0))
        return CODE_CLAIM_HELD;
    if (lock_left_ms(&state->lock, now_ms) > 0 && strcmp(state->lock.rollout, wanted->rollout) != 0)
        return CODE_CLAIM_HELD;
    if (wanted->fence < state->fence || twin ||
        (wanted->fence == state->fence && strcmp(state->fence_rollout, wanted->rollout) != 0))
        return CODE_FENCE_STALE;
    if (equal)
        return CODE_JOB_OK; /* the caller's own: a renewal, or a PUT whose answer got lost */
    return seen == expect ? CODE_JOB_OK : CODE_CLAIM_CHANGED;
}

enum code claim_may_drop(const struct claim_state *state, const struct owner *owner)
{
    const struct claim *there = &state->claim;

    if (!there->held || owner_is(owner, there->rollout, there->holder, there->fence))
        return CODE_JOB_OK;
    return CODE_FENCE_STALE;
}

enum code claim_may_work(const struct claim_state *state, const char *rollout, uint64_t fence, uint64_t now_ms)
{
    const struct claim *there = &state->claim;

    if (claim_left_ms(there, now_ms) == 0)
        return CODE_NO_CLAIM;
    return there->fence == fence && strcmp(there->rollout, rollout) == 0 ? CODE_JOB_OK : CODE_FENCE_STALE;
}

void claim_put(const struct claim_state *state, const struct claim *wanted, uint64_t now_ms, struct claim_state *next)
{
    *next = *state;
    next->claim = *wanted;
    next->claim.held = true;
    next->claim.due_ms = now_ms + (uint64_t)wanted->ttl_s * 1000;
    next->claim.took_out = json_incref(wanted->took_out);
    next->claim.before = json_incref(wanted->before);
    if (wanted->fence >= state->fence) {
        next->fence = wanted->fence;
        memcpy(next->fence_rollout, wanted->rollout, sizeof next->fence_rollout);
    }
}

void claim_clear(struct claim *claim)
{
    json_decref(claim->took_out);
    json_decref(claim->before);
    *claim = (struct claim){0};
}

void claim_state_clear(struct claim_state *state)
{
    claim_clear(&state->claim);
    *state = (struct claim_state){0};
}

bool claim_id_ok(const char *id, size_t max)
{
    size_t length = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-");

    return length > 0 && length <= max && id[length] == '\0';
}

static bool is_printable(const char *text, size_t max)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return length <= max;
}

static bool take_target(const json_t *target, struct claim *claim, struct err *err)
{
    const char *sha256 = json_opt_string(target, "sha256"), *version = json_opt_string(target, "version");
    uint8_t digest[SHA256_BYTES];

    if (!json_opt_is(target, "sha256", JSON_STRING) || (sha256 != NULL && !sha256_parse(sha256, digest)))
        return err_set(err, "\"target.sha256\" is not 64 lower-case hex digits");
    if (!json_opt_is(target, "version", JSON_STRING) || (version != NULL && !is_printable(version, CLAIM_VERSION_MAX)))
        return err_set(err, "\"target.version\" is not at most %d printable ASCII characters", CLAIM_VERSION_MAX);
    if (sha256 != NULL)
        (void)snprintf(claim->target_sha256, sizeof claim->target_sha256, "%s", sha256);
    if (version != NULL)
        (void)snprintf(claim->target_version, sizeof claim->target_version, "%s", version);
    return true;
}

/* Kept as the caller wrote it, so that repair gets back all that was recorded, also what we do not know. */
static bool check_took_out(const json_t *list, struct err *err)
{
    const json_t *entry;
    const char *text;
    size_t i;
    bool flag;

    if (json_array_size(list) > CLAIM_TOOK_OUT_MAX)
        return err_set(err, "\"took_out\" has more than %d entries", CLAIM_TOOK_OUT_MAX);
    json_array_foreach(list, i, entry)
    {
        const json_t *prior = json_opt_object(entry, "prior");
        if (!json_get_string(entry, "lb", &text, err) || !json_get_string(entry, "upstream", &text, err) ||
            !json_get_string(entry, "server", &text, err))
            return err_context(err, "\"took_out\"[%zu]", i);
        if (prior == NULL)
            return err_set(err, "\"took_out\"[%zu]: \"prior\" is missing", i);
        if (!json_get_bool(prior, "down", &flag, err) || !json_get_bool(prior, "drain", &flag, err))
            return err_context(err, "\"took_out\"[%zu].prior", i);
    }
    return true;
}

bool claim_owner_ok(const char *rollout, const char *holder, uint64_t fence, uint64_t ttl_s, struct err *err)
{
    if (!claim_id_ok(rollout, WIRE_ID_MAX))
        return err_set(err, "\"rollout\" is not 1 to %d of A-Z a-z 0-9 . _ / -", WIRE_ID_MAX);
    if (!is_printable(holder, WIRE_HOLDER_MAX))
        return err_set(err, "\"holder\" is not at most %d printable ASCII characters", WIRE_HOLDER_MAX);
    if (fence == 0)
        return err_set(err, "\"fence\" is 0; the first is 1");
    if (ttl_s == 0 || ttl_s > CLAIM_TTL_MAX_S)
        return err_set(err, "\"ttl\" is not 1 to %d seconds", CLAIM_TTL_MAX_S);
    return true;
}

bool claim_from_json(const json_t *body, struct claim *claim, uint64_t *expect, struct err *err)
{
    const char *rollout, *holder;
    json_t *took_out = json_opt_array(body, "took_out"), *before = json_opt_object(body, "before");
    struct ident ident;
    uint64_t ttl_s;

    *claim = (struct claim){0};
    if (!json_get_string(body, "rollout", &rollout, err) || !json_get_string(body, "holder", &holder, err) ||
        !json_get_uint(body, "fence", &claim->fence, err) || !json_get_uint(body, "ttl", &ttl_s, err) ||
        !json_get_uint(body, "expect", expect, err))
        return false;
    if (!claim_owner_ok(rollout, holder, claim->fence, ttl_s, err))
        return false;
    if (took_out == NULL)
        return err_set(err, "\"took_out\" is missing or no list");
    if (!json_opt_is(body, "before", JSON_OBJECT) || (before != NULL && !ident_from_json(before, &ident)))
        return err_set(err, "\"before\" names no process");
    if (!json_opt_is(body, "target", JSON_OBJECT))
        return err_set(err, "\"target\" is no object");
    if (!json_is_shallow(took_out, CLAIM_DEPTH_MAX) || !json_is_shallow(before, CLAIM_DEPTH_MAX))
        return err_set(err, "\"took_out\" or \"before\" is nested deeper than %d levels", CLAIM_DEPTH_MAX);
    if (!check_took_out(took_out, err) || !take_target(json_opt_object(body, "target"), claim, err))
        return false;
    (void)snprintf(claim->rollout, sizeof claim->rollout, "%s", rollout);
    (void)snprintf(claim->holder, sizeof claim->holder, "%s", holder);
    claim->ttl_s = (uint32_t)ttl_s;
    claim->took_out = json_incref(took_out);
    claim->before = json_incref(before);
    claim->held = true;
    return true;
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *claim_to_json(const struct claim *claim, uint64_t now_ms)
{
    if (!claim->held)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:{s:o, s:o}, s:O, s:o}", "rollout", claim->rollout, "fence",
                     (json_int_t)claim->fence, "ttl", (json_int_t)claim->ttl_s, "left",
                     (json_int_t)((claim_left_ms(claim, now_ms) + 999) / 1000), "holder", claim->holder, "target",
                     "sha256", text_or_null(claim->target_sha256), "version", text_or_null(claim->target_version),
                     "took_out", claim->took_out, "before",
                     claim->before != NULL ? json_incref(claim->before) : json_null());
}
