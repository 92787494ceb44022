/* lines.h - a rollout as plain lines: one an event, for terminals without tricks and for CI logs. */
#ifndef CONTROLLER_LINES_H
#define CONTROLLER_LINES_H

#include <stdio.h>

#include "view.h"

/* Write the line of an event that `view` has been fed already; flushes. */
void lines_event(FILE *, const struct view *, const struct event *);

/* The end: a line of counts, then every node that needs a word; last those that are out, why, and what mends it.
 * mend: the command, such as "rollout repair --hosts FILE". */
void lines_report(FILE *, const struct view *, const char *mend);

#endif
