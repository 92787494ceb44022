/* handover_socket.h - listening sockets: what an inherited one is, which one an address means, a new one. */
#ifndef DEMO_SERVER_HANDOVER_SOCKET_H
#define DEMO_SERVER_HANDOVER_SOCKET_H

#include <stddef.h>

#include "common/addr.h"
#include "common/err.h"
#include "handover_env.h"

#define HANDOVER_ADDR_MAX 128

struct handover_socket {
    int fd; /* -1: taken or closed */
    char name[HANDOVER_NAME_MAX];
    char addr[HANDOVER_ADDR_MAX]; /* "127.0.0.1:80", "[::]:80", "unix:PATH" */
};

/* As addr_parse; "unix:/PATH" and "unix:@NAME" besides, which stand whole in `host`, with port 0. */
bool handover_addr_parse(const char *text, struct addr *, struct err *);

/* Fill in `addr` of an inherited socket and make it close-on-exec and non-blocking (never the reverse: the file
 * description is shared with other processes), with SO_RCVTIMEO as below. False: it is no listening stream socket. */
bool handover_socket_adopt(struct handover_socket *, struct err *);

/* The one meant by a listener's name and numeric address, or -1. Port 0 means any port of that host under that name;
 * "" as host means [::], or 0.0.0.0 where that was inherited. Pure. */
int handover_socket_match(const struct handover_socket *sockets, size_t count, const char *name,
                          const struct addr *wanted);

/* Names become numbers (IPv4 first, as Go does). False: no such host. */
bool handover_socket_resolve(const struct addr *, struct addr *numeric, struct err *);

/* Bind and listen. "" listens on all addresses of both families where the machine has IPv6. */
bool handover_socket_open(struct handover_socket *, const struct addr *numeric, struct err *);

/* All sockets of a process: those it was given and nobody has asked for yet, and those it listens on. */
struct handover_sockets {
    struct handover_socket inherited[HANDOVER_FDS_MAX], listeners[HANDOVER_FDS_MAX];
    unsigned inherited_count, listener_count;
};

bool handover_sockets_inherit(struct handover_sockets *, const struct handover_env *, struct err *);

/* Take the inherited socket that is meant, or open one. The listener, borrowed; NULL with the reason. */
const struct handover_socket *handover_sockets_listen(struct handover_sockets *, const char *name, const struct addr *,
                                                      bool *inherited, struct err *);

/* O_NONBLOCK is of the open file description, so a successor that clears it on its copy has cleared it here, and the
 * next accept(2) with an empty queue would wait for ever. Therefore listeners also have SO_RCVTIMEO, which such an
 * accept obeys (one tick of the kernel's clock, then EAGAIN), and this sets both anew: call it while somebody
 * else may do so, and after. Accepted TCP sockets inherit the option: those that are to block need their own. */
void handover_sockets_keep(const struct handover_sockets *);

void handover_sockets_close_inherited(struct handover_sockets *);
void handover_sockets_close_listeners(struct handover_sockets *);

#endif
