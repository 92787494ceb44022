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

/* What stands between the quotes at the start of `text`, decoded in place as Python's literals are; *after is what
 * follows them. NULL where they do not end. */
static char *literal(char *text, char **after, const char **bad)
{
    char quote = *text, *from = text + 1, *to = text;
    for (; *from && *from != quote; *to++ = *from++) {
        if (*from != '\\')
            continue;
        if (from[1] && strchr("\\'\"", from[1]))
            from++;
        else if (from[1] && strchr("abfnrtvxNuU01234567", from[1]))
            *bad = "between quotes, a backslash may only stand before \\ ' or \"; write the character itself";
    }
    if (!*from)
        return NULL;
    *after = from + 1;
    *to = '\0';
    return text;
}

static bool is_end(const char *text)
{
    while (is_blank(*text))
        text++;
    return !*text || *text == '#';
}

static const char follows[] = "something follows the closing quote";

/* r'...' and the like are literals of Python, too. */
static bool has_prefix(const char *text)
{
    size_t size = strspn(text, "rRbBuU");
    return size >= 1 && size <= 2 && (text[size] == '\'' || text[size] == '"') && strchr(text + size + 1, text[size]);
}

char *words_rest(char *text, const char **bad)
{
    *bad = NULL;
    while (is_blank(*text))
        text++;
    if (*text == '"' || *text == '\'') {
        char *after, quote = *text;
        if (!literal(text, &after, bad))
            *bad = quote == '"' ? "a \" is not closed" : "a ' is not closed";
        else if (!*bad && !is_end(after))
            *bad = follows;
        return *bad ? NULL : text;
    }
    if (has_prefix(text)) {
        *bad = "a letter stands before the quote";
        return NULL;
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

char *words_unquote(char *text, const char **bad)
{
    char *after, *from = text;
    *bad = NULL;
    while (*from == ' ' || *from == '\t')
        from++;
    if (has_prefix(from)) {
        *bad = "a letter stands before the quote";
        return NULL;
    }
    if ((*from != '"' && *from != '\'') || !strchr(from + 1, *from))
        return text;
    if (!literal(from, &after, bad))
        *bad = "a quote between quotes is not closed";
    else if (!*bad && !is_end(after))
        *bad = follows;
    return *bad ? NULL : from;
}
