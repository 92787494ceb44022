/* minisign.h - the files of the tool minisign, read: a signature (FILE.minisig) and a public key (minisign.pub). Pure;
 * nothing is verified here.
 *
 *   a signature, four lines                           a public key
 *     untrusted comment: whatever                       untrusted comment: whatever
 *     base64(ALGORITHM 2, KEY-ID 8, SIGNATURE 64)       base64("Ed", KEY-ID 8, KEY 32)
 *     trusted comment: TEXT                           or that second line alone
 *     base64(GLOBAL 64)
 *
 * SIGNATURE: Ed25519 by KEY over BLAKE2b-512 of the file where ALGORITHM is "ED", what minisign writes since 0.10; over
 * the file itself where it is "Ed". GLOBAL: over SIGNATURE and TEXT. Numbers of bytes; lines end with \n or \r\n, the
 * last one may lack it. */
#ifndef COMMON_MINISIGN_H
#define COMMON_MINISIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define MINISIGN_FILE_MAX    2048 /* bytes of a signature or key file; minisign's own are some 300 */
#define MINISIGN_COMMENT_MAX 1024
#define MINISIGN_SIGNATURE   64
#define MINISIGN_ID_BYTES    8
#define MINISIGN_ID_DIGITS   16

struct minisign {
    bool prehashed; /* "ED" */
    uint8_t key_id[MINISIGN_ID_BYTES];
    uint8_t signature[MINISIGN_SIGNATURE], global[MINISIGN_SIGNATURE];
    char comment[MINISIGN_COMMENT_MAX + 1]; /* TEXT: printable ASCII and tabs */
};

struct minisign_key {
    uint8_t id[MINISIGN_ID_BYTES];
    uint8_t key[32];
};

bool minisign_read(const char *text, size_t size, struct minisign *signature, struct err *err);
bool minisign_read_key(const char *text, size_t size, struct minisign_key *key, struct err *err);
/* As minisign prints an id: 16 upper-case hex digits, the last byte first. */
void minisign_id_text(const uint8_t id[MINISIGN_ID_BYTES], char text[MINISIGN_ID_DIGITS + 1]);

#endif
