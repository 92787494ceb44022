#include "words.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Copy what is quoted from *from to *to; false when the quote does not end. */
static bool quoted(char **from, char **to)
{
    char quote = *(*from)++;
    while (**from && **from != quote) {
        if (quote == '"' && **from == '\\' && ((*from)[1] == '"' || (*from)[1] == '\\'))
            (*from)++;
        *(*to)++ = *(*from)++;
    }
    if (!**from)
        return false;
    (*from)++;
    return true;
}

char *words_next(char **at, const char **bad)
{
    char *from = *at;
    *bad = NULL;
    while (is_blank(*from))
        from++;
    if (!*from || *from == '#') {
        *at = from + strlen(from);
        return NULL;
    }
    char *word = from, *to = from;
    while (*from && !is_blank(*from) && *from != '#') {
        if (*from == '"' || *from == '\'') {
            char quote = *from;
            if (!quoted(&from, &to)) {
                *bad = quote == '"' ? "a \" is not closed" : "a ' is not closed";
                return NULL;
            }
        } else if (*from == '\\' && !*++from) {
            *bad = "a backslash at the end quotes nothing";
            return NULL;
        } else {
            *to++ = *from++;
        }
    }
    *at = *from == '#' ? from + strlen(from) : from + (*from != '\0');
    *to = '\0';
    return word;
}

char *words_rest(char *text, const char **bad)
{
    *bad = NULL;
    while (is_blank(*text))
        text++;
    if (*text == '"' || *text == '\'') {
        char *from = text, *to = text;
        if (!quoted(&from, &to)) {
            *bad = *text == '"' ? "a \" is not closed" : "a ' is not closed";
            return NULL;
        }
        char *end = to;
        while (is_blank(*from))
            from++;
        if (*from && *from != '#') {
            *bad = "something follows the closing quote";
            return NULL;
        }
        *end = '\0';
        return text;
    }
    char *end = text;
    while (*end && !(*end == '#' && (end == text || is_blank(end[-1]))))
        end++;
    while (end > text && is_blank(end[-1]))
        end--;
    *end = '\0';
    return text;
}

void words_quote(FILE *f, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

    if (*text != '\0' && strspn(text, plain) == strlen(text)) {
        (void)fputs(text, f);
        return;
    }
    (void)fputc('\'', f);
    for (; *text != '\0'; text++)
        if (*text == '\'')
            (void)fputs("'\\''", f);
        else
            (void)fputc(*text, f);
    (void)fputc('\'', f);
}

char *words_unquote(char *text)
{
    size_t length = strlen(text);
    if (length >= 2 && (*text == '"' || *text == '\'') && text[length - 1] == *text) {
        text[length - 1] = '\0';
        return text + 1;
    }
    return text;
}
