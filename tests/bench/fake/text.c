#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char *blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t' || *at == ',' || *at == ':'))
        at++;
    return at;
}

static const char *behind_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\' ? 1 : 0;
    return at < end ? at + 1 : end;
}

static const char *behind_value(const char *at, const char *end)
{
    int depth = 0;

    do {
        if (at < end && *at == '"') {
            at = behind_string(at, end);
            continue;
        }
        depth += at < end && (*at == '{' || *at == '[');
        depth -= at < end && (*at == '}' || *at == ']');
        at++;
    } while (at < end && (depth > 0 || strchr(",}] \r\n", *at) == NULL));
    return at;
}

struct slice text_member(struct slice text, const char *key)
{
    const char *at = text.at, *end = text.at + text.n;
    size_t length = strlen(key);

    at = at != NULL ? memchr(at, '{', text.n) : NULL;
    at = at != NULL ? blank(at + 1, end) : end;
    while (at != NULL && at < end && *at == '"') {
        const char *behind = behind_string(at, end), *value = blank(behind, end), *stop = behind_value(value, end);

        if (stop > end)
            break;
        if ((size_t)(behind - at) == length + 2 && memcmp(at + 1, key, length) == 0)
            return (struct slice){value, (size_t)(stop - value)};
        at = blank(stop, end);
    }
    return (struct slice){NULL, 0};
}

bool text_is(struct slice s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.at, word, s.n) == 0;
}

uint64_t text_number(struct slice s)
{
    uint64_t value = 0;

    for (size_t i = 0; i < s.n && s.at[i] >= '0' && s.at[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(s.at[i] - '0');
    return value;
}

void text_copy(struct slice s, char *to, size_t size)
{
    if (s.n >= 2 && s.at[0] == '"') {
        s.at++;
        s.n -= 2;
    }
    s.n = s.n < size - 1 ? s.n : size - 1;
    if (s.n > 0)
        memcpy(to, s.at, s.n);
    to[s.n] = '\0';
}
