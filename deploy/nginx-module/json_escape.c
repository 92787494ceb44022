#include "json_escape.h"

#include <string.h>

/* The first bytes of UTF-8 characters, and what may follow: RFC 3629's table, which leaves out longer forms than are
 * needed, surrogates and what is beyond U+10FFFF. Further bytes are 80 to bf. */
static const struct {
    unsigned char first, last, second_first, second_last;
    size_t size_bytes;
} forms[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Of the character that begins there. 0 = none does. */
static size_t character_size(const unsigned char *at, size_t left_bytes)
{
    size_t f = 0, i = 2;

    while (f < sizeof(forms) / sizeof(forms[0]) && (at[0] < forms[f].first || at[0] > forms[f].last)) {
        f++;
    }
    if (f == sizeof(forms) / sizeof(forms[0]) || forms[f].size_bytes > left_bytes) {
        return 0;
    }
    if (forms[f].size_bytes > 1 && (at[1] < forms[f].second_first || at[1] > forms[f].second_last)) {
        return 0;
    }
    while (i < forms[f].size_bytes && (at[i] & 0xc0) == 0x80) {
        i++;
    }
    return i >= forms[f].size_bytes ? forms[f].size_bytes : 0;
}

static char *put_control(char *to, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", plain[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *found = c != 0 ? strchr(plain, c) : NULL;

    *to++ = '\\';
    if (found != NULL) {
        *to++ = letters[found - plain];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = digits[c >> 4];
    to[4] = digits[c & 0xf];
    return to + 5;
}

size_t json_escape(char *to, const char *bytes, size_t size_bytes)
{
    static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
    char *const begin = to;
    size_t at = 0;

    while (at < size_bytes) {
        size_t n = character_size((const unsigned char *)bytes + at, size_bytes - at);
        unsigned char c = (unsigned char)bytes[at];

        if (n == 0) {
            memcpy(to, unknown, 3);
            to += 3;
            n = 1;
        } else if (c < 0x20) {
            to = put_control(to, c);
        } else {
            if (c == '"' || c == '\\') {
                *to++ = '\\';
            }
            memcpy(to, bytes + at, n);
            to += n;
        }
        at += n;
    }
    return (size_t)(to - begin);
}
