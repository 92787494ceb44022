/* conn.h - a client's connection, the request on it, and the site that all of them belong to.
 *
 * HTTP/1.1 has one request at a time on a connection, so the request is a part of the connection and nothing is
 * allocated for it. A conn lives from libmicrohttpd's "started" to its "closed". */
#ifndef DEMO_SERVER_CONN_H
#define DEMO_SERVER_CONN_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "gotime.h"
#include "routes.h"
#include "sleepers.h"

#define FORM_VALUE_MAX 128 /* bytes of a duration, with its end; a longer one is bad anyhow */

/* What all connections share. Owned by the server. */
struct site {
    char started[GOTIME_MAX]; /* as every answer tells it; made once, as the pid */
    long pid;
    struct sleepers sleepers;
    struct counts counts;
    struct conn *conns;
    size_t conn_count;         /* of libmicrohttpd's and in the lobby */
    bool draining;             /* an answer closes its connection, unless more requests wait on it */
    bool stopping;             /* and no successor takes connections */
    struct listener *adopting; /* the connection that opens is a predecessor's, and came by this; else NULL */
    uint32_t linger_ms;
    int nobody_fd;             /* a socket whose other end is closed */
    struct handover *handover; /* borrowed; set once the server runs */
};

/* One of the three addresses; the name is what its answers begin with. */
struct listener {
    struct site *site;
    const char *name, *flag; /* "Zero  ", "a0" */
    struct MHD_Daemon *daemon;
    bool is_unix;    /* its connections come by the lobby (lobby.h) */
    unsigned guests; /* that are there */
};

enum request_state {
    REQUEST_NONE, /* the connection is idle */
    REQUEST_HEAD, /* its first line has been read */
    REQUEST_BODY,
    REQUEST_ASLEEP,
    REQUEST_AWAKE,
    REQUEST_CUT, /* to be ended without an answer */
    REQUEST_ANSWERED,
};

struct request {
    enum request_state state;
    enum route route;
    struct sleeper sleeper;
    int64_t sleep_ns;
    int64_t began_ms; /* its first line came in */
    uint64_t body_bytes;
    struct MHD_PostProcessor *form;           /* NULL: the body is no form, or is not wanted */
    bool form_has_duration, form_has_another; /* of several, the first counts, as in Go */
    char duration[FORM_VALUE_MAX];
};

struct conn {
    struct conn *previous, *next;
    struct listener *listener;
    struct MHD_Connection *mhd;
    int fd;
    int64_t silent_since_ms; /* while draining: the last time that anything happened here */
    uint64_t bytes_received; /* TCP's count at that time */
    uint64_t bytes_taken;    /* TCP's count of what requests were made of: all that was read, or there is part of one */
    uint64_t more_at;        /* conn_has_more: TCP's count when it was asked last, and how much seemed to wait then */
    uint64_t more_bytes;
    bool untold;  /* a chunked body: how many bytes it was is not known */
    bool spoke;   /* it has begun a request */
    bool closing; /* it has been told to go */
    struct request request;
};

struct conn *conn_open(struct listener *, struct MHD_Connection *);
void conn_close(struct conn *);

/* Let go of a connection that will bring no whole request any more: its client has ended its stream (libmicrohttpd
 * 0.9.75 misses an end that comes in one piece with data, and keeps the connection for ever), or one request has been
 * coming in for longer than limit_ms. An idle connection has no limit: a proxy may use it in that very moment. */
void conn_sweep_dead(struct conn *, int64_t now_ms, uint32_t limit_ms);

/* While draining, of a connection that is idle. With a successor: pass it on, so that its client notices nothing; where
 * that cannot be, keep it until it speaks: part of a request has been read, or that is not known. It is known by TCP's
 * count of bytes, so not of a Unix socket's client that has spoken (lobby.h has the others), nor of one that has sent a
 * chunked body or a blank line too many. Without a successor: keep it for linger_ms of silence, and close it when
 * nothing waits to be read. So goes also one that has never said a word and cannot be passed.
 * A client that speaks in time is heard, and its answer closes the connection. */
void conn_sweep(struct conn *, int64_t now_ms);

/* The head of a request is whole, or a piece of its body has come. `encoded`: the body is chunked. */
void conn_count_head(struct conn *, bool encoded);
void conn_count_body(struct conn *, size_t bytes);

/* Asked once an answer: behind the request that is being answered, more has arrived, pipelined ones, which closing
 * would lose. Where bytes are not counted (a Unix socket, a chunked body) only what libmicrohttpd has not read yet is
 * seen. Blank lines between requests are not counted as read, and look like more; they are believed once. */
bool conn_has_more(struct conn *);

/* End it with whatever is on it. True where a request was cut short. */
bool conn_cut(struct conn *);

#endif
