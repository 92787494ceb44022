/* diag.h - TCP sockets from the kernel over netlink, NETLINK_SOCK_DIAG (sock_diag(7), linux/inet_diag.h): it picks
 * state and ports itself, where /proc/net/tcp prints every socket of the machine. Measured with 20,000 sockets in
 * TIME_WAIT: see tcp_table.h. Only the agent's own network namespace can be asked. Asking and parsing are pure. */
#ifndef AGENT_DIAG_H
#define AGENT_DIAG_H

#include "common/err.h"
#include "proc.h"

#define DIAG_PORTS_MAX   64
#define DIAG_REQUEST_MAX (128 + DIAG_PORTS_MAX * 16) /* bytes */

/* What is wanted: sockets in one state, PROC_TCP_..., on one of these local ports; no ports: on any. */
struct tcp_ask {
    unsigned state;
    size_t port_count; /* at most DIAG_PORTS_MAX */
    const uint16_t *ports;
};

/* The rows that came; `list` is freed by the owner. */
struct tcp_rows {
    struct proc_tcp *list;
    size_t count, capacity;
};
void tcp_rows_add(struct tcp_rows *rows, const struct proc_tcp *row);

/* The request for one address family; its size in bytes. */
size_t diag_request(const struct tcp_ask *ask, bool v6, uint32_t seq, uint8_t bytes[DIAG_REQUEST_MAX]);

struct diag_answer {
    uint32_t seq; /* messages with another one are left out */
    struct tcp_rows *rows;
    bool done;        /* the last message was there */
    bool interrupted; /* the tables changed under the kernel's hands: rows may be missing or double */
};
/* One datagram of the answer. False: the kernel refused, or this is no answer. */
bool diag_parse(const uint8_t *bytes, size_t size, struct diag_answer *answer, struct err *err);

/* Asks for both families; rows are added. Waits at most DIAG_LIMIT_MS for the kernel, which answers from within the
 * calls. An interrupted dump is read again, DIAG_TRIES times in all. */
#define DIAG_LIMIT_MS 1000
#define DIAG_TRIES    3
bool diag_read(const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err);

#endif
