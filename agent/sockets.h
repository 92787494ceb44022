/* sockets.h - what a process listens on, and how many clients are connected there, in the process's own network
 * namespace (tcp_table.h). Whose a listener is say the socket inodes in /proc/PID/fd; that needs the service's user or
 * root. */
#ifndef AGENT_SOCKETS_H
#define AGENT_SOCKETS_H

#include <jansson.h>

#include "common/err.h"
#include "proc.h"

#define SOCKETS_LISTEN_MAX 64

struct sockets {
    size_t count;
    struct tcp_addr listening[SOCKETS_LISTEN_MAX]; /* as bound; a wildcard stands for itself */
    unsigned connections; /* established ones to those addresses, of any process; see sockets_count */
};

/* What it listens on; connections are 0. */
bool sockets_read(uint32_t pid, struct sockets *sockets, struct err *err);
/* The connections to what sockets_read found: the dearer half, only for who wants to know. */
bool sockets_count(uint32_t pid, struct sockets *sockets, struct err *err);

/* Whether all of `wanted` is among `have`. */
bool sockets_cover(const struct sockets *have, const struct sockets *wanted);

/* Somebody, whoever it is, listens at one of them, in the agent's own network. */
bool sockets_held(const struct sockets *sockets);

/* A connection to each of them, closed at once; for sockets of the agent's own network. Never waits. */
void sockets_nudge(const struct sockets *sockets);

/* The addresses as wire.h's `listening`: a wildcard becomes every address of this machine's interfaces, each once.
 * [::] stands for IPv4 too, as it does unless a service asks otherwise. A new reference. */
json_t *sockets_to_json(const struct sockets *sockets);

#endif
