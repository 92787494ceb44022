/* exchange.h - one request in the network half: from libmicrohttpd, through its checks, to the helper half and back. It
 * lives until libmicrohttpd has sent the answer or lost the connection. */
#ifndef AGENT_EXCHANGE_H
#define AGENT_EXCHANGE_H

#include "code.h"
#include "conn.h"
#include "link.h"
#include "routes.h"
#include "server_internal.h"

struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct conn *conn;
    const struct route *route;
    struct link_place place;
    size_t body_bytes; /* that have come */

    unsigned status; /* 0: not answered yet */
    enum frame_type type;
    char *answer; /* owned */
    size_t answer_size;
    bool close; /* the connection cannot be used again */

    bool suspended;
    struct loop_slot gone; /* the client's end, watched while suspended; fd -1: it is not */
    struct exchange *next;
};

void exchange_refuse(struct exchange *ex, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* link.c's: the answer, or NULL: the helper half is gone. */
void exchange_on_answer(struct exchange *ex, const struct frame_answer *answer);
void exchange_on_room(struct exchange *ex);

/* libmicrohttpd's two callbacks; ctx is the server. */
enum MHD_Result exchange_on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_size, void **slot);
void exchange_on_completed(void *ctx, struct MHD_Connection *connection, void **slot,
                           enum MHD_RequestTerminationCode why);

#endif
