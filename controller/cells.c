#include "cells.h"

#include <stdint.h>

struct range {
    uint32_t first, last;
};

/* Never less than the C library of Debian 12 says: a line that wraps is not erased. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
    {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},
    {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},
    {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18d08},
    {0x1aff0, 0x1b2fb}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a}, {0x1f200, 0x1f265},
    {0x1f300, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faf6}, {0x20000, 0x3fffd}};
static const struct range combining[] = {{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
                                         {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
                                         {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

struct cell {
    size_t bytes;   /* of the text; 0 = its end */
    size_t columns; /* 0..2 */
    bool plain;     /* one that may be written as it stands */
};

/* RFC 3629: no overlong forms, no surrogates. */
static size_t sequence(const unsigned char *s, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;

    if (n == 0)
        return 0;
    *c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        *c = *c << 6 | (s[i] & 0x3fu);
    }
    return *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff) ? 0 : n;
}

static struct cell cell_at(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t c = 0;
    size_t n = s[0] == '\0' ? 0 : sequence(s, &c);

    if (s[0] == '\0')
        return (struct cell){0};
    if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e))
        return (struct cell){.bytes = n > 0 ? n : 1, .columns = 1};
    if (is_in(combining, sizeof combining / sizeof *combining, c))
        return (struct cell){.bytes = n, .plain = true};
    return (struct cell){.bytes = n, .columns = is_in(wide, sizeof wide / sizeof *wide, c) ? 2 : 1, .plain = true};
}

size_t cells_width(const char *text)
{
    size_t width = 0;

    for (struct cell c = cell_at(text); c.bytes > 0; c = cell_at(text)) {
        width += c.columns;
        text += c.bytes;
    }
    return width;
}

size_t cells_put(FILE *f, const char *text, size_t columns, bool utf8)
{
    const char *dots = utf8 ? "\u2026" : "..";
    size_t room = columns, used = 0, dots_width = utf8 ? 1 : 2;
    bool cut = cells_width(text) > columns;

    if (cut)
        room = columns > dots_width ? columns - dots_width : 0;
    for (struct cell c = cell_at(text); c.bytes > 0 && used + c.columns <= room; c = cell_at(text)) {
        if (c.plain && (utf8 || c.bytes == 1))
            (void)fwrite(text, 1, c.bytes, f);
        else
            (void)fprintf(f, "%.*s", (int)c.columns, "??");
        used += c.columns;
        text += c.bytes;
    }
    if (cut && columns >= dots_width) {
        (void)fputs(dots, f);
        used += dots_width;
    }
    return used;
}

void cells_pad(FILE *f, const char *text, size_t columns, bool utf8)
{
    size_t used = cells_put(f, text, columns, utf8);

    (void)fprintf(f, "%*s", (int)(columns - used), "");
}

bool cells_are_utf8(const char *text)
{
    for (size_t n; *text != '\0'; text += n) {
        uint32_t c;

        n = sequence((const unsigned char *)text, &c);
        if (n == 0)
            return false;
    }
    return true;
}
