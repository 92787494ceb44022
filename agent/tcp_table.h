/* tcp_table.h - the TCP sockets that a process could see: those of its network namespace, of any process. Over netlink
 * (diag.h) where that is the agent's own; from /proc/PID/net/tcp{,6}, which holds every socket, where it is another or
 * the kernel does not answer. With 20,000 sockets in TIME_WAIT the second costs 45 ms a reading, the first under 1. */
#ifndef AGENT_TCP_TABLE_H
#define AGENT_TCP_TABLE_H

#include "diag.h"

/* Rows are added. False: neither way can be read. */
bool tcp_table_read(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err);

/* The way through /proc alone. */
bool tcp_table_read_proc(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err);

#endif
