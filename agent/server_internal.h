/* server_internal.h - what server.c (the door), conn.c (connections) and exchange.c (requests) share. */
#ifndef AGENT_SERVER_INTERNAL_H
#define AGENT_SERVER_INTERNAL_H

#include <sys/socket.h>

#include "agent.h"
#include "limit.h"
#include "tally.h"
#include "tls.h"

struct conn;
struct exchange;
struct link;

struct server {
    struct agent *agent;
    struct tls *tls; /* of new connections; NULL: plain */
    struct door {
        struct server *server;
        struct loop_slot slot; /* fd -1: there is none */
        bool metrics_only;     /* metrics-listen: plain, and nothing else is to be had there */
    } door, side_door;
    struct conn *conns;                            /* all that are not freed yet */
    struct loop_timer round;                       /* looks at them all: deadlines, and who asked for it */
    uint64_t serial;                               /* of the latest */
    struct link *link;                             /* to the helper half */
    struct exchange *exchanges;                    /* all that have begun and are not over */
    uint64_t answer_limit_ms;                      /* longest that the helper half may take for one */
    struct limit_rate rates[CONFIG_ALLOW_MAX + 1]; /* of each allowed name; the last one: who has none */
    struct tally tally;
    struct limit_rate log_rate; /* lines that strangers cause */
    uint64_t unlogged;
    bool stopping;
};

/* Where a connection comes from, as strangers' places are shared out: of IPv6 the first 64 bits, since one machine may
 * have all the addresses behind them. */
void server_take_address(const struct sockaddr_storage *addr, unsigned char from[16]);
/* Let a round come so soon at the latest. */
void server_round_in(struct server *server, uint64_t in_ms);
/* A line of log that a stranger causes; few of them are written, the rest counted. */
bool server_may_log(struct server *server);

#endif
