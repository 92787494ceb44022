/* history.h - which releases ran here, as the jobs of this agent brought them: it says what the one before is. Kept
 * with the jobs, in one file, so that the end of a job and what follows from it are on the disk together. Pure.
 *
 *   an upgrade from A to B    ... A B
 *   a rollback to A           ... A       B is forgotten: it is not what anybody wants to go back to
 *
 * What somebody brought by hand is known once a job replaces it. */
#ifndef AGENT_HISTORY_H
#define AGENT_HISTORY_H

#include <jansson.h>
#include <stddef.h>

#include "common/sha256.h"

#define HISTORY_KEPT 16

struct job;

struct history {
    char hex[HISTORY_KEPT][SHA256_DIGITS + 1]; /* oldest first, the last one runs as far as we know */
    size_t count;
};

/* A job has brought what runs now: its action, and what ran before and after it. */
void history_note(struct history *history, const struct job *job);

/* What ran before the one that runs; NULL: none that is known. */
const char *history_before(const struct history *history, const char *runs);

/* ["hex",...]; false where it is no such list. */
json_t *history_to_json(const struct history *history);
bool history_from_json(const json_t *list, struct history *history);

#endif
