/* sign.h - may these bytes be installed for this service? A signature of minisign by a key of the service's `sign-key`,
 * whose trusted comment is for this service, this machine and these very bytes (common/label.h).
 *
 * All that the signature says of itself is checked by sign_begin, before a byte of the release; the release then goes
 * by once, and sign_end tells whether it is what was signed. Only prehashed signatures ("ED") can be checked so: the
 * older ones ("Ed") need the whole file in memory first, and are refused. */
#ifndef AGENT_SIGN_H
#define AGENT_SIGN_H

#include <stddef.h>

#include "code.h"
#include "common/err.h"
#include "common/label.h"
#include "common/minisign.h"
#include "config.h"

struct sign_check;

/* `text`: the bytes of FILE.minisig, size 0 where there is none. JOB_OK, and a check under way; or UNSIGNED,
 * BAD_SIGNATURE, UNKNOWN_KEY, SIGNED_FOR_ANOTHER, INTERNAL (a key file cannot be read). */
enum code sign_begin(const struct service_config *service, const char *sha256_hex, const char *text, size_t size,
                     struct sign_check **check, struct err *err);
void sign_add(struct sign_check *check, const void *bytes, size_t size);
/* Ends and frees it. JOB_OK or BAD_SIGNATURE. */
enum code sign_end(struct sign_check **check, struct err *err);
void sign_abandon(struct sign_check **check); /* NULL is fine */

/* While it is under way. */
const struct label *sign_label(const struct sign_check *check);
const char *sign_key_id(const struct sign_check *check); /* as minisign prints it */

/* Every `sign-key` of the service can be read, and none is there twice. */
bool sign_keys_ok(const struct service_config *service, struct err *err);
/* "minisign -Sm FILE -t '...'": what makes a signature that this service takes. */
#define SIGN_HOW "minisign -Sm FILE -t \"app:NAME version:TEXT sequence:N arch:ARCH sha256:HEX\""

#endif
