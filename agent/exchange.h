/* exchange.h - one request in the network half: from its connection, through its checks, to the helper half and
 * back. */
#ifndef AGENT_EXCHANGE_H
#define AGENT_EXCHANGE_H

#include "code.h"
#include "conn.h"
#include "link.h"
#include "routes.h"
#include "server_internal.h"

struct exchange {
    struct server *server;
    struct conn *conn;
    const struct route *route;
    struct link_place place;
    size_t body_bytes; /* that have come */

    unsigned status; /* 0: not answered yet */
    enum frame_type type;
    char *answer; /* owned */
    size_t answer_size;
    bool closes; /* the connection cannot be used again */
    struct exchange *next;
};

/* conn.c's. A connection has one at a time. */
struct exchange *exchange_new(struct conn *conn);
void exchange_begin(struct exchange *ex, const struct http_head *head);
void exchange_take(struct exchange *ex, const void *bytes, size_t size);
void exchange_run(struct exchange *ex);     /* its body has come */
void exchange_give_up(struct exchange *ex); /* the helper half has not answered in time */
void exchange_end(struct exchange **ex);    /* nobody waits any more; also with NULL */
void exchange_refuse(struct exchange *ex, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* link.c's: the answer, or NULL: the helper half is gone. */
void exchange_on_answer(struct exchange *ex, const struct frame_answer *answer);
void exchange_on_room(struct exchange *ex);

#endif
