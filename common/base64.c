#include "common/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

bool base64_read(const char *text, size_t size, uint8_t *to, size_t room, size_t *n)
{
    size_t pad = 0;

    *n = 0;
    if (size % 4 != 0)
        return false;
    while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < size; i += 4) {
        size_t count = i + 4 == size ? 3 - pad : 3;
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            int v = j <= count ? value_of(text[i + j]) : 0;
            if (v < 0)
                return false;
            group = group << 6 | (uint32_t)v;
        }
        if ((group & ((UINT32_C(1) << (8 * (3 - count))) - 1)) != 0 || count > room - *n)
            return false;
        for (size_t j = 0; j < count; j++)
            to[(*n)++] = (uint8_t)(group >> (16 - 8 * j));
    }
    return true;
}

void base64_write(const void *bytes, size_t n, char *to)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t group = (uint32_t)at[i] << 16;

        group |= i + 1 < n ? (uint32_t)at[i + 1] << 8 : 0;
        group |= i + 2 < n ? at[i + 2] : 0;
        for (size_t j = 0; j < 4; j++)
            *to++ = j <= n - i ? digits[group >> (18 - 6 * j) & 63] : '=';
    }
    *to = '\0';
}
