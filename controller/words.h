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
 * quotes is taken off; between them \\ \' \" are \ ' and ", any other escape of Python's is an error. NULL with *bad
 * set for that, where a quote is not finished, where something follows it, or where a letter stands before it (r'...').
 */
char *words_rest(char *text, const char **bad);

/* Write `text` so that words_next reads it as one word, and a POSIX shell, too. */
void words_quote(FILE *, const char *text);

/* A value of a host line, once words_next has read it: Ansible reads it as Python's literal, so a second pair of quotes
 * around all of it goes, in place, as in words_rest. */
char *words_unquote(char *text, const char **bad);

#endif
