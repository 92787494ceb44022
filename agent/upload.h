/* upload.h - one release on its way into a service's store: may it come, is there room, is it what was announced and
 * signed, can this machine run it. Refused at the first of these, and then nothing of it is kept. */
#ifndef AGENT_UPLOAD_H
#define AGENT_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "code.h"
#include "common/err.h"

struct service;
struct upload;

/* length: of the body, 0 where it is not told. signature: the header Rollout-Signature, "" where there is none.
 * JOB_OK and *upload; else the code and the sentence of the refusal. */
enum code upload_begin(struct service *service, const char *hex, uint64_t length, const char *signature,
                       struct upload **upload, struct err *err);
/* Not JOB_OK: refused, to be abandoned. */
enum code upload_add(struct upload *upload, const void *bytes, size_t size, struct err *err);
/* Ends and frees it in any case. JOB_OK: it is in the store; *fresh: it was not before. */
enum code upload_end(struct upload **upload, uint64_t *size_bytes, bool *fresh, struct err *err);
void upload_abandon(struct upload **upload); /* NULL is fine */

#endif
