/* proc.h - the texts of /proc that we need, parsed. Pure: no file is opened here. Formats: proc(5). */
#ifndef AGENT_PROC_H
#define AGENT_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* /proc/PID/stat. The command's name in it may hold blanks and parentheses. */
struct proc_stat {
    char state; /* R S D T t Z X ... */
    uint32_t parent;
    uint64_t start_ticks;
};
bool proc_parse_stat(const char *text, struct proc_stat *stat);
/* A zombie or a dead one answers nobody, though its pid still stands in /proc. */
bool proc_is_alive(const struct proc_stat *stat);

#define PROC_TCP_ESTABLISHED 1
#define PROC_TCP_LISTEN      10

struct tcp_addr {
    bool v6;        /* a v4-mapped address is v4 */
    uint8_t ip[16]; /* network order; v4 in the first four */
    uint16_t port;
};

/* One line of /proc/net/tcp or tcp6; false for the heading and anything odd. */
struct proc_tcp {
    struct tcp_addr local;
    unsigned state;
    uint64_t inode;
};
bool proc_parse_tcp(const char *line, struct proc_tcp *row);

/* "socket:[12345]", what a link in /proc/PID/fd says. */
bool proc_parse_socket_link(const char *link, uint64_t *inode);

/* /proc/PID/cgroup: whether a part of a path in it, in any hierarchy, is the unit's folder. */
bool proc_cgroup_has(const char *text, const char *unit);

/* /proc/PID/status: is the signal ignored, or still waiting to be taken up (blocked, or the process is stopped)? False
 * where the text does not say. */
bool proc_signal_unheard(const char *text, int signal);

/* One pid of a pid file: digits, blanks around them. */
bool proc_parse_pid(const char *text, uint32_t *pid);

/* From bytes in network order, 16 of v6 or 4; v4-mapped becomes v4. */
void tcp_addr_set(struct tcp_addr *addr, bool v6, const void *ip, uint16_t port);
bool tcp_addr_is_any(const struct tcp_addr *addr);
bool tcp_addr_same(const struct tcp_addr *a, const struct tcp_addr *b);
#define TCP_ADDR_TEXT 56
const char *tcp_addr_format(const struct tcp_addr *addr, char text[TCP_ADDR_TEXT]); /* 1.2.3.4:80, [::1]:80 */

#endif
