/* lobby.h - clients of Unix sockets that have not spoken.
 *
 * TCP counts what a client has sent; a Unix socket does not, and what libmicrohttpd has read of one cannot be known. So
 * connections on Unix sockets are accepted here, and go to libmicrohttpd with their first byte: who is there may have
 * sent a part of a request, and is kept; who is here has certainly sent nothing that was read, and can be passed to a
 * successor. A guest is one of site.conn_count. */
#ifndef DEMO_SERVER_LOBBY_H
#define DEMO_SERVER_LOBBY_H

#include "common/err.h"
#include "conn.h"

struct lobby;

/* What the server does for it; ctx is the server. */
struct lobby_ops {
    /* The client of this connection, which came by that listener, has spoken. The descriptor is the server's. */
    void (*enter)(void *ctx, struct listener *, int fd);
    /* Whether the listener may have no more connections than it has, those in the lobby included. */
    bool (*is_full)(void *ctx, const struct listener *);
};

struct lobby *lobby_new(struct site *, const struct lobby_ops *, void *ctx, struct err *);
void lobby_free(struct lobby **); /* closes what is in it */

/* Readable when lobby_look has something to do. */
int lobby_fd(const struct lobby *);

/* Accept from a listening, non-blocking Unix socket, which stays the caller's, into listener->guests. */
bool lobby_listen(struct lobby *, struct listener *, int listen_fd, struct err *);
/* No more. */
void lobby_close(struct lobby *);

/* A connection of a predecessor's: ours from now on. */
void lobby_adopt(struct lobby *, struct listener *, int fd);

/* Accept, hand on who has spoken, close who has left. */
void lobby_look(struct lobby *);
/* Accept again where that has stopped (the listener was full, or a descriptor could not be had) and there is room. */
void lobby_open(struct lobby *);

/* While draining: pass everybody to the successor. Without one: close who has been silent for site.linger_ms, when
 * nothing waits to be read. */
void lobby_sweep(struct lobby *, int64_t now_ms);

/* End them all. */
void lobby_clear(struct lobby *);

#endif
