/* say.h - what is said outside of a rollout's own events: before it begins, instead of it, and by commands that report.
 *
 * People get sentences: what was found on stdout, reasons on stderr. Programs get JSON on stdout and nothing else
 * there; reasons stay on stderr as well:
 *   --log-format json   a line `said` for each sentence, and a last line `report` in every ending (docs/events.md)
 *   --output json       one document, also where the command could not do what it is for (docs/output.md)
 *
 * Of the process, like the stream that it writes to: one say_open, one say_close. */
#ifndef CONTROLLER_SAY_H
#define CONTROLLER_SAY_H

#include <jansson.h>
#include <stdbool.h>

#include "options.h"

#define OUTPUT_SCHEMA 1

/* Without it: sentences. */
void say_open(const struct options *);

/* The rollout that is spoken of from now on; NULL: none that has a name yet. */
void say_rollout(const char *id);

/* A sentence, without newline. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Several, a line each. aside: people read them on stderr. */
void say_lines(const char *lines, bool aside);

/* Why it is not done, or not whole: a sentence without newline. */
void say_why(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What somebody should know who expects otherwise; nothing is done less for it. On stderr alone. */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A node that is out, or may be, by the hand of an earlier run: people read `why`, a say_why. Takes `out`, an array as
 * of event_out_json. mend: the command that is to be run now. */
void say_left_out(const char *node, json_t *out, const char *mend, const char *why);

/* Whether people read; else, or where the command writes no document, it is for say_document and say_why. */
bool say_is_text(void);

/* The members of a command's document; taken. Once. */
void say_document(json_t *members);

/* The sentences of say_why so far: an array, a new reference. */
json_t *say_reasons(void);

/* The last line has been written by whoever told the rollout. */
void say_reported(void);

/* The end, with that exit code. Where no rollout was told, its --junit is written here. */
void say_close(int code);

#endif
