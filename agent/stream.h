/* stream.h - the bytes of one connection, over TLS or plain. Nothing here waits. */
#ifndef AGENT_STREAM_H
#define AGENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tls.h"

#define STREAM_WAIT   (-1) /* later, when the socket says so: see wants_write */
#define STREAM_BROKEN (-2)

struct stream {
    int fd;                   /* owned */
    gnutls_session_t session; /* NULL: plain */
    struct tls *tls;          /* a reference */
    bool wants_write;         /* the last call waits for room in the socket, not for bytes */
    size_t unsent;            /* of a record that TLS has made already: what it was asked to send */
};

/* `fd` is taken over; `tls` NULL: plain. False: out of memory; the fd is closed. */
bool stream_open(struct stream *stream, int fd, struct tls *tls);
int stream_handshake(struct stream *stream);                                /* 0: done */
ssize_t stream_read(struct stream *stream, void *to, size_t size);          /* bytes; 0: the other side has ended */
ssize_t stream_write(struct stream *stream, const void *from, size_t size); /* bytes, at least one */
void stream_end(struct stream *stream); /* nothing more comes from us; what comes may still be read */
void stream_close(struct stream *stream);

#endif
