/* hex.h - bytes as lower-case hex digits, and back. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text: room for 2 * n digits and a NUL. */
void hex_write(char *text, const uint8_t *bytes, size_t n);

/* Exactly 2 * n lower-case digits, or false; then `bytes` stays as it was. */
bool hex_read(const char *text, uint8_t *bytes, size_t n);

#endif
