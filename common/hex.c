#include "common/hex.h"

#include <string.h>

static const char DIGITS[] = "0123456789abcdef";

void hex_write(char *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = DIGITS[bytes[i] >> 4];
        text[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

static uint8_t value_of(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

bool hex_read(const char *text, uint8_t *bytes, size_t n)
{
    if (strspn(text, DIGITS) != 2 * n || text[2 * n] != '\0')
        return false;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value_of(text[2 * i]) << 4 | value_of(text[2 * i + 1]));
    return true;
}
