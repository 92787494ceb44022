/* lines.h - a rollout as plain lines: one an event, for terminals without tricks and for CI logs. */
#ifndef CONTROLLER_LINES_H
#define CONTROLLER_LINES_H

#include <stdio.h>

#include "view.h"

/* Write the line of an event that `view` has been fed already; flushes. */
void lines_event(FILE *, const struct view *, const struct event *);

/* The same, and of the events that a running rollout has no line for as well. */
void lines_every_event(FILE *, const struct view *, const struct event *);

/* What is awaited and why, now: said where nothing else was for a while. */
void lines_heartbeat(FILE *, const struct view *);

/* "rollout ID, fence N: service app, 3 nodes, to release ...": what a plan is about, without an end of line. */
void lines_plan(FILE *, const struct plan *);

/* The end: a line of counts, then every node that needs a word; last those that are out, why, and what mends it.
 * mend: the command, such as "rollout repair --hosts FILE". */
void lines_report(FILE *, const struct view *, const char *mend);

#endif
