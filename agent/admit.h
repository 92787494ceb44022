/* admit.h - which release a job may bring to a service, and which stay in its store. The helper's own judgement: it
 * trusts nothing that was checked elsewhere or before.
 *
 *   upgrade    with require-signature: a good signature for this service, and no lower sequence than an upgrade has
 *              brought here (sequence.h). Without it, a signature that came with the release must be good all the same.
 *   rollback   to what ran here, as the agent itself knows it: no signature (what was there before the agent has none)
 *              and no sequence: it is the operator's way back. To anything else: as an upgrade. */
#ifndef AGENT_ADMIT_H
#define AGENT_ADMIT_H

#include "job.h"
#include "sign.h"

struct service;

/* JOB_OK; NO_RELEASE, UNSIGNED, UNKNOWN_KEY, BAD_SIGNATURE, SIGNED_FOR_ANOTHER, OLD_SEQUENCE or INTERNAL. *check: to be
 * fed the bytes that are installed; NULL where no signature is wanted. `check` NULL: to know whether, only. */
enum code admit_job(struct service *service, const struct job *ask, struct sign_check **check, struct err *err);

/* An upload of it, by the signature that came along or else the one that is in the store (the bytes come later). */
enum code admit_upload(struct service *service, const char *hex, const char *text, size_t size,
                       struct sign_check **check, struct err *err);

/* The job ended well: the sequence of its release is the highest now, durably. */
void admit_note(struct service *service, const struct job *job);

/* Forget old releases, but none that runs, is installed, was before that, is claimed for or is worked with. */
void admit_prune(struct service *service);

#endif
