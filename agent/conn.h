/* conn.h - one connection, from its acceptance to its end.
 *
 *   SHAKES -> HEAD -> BODY -> WAITS -> ANSWERS -> HEAD ...   or after the last answer -> LINGERS, until it has been
 * read
 *
 * Each state has an absolute deadline; nothing that trickles in moves it. A peer is known once its certificate has been
 * judged good; without TLS (a loopback address, a unix socket) at once. Who is not known gets no more than one refusal,
 * and gives way to whoever comes later. */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include "code.h"
#include "http.h"
#include "server_internal.h"
#include "stream.h"

#define CONN_SHAKE_MS  5000  /* from accept to a known peer; also to the refusal of one that is not */
#define CONN_HEAD_MS   10000 /* from a head's first byte, or from a connection without any, to the head's end */
#define CONN_BODY_MS   10000 /* from the head to the end of a JSON body; from the answer's start to its end */
#define CONN_IDLE_MS   75000 /* from one answer to the first byte of the next head */
#define CONN_UPLOAD_MS 60000 /* a release: so long, and a second more for each MiB */
#define CONN_LINGER_MS 3000  /* for the other side to take the last answer */
#define CONN_AGE_MS                                                                                                    \
    900000               /* then its next answer is the last: certificates run out, and are judged once a connection */
#define CONN_LOOK_MS 250 /* deadlines are looked at so often */

#define CONN_UNKNOWN_MAX 64 /* connections of peers that are not known; one more, and the oldest goes */

enum conn_state { CONN_SHAKES, CONN_HEAD, CONN_BODY, CONN_WAITS, CONN_ANSWERS, CONN_LINGERS, CONN_OVER };

struct conn {
    struct server *server;
    struct stream stream;
    struct loop_slot slot;
    uint32_t watched; /* events */
    enum conn_state state;
    bool known, closes, metrics_only, queues; /* queues: its request waits its turn, limit.h */
    bool last;                                /* its next answer is the last, whatever it is asked */
    bool head_only;                           /* a HEAD request: no body in the answer */
    char name[CONFIG_ALLOW_TEXT];
    unsigned char from[16]; /* the peer's address; IPv4 in the first four; zero: none */
    uint64_t born_ms;
    uint64_t serial;                /* in the order in which they came */
    uint64_t deadline_ms, round_ms; /* round_ms: wants to be looked at then; UINT64_MAX: not */

    char *in; /* HTTP_HEAD_MAX bytes, while there is something in it; owned */
    size_t in_used;
    struct http_scan scan;
    struct http_chunks chunks;
    bool chunked;
    uint64_t body_left; /* where it is not chunked */

    char *out; /* owned */
    size_t out_size, out_sent;
    struct exchange *ex;
    struct conn *next;
};

/* `fd` is taken over. */
void conn_open(struct server *server, int fd, const struct door *door, const unsigned char from[16]);
void conn_allow_ms(struct conn *conn, uint64_t in_ms); /* a new deadline */
/* Something has changed for it: it goes on in the next round. */
void conn_nudge(struct conn *conn);
/* Its end, in the next round. */
void conn_drop(struct conn *conn);
/* Goes on as far as it can without waiting. */
void conn_go(struct conn *conn);
void conn_free(struct conn *conn); /* server.c's, in a round */
/* Its deadline has passed. */
void conn_late(struct conn *conn);
/* It can be closed without anybody missing an answer. */
bool conn_is_idle(const struct conn *conn);

#endif
