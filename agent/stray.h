/* stray.h - a successor that never became one: a child of the old process that hangs in the executable of a failed
 * upgrade. Left alone it might take over long after the job was reported as failed, and until it is gone the old
 * process refuses the next handover. */
#ifndef AGENT_STRAY_H
#define AGENT_STRAY_H

#include "ident.h"

struct service;

/* SIGKILL, through a pidfd, for each child of `parent` (if that is still alive) that runs `sha256`; nothing where the
 * parent runs the same (a restart: the child may be any worker of it) or where the child is who serves now. */
void stray_end(struct service *service, const struct ident *parent, const uint8_t sha256[SHA256_BYTES]);

#endif
