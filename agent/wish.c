#include "wish.h"

#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "common/json.h"

const char *wish_word(enum wish_kind kind)
{
    static const char *const words[] = {
#define X(name, word, caution) word,
        WIRE_WISHES(X)
#undef X
    };

    return words[kind];
}

static bool is_there(const struct wish *w, uint64_t now_ms)
{
    return w->id != 0 && now_ms - w->put_ms < (uint64_t)WIRE_WISH_MAX_S * 1000;
}

const struct wish *wishes_find(const struct wishes *wishes, const char *rollout, uint64_t now_ms)
{
    for (size_t i = 0; i < WIRE_WISH_KEPT; i++)
        if (is_there(&wishes->kept[i], now_ms) && strcmp(wishes->kept[i].rollout, rollout) == 0)
            return &wishes->kept[i];
    return NULL;
}

const struct wish *wishes_latest(const struct wishes *wishes, uint64_t now_ms)
{
    const struct wish *latest = NULL;

    for (size_t i = 0; i < WIRE_WISH_KEPT; i++) {
        const struct wish *w = &wishes->kept[i];

        if (is_there(w, now_ms) && (latest == NULL || w->put_ms > latest->put_ms))
            latest = w;
    }
    return latest;
}

/* The rollout's own, one that is free or forgotten, else the oldest. */
static struct wish *place(struct wishes *wishes, const char *rollout, uint64_t now_ms)
{
    const struct wish *own = wishes_find(wishes, rollout, now_ms);
    struct wish *best = &wishes->kept[0];

    for (size_t i = 0; i < WIRE_WISH_KEPT; i++) {
        struct wish *w = &wishes->kept[i];

        if (w == own)
            return w;
        if (is_there(best, now_ms) && (!is_there(w, now_ms) || w->put_ms < best->put_ms))
            best = w;
    }
    return best;
}

static int caution_of(enum wish_kind kind)
{
    static const int cautions[] = {
#define X(name, word, caution) caution,
        WIRE_WISHES(X)
#undef X
    };

    return cautions[kind];
}

static bool goes_first(const struct wish *w, const struct wish *wanted, uint64_t now_ms)
{
    bool heard_of = w->taken ? now_ms - w->taken_ms >= (uint64_t)WIRE_WISH_HEARD_S * 1000
                             : now_ms - w->put_ms >= (uint64_t)WIRE_WISH_FIRST_S * 1000;

    return caution_of(w->kind) > caution_of(wanted->kind) && !heard_of;
}

enum code wishes_put(struct wishes *wishes, const struct wish *wanted, uint64_t now_ms)
{
    struct wish *w = place(wishes, wanted->rollout, now_ms);

    if (is_there(w, now_ms) && strcmp(w->rollout, wanted->rollout) == 0) {
        if (w->id == wanted->id)
            return w->kind == wanted->kind ? CODE_JOB_OK : CODE_BAD_REQUEST;
        if (goes_first(w, wanted, now_ms))
            return CODE_WISH_STANDS;
    }
    *w = *wanted;
    w->put_ms = now_ms;
    w->taken = w->effect = false;
    w->taker[0] = '\0';
    return CODE_JOB_OK;
}

enum code wishes_take(struct wishes *wishes, const struct wish *taken, uint64_t now_ms)
{
    struct wish *w = (struct wish *)wishes_find(wishes, taken->rollout, now_ms);

    if (w == NULL || w->id != taken->id)
        return CODE_NOT_FOUND;
    if (!w->taken) {
        w->taken = true;
        w->taken_ms = now_ms;
        w->effect = taken->effect;
        memcpy(w->taker, taken->taker, sizeof w->taker);
    }
    return CODE_JOB_OK;
}

/* ---- on the wire */

static bool take_holder(const json_t *body, char holder[WIRE_HOLDER_MAX + 1], struct err *err)
{
    const char *text;

    if (!json_get_string(body, "holder", &text, err))
        return false;
    if (strlen(text) > WIRE_HOLDER_MAX)
        return err_set(err, "\"holder\" has more than %d characters", WIRE_HOLDER_MAX);
    for (const char *c = text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            return err_set(err, "\"holder\" is not printable ASCII");
    (void)snprintf(holder, WIRE_HOLDER_MAX + 1, "%s", text);
    return true;
}

static bool take_rollout_and_id(const json_t *body, struct wish *wish, struct err *err)
{
    const char *rollout;

    *wish = (struct wish){.id = 0};
    if (!json_get_string(body, "rollout", &rollout, err) || !json_get_uint(body, "id", &wish->id, err))
        return false;
    if (!claim_id_ok(rollout, WIRE_ID_MAX))
        return err_set(err, "\"rollout\" is not 1 to %d of A-Z a-z 0-9 . _ / -", WIRE_ID_MAX);
    if (wish->id == 0)
        return err_set(err, "\"id\" is 0; the first is 1");
    (void)snprintf(wish->rollout, sizeof wish->rollout, "%s", rollout);
    return true;
}

bool wish_from_json(const json_t *body, struct wish *wish, struct err *err)
{
    const char *word;
    int kind = 0;

    if (!take_rollout_and_id(body, wish, err) || !json_get_string(body, "wish", &word, err) ||
        !take_holder(body, wish->holder, err))
        return false;
    while (kind < WISH_COUNT && strcmp(wish_word((enum wish_kind)kind), word) != 0)
        kind++;
    wish->kind = (enum wish_kind)kind;
    return kind < WISH_COUNT || err_set(err, "\"wish\" is none of pause, abort, promote");
}

bool wish_taken_from_json(const json_t *body, struct wish *wish, struct err *err)
{
    return take_rollout_and_id(body, wish, err) && take_holder(body, wish->taker, err) &&
           json_get_bool(body, "effect", &wish->effect, err);
}

json_t *wish_to_json(const struct wish *wish, uint64_t now_ms)
{
    if (wish == NULL)
        return json_null();
    return json_pack(
        "{s:s, s:I, s:s, s:s, s:I, s:o}", "rollout", wish->rollout, "id", (json_int_t)wish->id, "wish",
        wish_word(wish->kind), "holder", wish->holder, "age_ms", (json_int_t)(now_ms - wish->put_ms), "taken",
        wish->taken ? json_pack("{s:s, s:b}", "holder", wish->taker, "effect", (int)wish->effect) : json_null());
}
