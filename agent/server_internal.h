/* server_internal.h - what server.c (the daemon), conn.c (connections) and exchange.c (requests) share. */
#ifndef AGENT_SERVER_INTERNAL_H
#define AGENT_SERVER_INTERNAL_H

#include <microhttpd.h>

#include "agent.h"

struct conn;
struct exchange;
struct link;

struct server {
    struct agent *agent;
    struct MHD_Daemon *daemon;
    struct loop_slot slot;      /* MHD's epoll within ours */
    struct conn *conns;         /* all open ones */
    struct loop_timer sweep;    /* closes the ones past their deadline */
    struct link *link;          /* to the helper half */
    struct exchange *exchanges; /* all that have begun and are not completed */
    uint64_t answer_limit_ms;   /* longest that the helper half may take for one */
    bool stopping;
};

#endif
