/* hook.h - commands of the user's own that a rollout runs on the machine it runs on (`--hook POINT=COMMAND`), and the
 * points at which it does. Of one point they run one after another, in the order in which they were given. */
#ifndef CONTROLLER_HOOK_H
#define CONTROLLER_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* HOOK_POINT(NAME, "name", "when, for people") */
#define HOOK_POINTS(X)                                                                                                 \
    X(BEFORE_DRAIN, "before-drain", "claimed and staged, still in rotation")                                           \
    X(AFTER_HANDOVER, "after-handover", "healthy after its job, not back yet")                                         \
    X(AFTER_READD, "after-readd", "back in rotation")                                                                  \
    X(AT_END, "at-end", "once, when all is over and the leases are given back")
enum hook_point {
#define X(name, word, when) HOOK_##name,
    HOOK_POINTS(X)
#undef X
        HOOK_POINT_COUNT
};

#define HOOKS_MAX 32

struct hook {
    const char *command; /* for /bin/sh -c */
    uint8_t point;       /* enum hook_point */
};

extern const char *const hook_point_words[HOOK_POINT_COUNT];

/* "before-drain=COMMAND": the point, and where the command begins; -1: there is no such point. */
int hook_split(const char *text, const char **command);

/* Of a command that plainly names a file, "./notify.sh web": can it be run? What only a shell can tell is true. */
bool hook_can_run(const char *command, struct err *);

/* The nearest known one, or NULL. */
const char *hook_nearest_point(const char *typed);

#endif
