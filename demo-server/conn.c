#include "conn.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct conn *conn_open(struct listener *listener, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct site *site = listener->site;
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->listener = listener;
    c->mhd = mhd;
    c->fd = fd != NULL ? fd->connect_fd : -1;
    c->next = site->conns;
    if (c->next != NULL)
        c->next->previous = c;
    site->conns = c;
    site->conn_count++;
    return c;
}

void conn_close(struct conn *c)
{
    struct site *site = c->listener->site;

    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        site->conns = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    site->conn_count--;
    free(c);
}

/* All that has ever come in on it, read or not: what MSG_PEEK cannot see is half a head in libmicrohttpd's buffer. */
static uint64_t bytes_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

/* All that came in has been read, and no more will come. */
static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void conn_sweep_dead(struct conn *c, int64_t now_ms, uint32_t limit_ms)
{
    const struct request *r = &c->request;
    bool comes_in = r->state == REQUEST_HEAD || r->state == REQUEST_BODY;

    if (c->closing || (!comes_in && r->state != REQUEST_NONE))
        return;
    if (!has_ended(c->fd) && !(comes_in && now_ms - r->began_ms >= limit_ms))
        return;
    c->closing = true;
    (void)shutdown(c->fd, SHUT_RD); /* libmicrohttpd reads again, sees the end and closes */
}

static bool nothing_waits(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void conn_sweep(struct conn *c, int64_t now_ms, uint32_t linger_ms)
{
    uint64_t received;

    if (c->closing || c->request.state != REQUEST_NONE)
        return;
    if (c->silent_since_ms != 0 && now_ms - c->silent_since_ms < linger_ms)
        return;
    received = bytes_received(c->fd);
    if (c->silent_since_ms == 0 || received != c->bytes_received) {
        c->silent_since_ms = now_ms;
        c->bytes_received = received;
        return;
    }
    if (!nothing_waits(c->fd))
        return;
    /* libmicrohttpd sees the end of input and closes; what has arrived by then it still reads and answers. */
    c->closing = true;
    (void)shutdown(c->fd, SHUT_RD);
}

bool conn_cut(struct conn *c)
{
    struct request *r = &c->request;
    bool cut = r->state != REQUEST_NONE;

    c->closing = true;
    if (r->state == REQUEST_ASLEEP) {
        sleepers_remove(&c->listener->site->sleepers, &r->sleeper);
        MHD_resume_connection(c->mhd);
    }
    if (cut)
        r->state = REQUEST_CUT;
    (void)shutdown(c->fd, SHUT_RDWR);
    return cut;
}
