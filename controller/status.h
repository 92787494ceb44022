/* status.h - how a rollout stands, for people and as JSON; made from what the journal tells and from whether a process
 * of it lives on this machine. */
#ifndef CONTROLLER_STATUS_H
#define CONTROLLER_STATUS_H

#include <jansson.h>
#include <stdio.h>

#include "told.h"

enum standing {
    STANDING_AT_WORK,
    STANDING_ENDED,
    STANDING_BROKEN_OFF /* it has no end in the journal, and no process of it lives here */
};
enum standing status_standing(bool ended, bool alive);

/* "at_work", "ended", "broken_off". */
const char *status_word(enum standing);

/* What an exit code of `rollout` says (DESIGN 4.4). */
const char *status_of_code(int code);

/* The command that is to be run after a rollout ended so; NULL: none. The caller frees it. */
char *status_next(const struct view *, int code, const char *mend);

/* The last words of a rollout, whatever they are written to: the exit code, what it says, and that command. */
void status_end(FILE *, const struct view *, int code, const char *mend);

/* 2026-11-25T18:40:02.123Z */
#define STATUS_TIME 32
const char *status_time(int64_t wall_ms, char text[STATUS_TIME]);

/* The whole, with the nodes that need a word, and what to do. */
void status_print(FILE *, const struct told *, bool alive);

/* {"rollout":ID,"standing":WORD,"exit_code":N|null,"kind","service","release":HEX|null,"version","holder","fence","runs",
 *  "began","last","stopping":TEXT|null,"nodes":[{"node","step","state","why":TEXT|null,"text":TEXT|null,
 *  "out":[{"server","upstream","lb"}]}],"to_do":COMMAND|null} - a new reference. */
json_t *status_json(const struct told *, bool alive);

#endif
