/* words.h - a host line of the inventory split into words, as Python's shlex.split(comments=True) does it. */
#ifndef CONTROLLER_WORDS_H
#define CONTROLLER_WORDS_H

#include <stdio.h>

#include "common/err.h"

/* The next word, unquoted in place, or NULL at the end; *at moves behind it and starts at the line. Blanks separate;
 * '...' is literal; in "..." a backslash quotes \ and "; elsewhere it quotes anything; an unquoted # begins a comment.
 * NULL with *bad set is an unfinished quote or a backslash at the end. */
char *words_next(char **at, const char **bad);

/* For a line of [g:vars], after the =: blanks around it and a comment (a # behind a blank) are cut, then one pair of
 * quotes is taken off. NULL with *bad set where a quote is not finished or something follows it. */
char *words_rest(char *text, const char **bad);

/* Write `text` so that words_next reads it as one word, and a POSIX shell, too. */
void words_quote(FILE *, const char *text);

/* Take off one pair of quotes around all of it, in place. */
char *words_unquote(char *text);

#endif
