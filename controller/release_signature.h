/* release_signature.h - the signature of --release FILE: FILE.minisig beside it. It goes to the agents as it is; they
 * alone hold keys and judge it. Here it is only read, so that a plan that every agent would refuse is refused first. */
#ifndef CONTROLLER_RELEASE_SIGNATURE_H
#define CONTROLLER_RELEASE_SIGNATURE_H

#include "common/err.h"
#include "common/label.h"

struct release_signature {
    bool there;
    struct label label; /* what its trusted comment says */
    const char *arch;   /* of the release itself, as exe.h calls it */
};

/* False: there is a file, but it is no signature of a release, or the release cannot be read. */
bool release_signature_read(const char *release_file, struct release_signature *signature, struct err *err);

/* "Rollout-Signature: ...", to be freed; NULL with err.text "": there is no FILE.minisig. */
char *release_signature_header(const char *release_file, struct err *err);

#endif
