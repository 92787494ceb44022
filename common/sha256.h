/* sha256.h - SHA-256 of a file or a stream, as 32 bytes and as 64 lower-case hex digits. By GnuTLS' crypto. */
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define SHA256_BYTES  32
#define SHA256_DIGITS 64

struct sha256; /* a running hash */
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *, const void *bytes, size_t size_bytes);
/* Ends the hash, frees it and sets *h to NULL. */
void sha256_end(struct sha256 **h, uint8_t digest[SHA256_BYTES]);

/* A regular file alone: what may be without end, or is gone once it was read, is refused. */
bool sha256_file(const char *path, uint8_t digest[SHA256_BYTES], uint64_t *size_bytes, struct err *err);
bool sha256_fd(int fd, uint8_t digest[SHA256_BYTES], uint64_t *size_bytes, struct err *err); /* from where fd stands */

void sha256_hex(const uint8_t digest[SHA256_BYTES], char hex[SHA256_DIGITS + 1]);
/* Exactly 64 lower-case hex digits, or false. */
bool sha256_parse(const char *hex, uint8_t digest[SHA256_BYTES]);

#endif
