/* base64.h - RFC 4648 base64, with padding, and nothing else between: no blanks, no newlines, one way to write a thing.
 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4) /* characters for n bytes */

/* The bytes of text[0..size), at most `room`; how many in *n. */
bool base64_read(const char *text, size_t size, uint8_t *to, size_t room, size_t *n);
/* BASE64_SIZE(n) characters and a NUL. */
void base64_write(const void *bytes, size_t n, char *to);

#endif
