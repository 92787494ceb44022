/* summary.h - a rollout that is over, as Markdown: a headline, a table of all nodes, what to do next. GitHub shows it
 * as the step's summary (GitHub Flavored Markdown; it takes 1 MiB a step, so a table has at most SUMMARY_ROWS rows,
 * those that need a word first). */
#ifndef CONTROLLER_SUMMARY_H
#define CONTROLLER_SUMMARY_H

#include <jansson.h>
#include <stdio.h>

#include "view.h"

#define SUMMARY_ROWS 500

void summary_write(FILE *, const struct view *, int code, const char *mend);

/* Where no rollout was begun: why not, an array of sentences. */
void summary_write_refusal(FILE *, int code, const json_t *reasons);

#endif
