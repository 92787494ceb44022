/* server.h - the HTTP/1.1 server of the fake fleet: one epoll, thousands of kept connections, TLS with client
 * certificates where it is wanted. Listens on all of 127.0.0.0/8 (the interface lo alone): a host of the fleet is an
 * address, and each has connections of its own. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "text.h"
#include "timer.h"

struct conn;

struct request {
    struct slice method, path, query; /* path as it came; query without '?' */
    struct slice body;
    uint32_t address;      /* that the client connected to, host byte order */
    bool waits;            /* it says Prefer: wait= ... */
    uint32_t wait_s;       /* ... so many */
    struct slice lease[4]; /* Rollout-Fence, -Id, -Ttl, -Holder; n 0 = not there */
};
enum { LEASE_FENCE, LEASE_ID, LEASE_TTL, LEASE_HOLDER };

/* A request that is answered later: linked into a list of whoever knows when. */
struct wait {
    struct wait *next, **back; /* back NULL = not linked */
    struct timer timer;
    struct conn *conn;
    uint32_t lb, node;
};

/* Answers now by conn_answer, or links conn_wait somewhere. */
typedef void (*server_handler)(struct conn *, const struct request *);

/* tls_folder: ca.pem and server.pem (certificate and key); NULL = plain. Ports below 32768 chosen by the caller. */
bool server_open(uint16_t lb_port, server_handler lb, uint16_t agent_port, server_handler agent, const char *tls_folder,
                 struct err *);
/* Until `fd` (a pidfd) is readable, or for `limit_s`: then false. */
bool server_run_until(int fd, uint32_t limit_s);
void server_close(void);

void conn_answer(struct conn *, int status, const char *header, const char *body, size_t n);
struct wait *conn_wait(struct conn *);
void wait_link(struct wait *, struct wait **list);
void wait_unlink(struct wait *); /* stops its timer, too */

struct server_counts {
    uint64_t requests, connections[2], handshakes; /* connections: to load balancers, to agents */
    uint64_t out_bytes;
};
extern struct server_counts server_counts;

#endif
