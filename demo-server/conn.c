#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handover.h"

#define BLANK_BYTES 4 /* blank lines that a client may add to each request */

/* All that has ever come in on it, read or not: what MSG_PEEK cannot see is half a head in libmicrohttpd's buffer. */
static uint64_t bytes_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

static bool is_tcp(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

/* What has been read of it, by TCP's count. False: not known (a Unix socket). Were a byte to come in between, the sum
 * would be too large, and fit nothing. */
static bool bytes_read(int fd, uint64_t *bytes)
{
    int waiting;

    if (!is_tcp(fd) || ioctl(fd, FIONREAD, &waiting) != 0)
        return false;
    *bytes = bytes_received(fd);
    *bytes = *bytes > (uint64_t)waiting ? *bytes - (uint64_t)waiting : 0;
    return true;
}

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
    if (site->adopting != NULL)
        c->untold = !bytes_read(c->fd, &c->bytes_taken);
    c->spoke = c->untold || c->bytes_taken > 0;
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

void conn_count_head(struct conn *c, bool encoded)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (info != NULL)
        c->bytes_taken += info->header_size;
    c->untold |= encoded;
}

void conn_count_body(struct conn *c, size_t bytes)
{
    c->bytes_taken += bytes;
}

bool conn_has_more(struct conn *c)
{
    const bool wrong = c->more_bytes > 0 && c->bytes_taken > c->more_at; /* what seemed to be this request was not */
    const uint64_t stray = wrong ? c->more_bytes + BLANK_BYTES : 0;
    int waiting = 0;

    if (c->untold)
        return ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0;
    c->more_at = bytes_received(c->fd);
    c->more_bytes = c->more_at > c->bytes_taken ? c->more_at - c->bytes_taken : 0;
    return c->more_bytes > stray;
}

/* The successor has a descriptor of its own. Ours becomes one that nobody speaks on, which libmicrohttpd then closes;
 * suspended meanwhile, so that it is in no epoll: that knows the file, not the descriptor. */
static void leave(struct conn *c)
{
    c->closing = true;
    MHD_suspend_connection(c->mhd);
    (void)dup3(c->listener->site->nobody_fd, c->fd, O_CLOEXEC);
    MHD_resume_connection(c->mhd);
}

/* True: there is no more to be done about it now. */
static bool pass(struct conn *c)
{
    uint64_t bytes;

    if (!c->untold && bytes_read(c->fd, &bytes) && bytes == c->bytes_taken) {
        switch (handover_pass(c->listener->site->handover, c->listener->flag, c->fd)) {
        case HANDOVER_PASSED:
            leave(c);
            return true;
        case HANDOVER_PASS_LATER:
            return true;
        case HANDOVER_PASS_NEVER:
            break;
        }
    }
    return c->spoke || bytes_received(c->fd) > 0;
}

void conn_sweep(struct conn *c, int64_t now_ms)
{
    const struct site *site = c->listener->site;
    uint64_t received;

    if (c->closing || c->request.state != REQUEST_NONE || (!site->stopping && pass(c)))
        return;
    if (c->silent_since_ms != 0 && now_ms - c->silent_since_ms < site->linger_ms)
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
