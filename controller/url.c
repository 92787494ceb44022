#include "url.h"

#include <stdint.h>
#include <string.h>

#include "common/mem.h"

char *url_encode(const char *text, const char *keep)
{
    static const char free_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    char *out = mem_zero(strlen(text) * 3 + 1, 1), *to = out;

    for (; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;
        if (strchr(free_chars, byte) != NULL || strchr(keep, byte) != NULL) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    return out;
}
