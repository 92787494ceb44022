#include "stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_MAX ((size_t)16 * 1024)

bool stream_open(struct stream *stream, int fd, struct tls *tls)
{
    *stream = (struct stream){.fd = fd, .tls = tls_ref(tls)};
    if (tls == NULL || (stream->session = tls_session(tls, fd)) != NULL)
        return true;
    stream_close(stream);
    return false;
}

static ssize_t judged(struct stream *stream, ssize_t rc)
{
    stream->wants_write = false;
    if (rc >= 0)
        return rc;
    if (stream->session == NULL)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_WAIT : STREAM_BROKEN;
    if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
        return STREAM_BROKEN;
    stream->wants_write = gnutls_record_get_direction(stream->session) == 1;
    return STREAM_WAIT;
}

int stream_handshake(struct stream *stream)
{
    int rc;

    if (stream->session == NULL)
        return 0;
    do
        rc = gnutls_handshake(stream->session);
    while (rc == GNUTLS_E_WARNING_ALERT_RECEIVED || rc == GNUTLS_E_GOT_APPLICATION_DATA);
    if (rc != 0 && gnutls_error_is_fatal(rc))
        (void)gnutls_alert_send_appropriate(stream->session, rc); /* so that the other side can say why */
    return (int)judged(stream, rc);
}

ssize_t stream_read(struct stream *stream, void *to, size_t size)
{
    return judged(stream, stream->session != NULL ? gnutls_record_recv(stream->session, to, size)
                                                  : recv(stream->fd, to, size, 0));
}

ssize_t stream_write(struct stream *stream, const void *from, size_t size)
{
    ssize_t rc;

    if (stream->session == NULL)
        return judged(stream, send(stream->fd, from, size, MSG_NOSIGNAL));
    /* The record that waits is the one to go, whatever has been put behind it meanwhile. */
    if (stream->unsent == 0)
        stream->unsent = size < RECORD_MAX ? size : RECORD_MAX;
    rc = judged(stream, gnutls_record_send(stream->session, from, stream->unsent));
    if (rc > 0)
        stream->unsent = 0;
    return rc;
}

void stream_end(struct stream *stream)
{
    if (stream->session != NULL)
        (void)gnutls_bye(stream->session, GNUTLS_SHUT_WR);
    (void)shutdown(stream->fd, SHUT_WR);
}

void stream_close(struct stream *stream)
{
    if (stream->session != NULL)
        gnutls_deinit(stream->session);
    if (stream->fd >= 0)
        (void)close(stream->fd);
    tls_unref(&stream->tls);
    *stream = (struct stream){.fd = -1};
}
