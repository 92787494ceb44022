/* handover_unix.h - Unix sockets as listeners: "unix:/PATH", or "unix:@NAME" for an abstract one (Linux). */
#ifndef DEMO_SERVER_HANDOVER_UNIX_H
#define DEMO_SERVER_HANDOVER_UNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/err.h"

bool handover_unix_is(const char *text); /* begins with "unix:" */

/* False: no absolute path and no name, or longer than a socket's address may be (107 bytes). */
bool handover_unix_check(const char *text, struct err *);

/* A new listening socket, -1 with the reason. A socket file that nobody listens on any more is replaced; one that
 * somebody does, and any other file, is an error. The file is never removed at the end: a successor may serve on it,
 * and the next start replaces it. */
int handover_unix_open(const char *text, struct err *);

/* The text of an address that getsockname gave. */
void handover_unix_text(const struct sockaddr_un *, socklen_t, char *text, size_t size);

#endif
