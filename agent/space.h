/* space.h - is there room for a release before its first byte is taken: in the store, for the copy beside the
 * executable, for what it replaces, and for what the machine needs besides? */
#ifndef AGENT_SPACE_H
#define AGENT_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* `bytes` more on each of two folders' file systems, which may be one; `reserve` stays free on each. */
struct space_need {
    int folder; /* open */
    uint64_t bytes;
};
bool space_enough(const struct space_need need[2], uint64_t reserve, struct err *err);

#endif
