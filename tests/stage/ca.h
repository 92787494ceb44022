/* ca.h - a throw-away certificate authority: EC P-256, valid for two months, in the stage's folder ca/. */
#ifndef STAGE_CA_H
#define STAGE_CA_H

#include "tests/stage/http.h"

/* A certificate of the stage's CA (made at the first call) for DNS name `name`, good as server and as client; CN is the
 * name. The same name again: the same files. */
const struct stage_tls *stage_cert(struct stage *s, const char *name);

/* The same by another CA, whom nobody trusts. `ca` of the answer is still the stage's CA. */
const struct stage_tls *stage_cert_foreign(struct stage *s, const char *name);

#endif
