#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"

#define HEAD_MAX 16384
#define BODY_MAX (64u << 20)
#define IN_FIRST 2048
#define AT_ONCE  256
#define BACKLOG  4096

struct conn {
    struct conn *next, **back; /* of all */
    int fd;
    uint32_t address;
    server_handler handler;
    gnutls_session_t tls;
    bool shaken, busy, again, writes; /* busy: a request has no answer yet; again: gnutls holds a piece */
    char *in, *out;
    size_t in_n, in_room, out_n, out_at, out_room;
    bool told_continue;
    struct wait wait;
};

struct listening {
    int fd;
    server_handler handler;
};

struct server_counts server_counts;
static int epoll = -1;
static struct listening listening[2];
static struct conn *conns;
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static bool with_tls;

/* ---- waits */
struct wait *conn_wait(struct conn *c)
{
    c->wait.conn = c;
    return &c->wait;
}

void wait_link(struct wait *w, struct wait **list)
{
    w->next = *list;
    w->back = list;
    if (w->next != NULL)
        w->next->back = &w->next;
    *list = w;
}

void wait_unlink(struct wait *w)
{
    timer_stop(&w->timer);
    if (w->back == NULL)
        return;
    *w->back = w->next;
    if (w->next != NULL)
        w->next->back = w->back;
    w->back = NULL;
}

/* ---- bytes */
static void conn_close(struct conn *c)
{
    wait_unlink(&c->wait);
    *c->back = c->next;
    if (c->next != NULL)
        c->next->back = c->back;
    if (c->tls != NULL)
        gnutls_deinit(c->tls);
    (void)close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

static void watch(struct conn *c, bool writes)
{
    struct epoll_event e = {.events = EPOLLIN | (writes ? EPOLLOUT : 0u), .data.ptr = c};

    if (c->writes != writes)
        (void)epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->writes = writes;
}

/* Bytes moved, 0 = at its end, -1 = not now, -2 = broken. */
static ssize_t take(struct conn *c, void *to, size_t n)
{
    ssize_t got;

    if (c->tls == NULL) {
        got = recv(c->fd, to, n, 0);
        return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    got = gnutls_record_recv(c->tls, to, n);
    return got >= 0 ? got : got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED ? -1 : -2;
}

static ssize_t give(struct conn *c, const void *from, size_t n)
{
    ssize_t put;

    if (c->tls == NULL) {
        put = send(c->fd, from, n, MSG_NOSIGNAL);
        return put >= 0 ? put : errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    put = c->again ? gnutls_record_send(c->tls, NULL, 0) : gnutls_record_send(c->tls, from, n);
    c->again = put == GNUTLS_E_AGAIN || put == GNUTLS_E_INTERRUPTED;
    return put >= 0 ? put : c->again ? -1 : -2;
}

static bool push(struct conn *c)
{
    while (c->out_at < c->out_n) {
        ssize_t put = give(c, c->out + c->out_at, c->out_n - c->out_at);

        if (put == -2)
            return false;
        if (put == -1)
            break;
        c->out_at += (size_t)put;
    }
    if (c->out_at == c->out_n) {
        c->out_at = c->out_n = 0;
        if (c->out_room > 65536) {
            free(c->out);
            c->out = NULL;
            c->out_room = 0;
        }
    }
    watch(c, c->out_n > 0);
    return true;
}

static void put_out(struct conn *c, const char *bytes, size_t n)
{
    if (c->out_n + n > c->out_room) {
        c->out_room = c->out_n + n + 512;
        c->out = mem_grow(c->out, c->out_room, 1);
    }
    memcpy(c->out + c->out_n, bytes, n);
    c->out_n += n;
}

static const char *phrase(int status)
{
    return status == 200   ? "OK"
           : status == 201 ? "Created"
           : status == 202 ? "Accepted"
           : status == 404 ? "Not Found"
                           : "No";
}

void conn_answer(struct conn *c, int status, const char *header, const char *body, size_t n)
{
    char head[512];
    int length =
        snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                 status, phrase(status), header, n);

    c->busy = false;
    server_counts.requests++;
    server_counts.out_bytes += n;
    put_out(c, head, (size_t)length);
    put_out(c, body, n);
    if (!push(c))
        (void)shutdown(c->fd, SHUT_RDWR); /* its end comes through the loop */
}

/* ---- requests */
static struct slice cut(struct slice *rest, char end)
{
    const char *at = memchr(rest->at, end, rest->n);
    struct slice part = {rest->at, at != NULL ? (size_t)(at - rest->at) : rest->n};
    size_t gone = part.n + (at != NULL ? 1 : 0);

    rest->at += gone;
    rest->n -= gone;
    return part;
}

static struct slice trimmed(struct slice s)
{
    while (s.n > 0 && (*s.at == ' ' || *s.at == '\t')) {
        s.at++;
        s.n--;
    }
    while (s.n > 0 && (s.at[s.n - 1] == '\r' || s.at[s.n - 1] == ' '))
        s.n--;
    return s;
}

static bool named(struct slice s, const char *name)
{
    return s.n == strlen(name) && strncasecmp(s.at, name, s.n) == 0;
}

struct head {
    size_t body_bytes;
    bool expects;
};

static void read_header(struct request *q, struct head *h, struct slice name, struct slice value)
{
    static const char *const lease[] = {"Rollout-Fence", "Rollout-Id", "Rollout-Ttl", "Rollout-Holder"};

    if (name.n == 0)
        return;
    switch (name.at[0] | 0x20) {
    case 'c':
        if (named(name, "Content-Length"))
            h->body_bytes = (size_t)text_number(value);
        return;
    case 'e':
        h->expects = h->expects || (named(name, "Expect") && value.n > 0);
        return;
    case 'p':
        if (named(name, "Prefer") && value.n > 5 && strncasecmp(value.at, "wait=", 5) == 0) {
            q->waits = true;
            q->wait_s = (uint32_t)text_number((struct slice){value.at + 5, value.n - 5});
        }
        return;
    case 'r':
        for (size_t i = 0; i < 4; i++)
            if (named(name, lease[i]))
                q->lease[i] = value;
        return;
    default:
        return;
    }
}

static void read_head(struct slice text, struct request *q, struct head *h)
{
    struct slice line = trimmed(cut(&text, '\n'));

    q->method = cut(&line, ' ');
    q->query = cut(&line, ' ');
    q->path = cut(&q->query, '?');
    while (text.n > 0) {
        struct slice value = trimmed(cut(&text, '\n')), name = cut(&value, ':');

        read_header(q, h, name, trimmed(value));
    }
}

/* One request, if a whole one is there. False: the connection is of no use any more. */
static bool serve_one(struct conn *c, bool *served)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    struct request q = {.address = c->address};
    struct head h = {0};

    *served = false;
    if (end == NULL)
        return c->in_n < HEAD_MAX;
    size_t head_n = (size_t)(end + 4 - c->in);
    read_head((struct slice){c->in, head_n - 2}, &q, &h);
    if (h.body_bytes > BODY_MAX)
        return false;
    if (c->in_n < head_n + h.body_bytes) {
        if (h.expects && !c->told_continue) {
            c->told_continue = true;
            put_out(c, go_on, sizeof go_on - 1);
            return push(c);
        }
        return true;
    }
    q.body = (struct slice){c->in + head_n, h.body_bytes};
    c->told_continue = false;
    c->busy = true;
    c->handler(c, &q);
    c->in_n -= head_n + h.body_bytes;
    memmove(c->in, c->in + head_n + h.body_bytes, c->in_n);
    *served = true;
    return true;
}

static bool on_input(struct conn *c)
{
    bool served = true;

    for (;;) {
        if (c->in_room - c->in_n < IN_FIRST / 2) {
            c->in_room = c->in_room * 2 + IN_FIRST;
            c->in = mem_grow(c->in, c->in_room, 1);
        }
        size_t room = c->in_room - c->in_n;
        ssize_t got = take(c, c->in + c->in_n, room);
        if (got == 0 || got == -2)
            return false;
        if (got == -1)
            break;
        c->in_n += (size_t)got;
        if (c->tls == NULL && (size_t)got < room)
            break;
    }
    while (!c->busy && c->in_n > 0 && served)
        if (!serve_one(c, &served))
            return false;
    return true;
}

static bool shake(struct conn *c)
{
    unsigned status = 0;
    int rc = gnutls_handshake(c->tls);

    if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED)
        return true;
    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_certificate_verify_peers2(c->tls, &status);
    if (rc != GNUTLS_E_SUCCESS || status != 0) {
        (void)fprintf(stderr, "fake fleet: TLS: %s\n", rc < 0 ? gnutls_strerror(rc) : "the certificate is not trusted");
        return false;
    }
    c->shaken = true;
    server_counts.handshakes++;
    return true;
}

/* ---- connections */
static void welcome(struct listening *l)
{
    for (int i = 0; i < AT_ONCE; i++) {
        struct sockaddr_in local;
        socklen_t size = sizeof local;
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        (void)getsockname(fd, (struct sockaddr *)&local, &size);
        struct conn *c = mem_zero(1, sizeof *c);
        c->fd = fd;
        c->address = ntohl(local.sin_addr.s_addr);
        c->handler = l->handler;
        c->next = conns;
        c->back = &conns;
        if (c->next != NULL)
            c->next->back = &c->next;
        conns = c;
        if (with_tls) {
            (void)gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
            (void)gnutls_priority_set(c->tls, priority);
            (void)gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, credentials);
            gnutls_certificate_server_set_request(c->tls, GNUTLS_CERT_REQUIRE);
            gnutls_transport_set_int(c->tls, fd);
        }
        server_counts.connections[l - listening]++;
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
    }
}

static void on_event(struct conn *c, uint32_t events)
{
    bool good = true;

    if (c->tls != NULL && !c->shaken) {
        good = shake(c);
        if (!good || !c->shaken) {
            if (!good)
                conn_close(c);
            return;
        }
    }
    if (events & EPOLLOUT)
        good = push(c);
    if (good && (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
        good = on_input(c);
    if (!good)
        conn_close(c);
}

static bool listen_at(struct listening *l, uint16_t port, server_handler handler, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};

    l->handler = handler;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (setsockopt(l->fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") != 0)
        return err_set(err, "cannot bind to the interface lo alone: %s", strerror(errno));
    if (bind(l->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(l->fd, BACKLOG) != 0)
        return err_set(err, "cannot listen on port %u: %s", port, strerror(errno));
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = l});
    return true;
}

static bool open_tls(const char *folder, struct err *err)
{
    char *ca = mem_format("%s/ca.pem", folder), *own = mem_format("%s/server.pem", folder);
    bool good = gnutls_certificate_allocate_credentials(&credentials) == 0 &&
                gnutls_priority_init(&priority, "SECURE128:-VERS-ALL:+VERS-TLS1.3", NULL) == 0 &&
                gnutls_certificate_set_x509_trust_file(credentials, ca, GNUTLS_X509_FMT_PEM) > 0 &&
                gnutls_certificate_set_x509_key_file(credentials, own, own, GNUTLS_X509_FMT_PEM) == 0;

    with_tls = true;
    if (!good)
        (void)err_set(err, "cannot use %s and %s", ca, own);
    free(ca);
    free(own);
    return good;
}

bool server_open(uint16_t lb_port, server_handler lb, uint16_t agent_port, server_handler agent, const char *tls_folder,
                 struct err *err)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    return (tls_folder == NULL || open_tls(tls_folder, err)) && listen_at(&listening[0], lb_port, lb, err) &&
           listen_at(&listening[1], agent_port, agent, err);
}

bool server_run_until(int fd, uint32_t limit_s)
{
    struct epoll_event events[AT_ONCE];
    int64_t end_ns = timer_now_ns() + (int64_t)limit_s * 1000000000;

    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    for (;;) {
        int64_t next = timers_run(), now = timer_now_ns();

        if (now >= end_ns)
            return false;
        next = next < end_ns ? next : end_ns;
        next = next > now ? next - now : 0;
        int n = epoll_pwait2(epoll, events, AT_ONCE,
                             &(struct timespec){.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}, NULL);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;

            if (who == NULL)
                return true;
            if (who == &listening[0] || who == &listening[1])
                welcome(who);
            else
                on_event(who, events[i].events);
        }
    }
}

void server_close(void)
{
    while (conns != NULL)
        conn_close(conns);
    for (int i = 0; i < 2; i++)
        if (listening[i].fd > 0)
            (void)close(listening[i].fd);
    if (with_tls) {
        gnutls_certificate_free_credentials(credentials);
        gnutls_priority_deinit(priority);
    }
    (void)close(epoll);
    timers_free();
}
