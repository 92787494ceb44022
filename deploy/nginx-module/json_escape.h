/* json_escape.h - any bytes as the inside of a JSON string (RFC 8259): a name in nginx.conf may hold bytes that are no
 * UTF-8, and JSON may not. Knows no nginx. */
#ifndef API_JSON_ESCAPE_H
#define API_JSON_ESCAPE_H

#include <stddef.h>

#define JSON_ESCAPE_MAX 6 /* bytes that one byte becomes at most: \u001f */

/* to: room for JSON_ESCAPE_MAX * size_bytes. Each byte that belongs to no UTF-8 character becomes U+FFFD; the rest is
 * what it was to who decodes it. Returns how many bytes were written; no zero is put behind them. */
size_t json_escape(char *to, const char *bytes, size_t size_bytes);

#endif
