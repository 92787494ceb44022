/* server_internal.h - what server.c (the daemon), conn.c (connections) and request.c (requests) share. */
#ifndef AGENT_SERVER_INTERNAL_H
#define AGENT_SERVER_INTERNAL_H

#include <microhttpd.h>

#include "agent.h"

struct conn;
struct request;

struct server {
    struct agent *agent;
    struct MHD_Daemon *daemon;
    struct loop_slot slot;     /* MHD's epoll within ours */
    struct conn *conns;        /* all open ones */
    struct loop_timer sweep;   /* closes the ones past their deadline */
    struct request *suspended; /* all that wait */
    unsigned requests;         /* begun and not completed */
    bool stopping;
};

/* request.c: libmicrohttpd's two callbacks. */
enum MHD_Result server_on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **slot);
void server_on_completed(void *ctx, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why);

#endif
