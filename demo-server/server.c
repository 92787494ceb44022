#include "server.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "lobby.h"
#include "log.h"
#include "request.h"

#define LISTENERS_MAX 8
/* Who is ready: a listener, or */
#define ADOPTED_INDEX  LISTENERS_MAX
#define LOBBY_INDEX    (LISTENERS_MAX + 1)
#define HANDOVER_INDEX (LISTENERS_MAX + 2)
#define PREDECESSORS   2    /* handover.h: three processes at most */
#define ADOPT_AHEAD    256  /* connections that a predecessor may send before it hears that there is room */
#define FDS_SPARE      64   /* of the limit on open files: listeners, epolls, pipes, a successor's start */
#define CONN_MEMORY    4096 /* bytes for head and answer of a request; more would cost a sleeper a page */
#define SWEEP_EVERY_MS 1000 /* for connections that are dead and do not know it */
#define QUEUE_LIMIT_MS 1000 /* for taking in what waits in the accept queues at the end */

struct server {
    struct site site;
    struct listener listeners[LISTENERS_MAX];
    unsigned listener_count;
    int listen_fds[LISTENERS_MAX];
    int epoll_fd;
    struct lobby *lobby;
    unsigned conns_max; /* a listener: without it, accept would meet the end of files, and so would a handover */
    unsigned adopt_ahead;
    struct listener adopted; /* has no socket; its connections were passed on while their listener was full */
    int64_t sweep_at_ms;
};

static int64_t now_ms(void)
{
    return request_now_ns() / 1000000;
}

/* ---- libmicrohttpd's callbacks */

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct listener *l = ctx;

        *socket_context = conn_open(l->site->adopting != NULL ? l->site->adopting : l, mhd);
    } else if (*socket_context != NULL) {
        conn_close(*socket_context);
        *socket_context = NULL;
    }
}

static void *on_request_line(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct conn *c = info != NULL ? info->socket_context : NULL;

    (void)ctx, (void)uri;
    if (c != NULL)
        request_begin(c);
    return c;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *size, void **request_context)
{
    struct conn *c = *request_context;

    (void)ctx, (void)mhd;
    return c != NULL ? request_feed(c, url, method, version, upload, size) : MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    struct conn *c = *request_context;

    (void)ctx, (void)mhd;
    if (c != NULL)
        request_end(c, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *request_context = NULL;
}

/* ---- the start */

static int nobody_open(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    (void)close(ends[1]);
    return ends[0];
}

/* A connection is a file: as many as the system lets us. */
static unsigned conns_limit(void)
{
    struct rlimit files = {1024, 1024};
    rlim_t spare;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur > INT_MAX)
        files.rlim_cur = INT_MAX;
    spare = files.rlim_cur / 2 < FDS_SPARE ? files.rlim_cur / 2 : FDS_SPARE;
    return (unsigned)(files.rlim_cur - spare);
}

static bool watch(struct server *s, int fd, unsigned index, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
           err_set(err, "cannot watch file descriptor %d: %s", fd, strerror(errno));
}

/* listen_fd -1: for connections that are added. */
static bool daemon_start(struct server *s, struct listener *l, int listen_fd, unsigned index, struct err *err)
{
    const unsigned conns_max = l == &s->adopted ? s->adopt_ahead * PREDECESSORS : s->conns_max;
    const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (listen_fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0);
    const union MHD_DaemonInfo *info;

    l->site = &s->site;
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_CONNECTION_LIMIT, conns_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONN_MEMORY, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
        listen_fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_END);
    if (l->daemon == NULL)
        return err_set(err, "libmicrohttpd does not start: %s", strerror(errno));
    info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info != NULL && watch(s, info->epoll_fd, index, err))
        return true;
    MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
    return false;
}

static bool is_full(const struct server *s, const struct listener *l)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info == NULL || info->num_connections + l->guests >= s->conns_max;
}

static bool lobby_is_full(void *ctx, const struct listener *l)
{
    return is_full(ctx, l);
}

/* To libmicrohttpd, a connection that it did not accept; where it could not be added, it is closed already. */
static void enter(void *ctx, struct listener *l, int fd)
{
    struct server *s = ctx;
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof from;

    if (getpeername(fd, (struct sockaddr *)&from, &size) != 0) { /* its client has left */
        (void)close(fd);
        return;
    }
    s->site.adopting = l;
    (void)MHD_add_connection(is_full(s, l) ? s->adopted.daemon : l->daemon, fd, (struct sockaddr *)&from, size);
    s->site.adopting = NULL;
}

static const struct lobby_ops lobby_ops = {.enter = enter, .is_full = lobby_is_full};

struct server *server_new(const struct timespec *started, uint32_t linger_ms, unsigned listeners, struct err *err)
{
    struct server *s = calloc(1, sizeof *s);
    const unsigned conns = conns_limit();

    if (s == NULL) {
        err_set(err, "no memory");
        return NULL;
    }
    (void)gotime_format(started, s->site.started);
    s->site.pid = getpid();
    s->site.linger_ms = linger_ms;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->site.nobody_fd = nobody_open();
    s->adopt_ahead = conns / 8 < ADOPT_AHEAD ? conns / 8 : ADOPT_AHEAD;
    s->conns_max = (conns - PREDECESSORS * s->adopt_ahead) / listeners;
    s->lobby = lobby_new(&s->site, &lobby_ops, s, err);
    if (s->epoll_fd < 0 || s->site.nobody_fd < 0)
        err_set(err, "cannot make an epoll and a socket: %s", strerror(errno));
    else if (s->lobby != NULL && watch(s, lobby_fd(s->lobby), LOBBY_INDEX, err) &&
             daemon_start(s, &s->adopted, -1, ADOPTED_INDEX, err))
        return s;
    lobby_free(&s->lobby);
    free(s);
    return NULL;
}

unsigned server_adopt_ahead(const struct server *s)
{
    return s->adopt_ahead;
}

/* Clients whose machine is gone without a word are found out as Go's net does; accepted sockets inherit it. */
static void keepalive_set(int listen_fd)
{
    const int on = 1, idle_s = 15, every_s = 15;

    (void)setsockopt(listen_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(listen_fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(listen_fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
}

static bool is_unix(int listen_fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;

    return getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

bool server_add(struct server *s, int listen_fd, const char *flag, const char *name, struct err *err)
{
    struct listener *l = &s->listeners[s->listener_count];

    assert(s->listener_count < LISTENERS_MAX);
    l->name = name;
    l->flag = flag;
    l->is_unix = is_unix(listen_fd);
    keepalive_set(listen_fd);
    if (!daemon_start(s, l, l->is_unix ? -1 : listen_fd, s->listener_count, err) ||
        (l->is_unix && !lobby_listen(s->lobby, l, listen_fd, err)))
        return err_context(err, "listener %s", name);
    s->listen_fds[s->listener_count++] = listen_fd;
    return true;
}

/* ---- the handover's side */

static void on_sweep(void *ctx)
{
    struct server *s = ctx;
    int64_t now = now_ms();

    for (struct conn *c = s->site.conns; c != NULL; c = c->next)
        conn_sweep(c, now);
    lobby_sweep(s->lobby, now);
}

/* Take in what waits in its queue. */
static void accept_more(struct server *s, struct listener *l)
{
    if (l->is_unix) {
        lobby_open(s->lobby);
        lobby_look(s->lobby);
    }
    (void)MHD_run(l->daemon);
}

static void on_quiesce(void *ctx, bool last)
{
    struct server *s = ctx;
    int64_t limit_ms = now_ms() + QUEUE_LIMIT_MS;

    for (unsigned i = 0; i < s->listener_count; i++) {
        struct pollfd queue = {.fd = s->listen_fds[i], .events = POLLIN};

        while (last && poll(&queue, 1, 0) == 1 && now_ms() < limit_ms)
            accept_more(s, &s->listeners[i]);
        (void)MHD_quiesce_daemon(s->listeners[i].daemon);
    }
    lobby_close(s->lobby);
    s->site.draining = true;
    s->site.stopping = last;
    on_sweep(s);
}

static void on_alone(void *ctx)
{
    struct server *s = ctx;

    s->site.stopping = true;
}

static bool on_adopt(void *ctx, const char *flag, int fd)
{
    struct server *s = ctx;

    for (unsigned i = 0; i < s->listener_count; i++) {
        struct listener *l = &s->listeners[i];

        if (strcmp(l->flag, flag) == 0) {
            const bool full = is_full(s, l);

            if (l->is_unix)
                lobby_adopt(s->lobby, l, fd);
            else
                enter(s, l, fd);
            return !full;
        }
    }
    (void)close(fd);
    return true;
}

static size_t on_left(void *ctx)
{
    const struct server *s = ctx;

    return s->site.conn_count;
}

static size_t on_abandon(void *ctx)
{
    struct server *s = ctx;
    size_t cut = 0;

    for (struct conn *c = s->site.conns; c != NULL; c = c->next)
        cut += conn_cut(c);
    lobby_clear(s->lobby);
    return cut;
}

static void on_log(void *ctx, const char *event, const char *text)
{
    (void)ctx;
    log_text(event, text);
}

const struct handover_ops server_handover_ops = {.quiesce = on_quiesce,
                                                 .alone = on_alone,
                                                 .left = on_left,
                                                 .sweep = on_sweep,
                                                 .abandon = on_abandon,
                                                 .adopt = on_adopt,
                                                 .log = on_log};

/* ---- the loop */

/* Until the next sleeper is due, in whole milliseconds rounded up: nobody is woken early; or until the next sweep. */
static int wait_ms(const struct server *s)
{
    const struct sleeper *first = sleepers_first(&s->site.sleepers);
    int64_t left_ns = INT64_MAX, sweep_ns = (s->sweep_at_ms - now_ms()) * 1000000;

    if (first != NULL)
        left_ns = first->deadline_ns - request_now_ns();
    if (s->site.conn_count > 0 && sweep_ns < left_ns)
        left_ns = sweep_ns;
    if (left_ns == INT64_MAX)
        return -1;
    if (left_ns <= 0)
        return 0;
    return left_ns > (int64_t)INT_MAX * 1000000 ? INT_MAX : (int)((left_ns + 999999) / 1000000);
}

static void sweep_dead(struct server *s)
{
    const int64_t now = now_ms();

    if (now < s->sweep_at_ms)
        return;
    for (struct conn *c = s->site.conns; c != NULL; c = c->next)
        conn_sweep_dead(c, now, REQUEST_LIMIT_MS);
    lobby_open(s->lobby);
    s->sweep_at_ms = now + SWEEP_EVERY_MS;
}

static bool sleepers_wake(struct server *s)
{
    const int64_t now_ns = request_now_ns();
    struct sleeper *first;
    bool any = false;

    while ((first = sleepers_first(&s->site.sleepers)) != NULL && first->deadline_ns <= now_ns) {
        sleepers_remove(&s->site.sleepers, first);
        request_wake(request_conn_of(first));
        any = true;
    }
    return any;
}

/* Work that libmicrohttpd has left over makes no file descriptor ready; it is asked. */
static bool daemon_run(struct listener *l)
{
    MHD_UNSIGNED_LONG_LONG left_ms;

    (void)MHD_run(l->daemon);
    return MHD_get_timeout(l->daemon, &left_ms) == MHD_YES && left_ms == 0;
}

/* What it does not tell: a listener that was full listens again only when it is run once more after a connection has
 * gone. */
static bool daemons_run(struct server *s, unsigned ready)
{
    const size_t before = s->site.conn_count;
    bool more = false;

    if ((ready & 1u << LOBBY_INDEX) != 0)
        lobby_look(s->lobby); /* whom it hands on is heard below, or in the next turn */
    for (unsigned i = 0; i < s->listener_count; i++)
        if ((ready & 1u << i) != 0)
            more |= daemon_run(&s->listeners[i]);
    if ((ready & 1u << ADOPTED_INDEX) != 0)
        more |= daemon_run(&s->adopted);
    if (s->site.conn_count < before)
        lobby_open(s->lobby);
    return more || (before >= s->conns_max && s->site.conn_count < before);
}

bool server_run(struct server *s, struct handover *h, struct err *err)
{
    const unsigned all = ~0u;
    struct epoll_event events[HANDOVER_INDEX + 1];
    bool more = true;

    s->site.handover = h;
    if (!watch(s, handover_fd(h), HANDOVER_INDEX, err))
        return false;
    while (!handover_ended(h)) {
        int n = epoll_wait(s->epoll_fd, events, HANDOVER_INDEX + 1, more ? 0 : wait_ms(s));
        unsigned ready = more ? all : 0;

        if (n < 0 && errno != EINTR)
            return err_set(err, "cannot wait for events: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 != HANDOVER_INDEX) {
                ready |= 1u << events[i].data.u32;
            } else {
                handover_wake(h);
                ready = all; /* connections may have been told to go */
            }
        }
        if (sleepers_first(&s->site.sleepers) != NULL && sleepers_wake(s))
            ready = all;
        sweep_dead(s);
        more = daemons_run(s, ready);
    }
    return true;
}

const struct counts *server_counts(const struct server *s)
{
    return &s->site.counts;
}

void server_free(struct server **server)
{
    struct server *s = *server;

    if (s == NULL)
        return;
    (void)on_abandon(s); /* libmicrohttpd must not be stopped with a suspended connection */
    for (unsigned i = 0; i < s->listener_count; i++)
        MHD_stop_daemon(s->listeners[i].daemon);
    MHD_stop_daemon(s->adopted.daemon);
    lobby_free(&s->lobby);
    sleepers_clear(&s->site.sleepers);
    (void)close(s->epoll_fd);
    (void)close(s->site.nobody_fd);
    free(s);
    *server = NULL;
}
