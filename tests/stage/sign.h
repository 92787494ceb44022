/* sign.h - releases signed by the tool minisign itself, as people sign theirs. */
#ifndef STAGE_SIGN_H
#define STAGE_SIGN_H

#include "tests/stage/stage.h"

struct stage_signer {
    const char *public, *secret; /* files of minisign */
    const char *line;            /* the public key itself, for sign-key */
};

struct stage_signer *stage_signer(struct stage *s, const char *name);

enum stage_sign_kind { STAGE_PREHASHED, STAGE_LEGACY };
/* The signature's file, a new one each time. comment: the trusted one; NULL: minisign's own. */
const char *stage_sign(struct stage *s, const struct stage_signer *signer, const char *file, const char *comment,
                       enum stage_sign_kind kind);
/* SHA-256 of a file, in hex. */
const char *stage_sha256(struct stage *s, const char *file);
/* "app:APP version:N sequence:N arch:(this machine's) sha256:(of the file)" */
const char *stage_sign_label(struct stage *s, const char *app, unsigned sequence, const char *file);
/* Its bytes as the header of an upload: "Rollout-Signature: ...". */
const char *stage_sign_header(struct stage *s, const char *signature);

#endif
