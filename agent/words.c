#include "words.h"

#include <stdlib.h>
#include <string.h>

/* Copies one word to *to and ends it; the text behind it, or NULL where a quote never ends. */
static const char *take_word(const char *text, char **to)
{
    char quote = '\0';

    for (; *text != '\0' && (quote != '\0' || (*text != ' ' && *text != '\t')); text++) {
        if (quote == '\0' && (*text == '"' || *text == '\''))
            quote = *text;
        else if (quote != '\0' && *text == quote)
            quote = '\0';
        else
            *(*to)++ = *text;
    }
    *(*to)++ = '\0';
    return quote == '\0' ? text : NULL;
}

bool words_split(const char *text, struct words *words, struct err *err)
{
    char *to = malloc(strlen(text) + 1);

    *words = (struct words){.list = calloc(WORDS_MAX + 1, sizeof *words->list), .bytes = to};
    if (to == NULL || words->list == NULL)
        abort();
    for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
        if (words->count == WORDS_MAX) {
            words_free(words);
            return err_set(err, "more than %d words", WORDS_MAX);
        }
        words->list[words->count++] = to;
        text = take_word(text, &to);
        if (text == NULL) {
            words_free(words);
            return err_set(err, "a quote that never ends");
        }
    }
    if (words->count == 1 && words->list[0][0] == '\0')
        words->list[--words->count] = NULL;
    return true;
}

void words_free(struct words *words)
{
    free(words->list);
    free(words->bytes);
    *words = (struct words){0};
}
