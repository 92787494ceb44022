/* helper.h - the helper half's door: who may come in from the network half, and which of its requests are open.
 *
 * Over a socket path (helper-socket) any number of network halves may come one after another, LINKS_MAX at a time, and
 * each must be a process of network-user, as the kernel tells (SO_PEERCRED). Their requests go with them; jobs go on.
 * Nothing that comes through the door is believed but bytes: path, ids, sizes, fences and hashes are checked on this
 * side. */
#ifndef AGENT_HELPER_H
#define AGENT_HELPER_H

#include "agent.h"

/* `fd` >= 0: the one connection there is, to the half that started this one; the loop stops when it ends. Else the
 * socket is the one that systemd gave, or made at helper-socket. NULL with the reason. */
struct helper *helper_start(struct agent *agent, int fd, struct err *err);
/* Requests that wait are answered (500, the agent stops); then all ends. */
void helper_stop(struct helper **helper);

#endif
