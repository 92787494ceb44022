/* sequence.h - no way back to an old release for whoever gets hold of it: for each key the highest sequence number that
 * an upgrade here ended well with, durable in STATE/APP/sequences.json. An upgrade to a lower one is refused, and to
 * another release of the same number. `rollback` to a release that ran here is the operator's way back, and is asked
 * for as such; it does not lower the number.
 *
 * Each key counts by itself: a new key may begin at 1. Take the old one out of the config once it is not used any more,
 * else its releases go on from its own number. */
#ifndef AGENT_SEQUENCE_H
#define AGENT_SEQUENCE_H

#include <jansson.h>
#include <stdint.h>

#include "code.h"
#include "common/err.h"
#include "common/minisign.h"
#include "common/sha256.h"

#define SEQUENCES_MAX 16 /* keys that have ever been seen */

struct sequences {
    struct sequence {
        char key[MINISIGN_ID_DIGITS + 1];
        uint64_t highest;
        char sha256[SHA256_DIGITS + 1]; /* of the release with that number */
    } list[SEQUENCES_MAX];
    size_t count;
};

/* JOB_OK or OLD_SEQUENCE. */
enum code sequence_may(const struct sequences *sequences, const char *key, uint64_t sequence, const char *sha256_hex,
                       struct err *err);
/* An upgrade to it has ended well. False: there are SEQUENCES_MAX other keys. */
bool sequence_raise(struct sequences *sequences, const char *key, uint64_t sequence, const char *sha256_hex);
uint64_t sequence_highest(const struct sequences *sequences); /* of all keys; 0: none yet */

bool sequences_load(const char *path, struct sequences *sequences, struct err *err);
bool sequences_save(const char *path, const struct sequences *sequences, struct err *err);

#endif
