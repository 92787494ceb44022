/* listener.h - the sockets that the agent listens on. */
#ifndef AGENT_LISTENER_H
#define AGENT_LISTENER_H

#include "config.h"

/* A listening socket, non-blocking, CLOEXEC; -1 with the reason. A unix socket gets mode 0660; one that a dead agent
 * left behind is replaced, one that somebody answers on is not. `bound` becomes ADDR:PORT (port 0 resolved) or
 * unix:PATH. */
int listener_open(const struct listen_address *address, char bound[160], struct err *err);

/* The unix socket at this path, which is short enough (config.h). */
void listener_unix(const char *path, struct listen_address *address);
/* The one listening unix socket that systemd gave (LISTEN_FDS, sd_listen_fds(3)); -1: none. */
int listener_given(void);

#endif
