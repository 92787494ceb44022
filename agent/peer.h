/* peer.h - whose process is at the other end of a unix socket, as the kernel knows it (SO_PEERCRED: who connected). */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include <sys/types.h>

#include "common/err.h"

/* A user's name or number; "" = the one that this process runs as. */
bool peer_uid(const char *user, uid_t *uid, struct err *err);
bool peer_is(int fd, uid_t uid, struct err *err);

#endif
