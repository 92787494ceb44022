/* wish.h - what people want of rollouts that are at work: kept here until the rollout's controller, wherever it runs,
 * asks for it. In memory alone, and forgotten with a limit: a wish is for who is at work now. Pure; times in ms of one
 * clock that never goes back. */
#ifndef AGENT_WISH_H
#define AGENT_WISH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "code.h"
#include "common/err.h"

enum wish_kind {
#define X(name, word, caution) WISH_##name,
    WIRE_WISHES(X)
#undef X
        WISH_COUNT
};

struct wish {
    uint64_t id; /* 0: there is none here */
    enum wish_kind kind;
    char rollout[WIRE_ID_MAX + 1], holder[WIRE_HOLDER_MAX + 1];
    uint64_t put_ms, taken_ms;
    bool taken, effect;
    char taker[WIRE_HOLDER_MAX + 1];
};

struct wishes { /* all zero: none */
    struct wish kept[WIRE_WISH_KEPT];
};

/* NULL: none, or forgotten. Borrowed until the next put. */
const struct wish *wishes_find(const struct wishes *, const char *rollout, uint64_t now_ms);
const struct wish *wishes_latest(const struct wishes *, uint64_t now_ms);

/* JOB_OK; BAD_REQUEST: the id came with another wish before; WISH_STANDS: the one that wishes_find finds goes first,
 * and stays. Where there is no room the oldest goes. */
enum code wishes_put(struct wishes *, const struct wish *wanted, uint64_t now_ms);
/* JOB_OK (also a second time: the first counts) or NOT_FOUND. */
enum code wishes_take(struct wishes *, const struct wish *taken, uint64_t now_ms);

/* Bodies of PUT, and of POST taken (rollout, id, taker, effect). */
bool wish_from_json(const json_t *body, struct wish *, struct err *err);
bool wish_taken_from_json(const json_t *body, struct wish *, struct err *err);
/* WISH of wire.h, null for NULL. A new reference. */
json_t *wish_to_json(const struct wish *, uint64_t now_ms);

const char *wish_word(enum wish_kind);

#endif
