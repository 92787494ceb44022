/* words.h - a line of the config as the words of a command. Blanks part them; "double" and 'single' quotes keep blanks,
 * and the other kind of quote, together; nothing else is special: no variables, no wildcards, no backslashes. Pure. */
#ifndef AGENT_WORDS_H
#define AGENT_WORDS_H

#include <stddef.h>

#include "common/err.h"

#define WORDS_MAX 256

struct words {
    size_t count;
    char **list; /* count of them and a NULL */
    char *bytes; /* where they stand; both owned */
};

/* False: a quote that never ends, or too many words. A lone "" is no word at all: a program without arguments. */
bool words_split(const char *text, struct words *words, struct err *err);
void words_free(struct words *words);

#endif
