/* tcp_table.h - the TCP sockets that a process could see: those of its network namespace, of any process. Over netlink
 * (diag.h) where that is the agent's own; from /proc/PID/net/tcp{,6}, which holds every socket, where it is another or
 * the kernel does not answer. Measured with 24,000 sockets in TIME_WAIT: /proc 50 to 60 ms a reading; netlink 0.04 ms
 * for the listeners, 2.6 ms for the established ones of three ports (the kernel still walks past the others). */
#ifndef AGENT_TCP_TABLE_H
#define AGENT_TCP_TABLE_H

#include "diag.h"

/* Rows are added. False: neither way can be read. */
bool tcp_table_read(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err);

/* The process is in the agent's own network namespace. */
bool tcp_table_is_ours(uint32_t pid);

/* The way through /proc alone. */
bool tcp_table_read_proc(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err);

#endif
