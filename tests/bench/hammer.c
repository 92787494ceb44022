#include "hammer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096
#define PIDS_MAX   1024
#define EVENTS     256

struct lane {
    int fd; /* -1: none */
    bool awaits;
    uint64_t sent_ns, due_ns; /* due: the end of the pause */
    size_t size;
    char answer[ANSWER_MAX];
};

struct run {
    const struct hammer_options *o;
    struct hammer_result *r;
    struct lane *lanes;
    int epoll_fd;
    pid_t pids[PIDS_MAX]; /* every one that answered; the last is who serves */
    unsigned n_pids;
    bool stopping;
};

static const char keep_request[] = "GET /sleep/?duration=0s HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char close_request[] = "GET /sleep/?duration=0s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static void latency_add(struct hammer_result *r, uint64_t ns)
{
    unsigned power = 0, bucket;

    while (ns >> power >= 64)
        power++;
    bucket = power * 32 + (unsigned)(ns >> power);
    r->buckets[bucket < HAMMER_BUCKETS ? bucket : HAMMER_BUCKETS - 1]++;
    if (ns > r->max_ns)
        r->max_ns = ns;
}

uint64_t hammer_quantile_ns(const struct hammer_result *r, double q)
{
    uint64_t rank = (uint64_t)((double)r->answered * q), sum = 0;

    for (unsigned i = 0; i < HAMMER_BUCKETS; i++) {
        sum += r->buckets[i];
        if (sum > rank)
            return i < 64 ? i : (uint64_t)(32 + i % 32) << (i / 32 - 1);
    }
    return r->max_ns;
}

static void lane_close(struct lane *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    l->awaits = false;
}

static void lane_fails(struct run *h, struct lane *l, uint64_t *kind)
{
    h->r->failed++;
    (*kind)++;
    lane_close(l);
}

/* Loopback: a connect is done at once, or refused. */
static bool lane_connect(struct run *h, struct lane *l)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    int on = 1;

    l->fd = bench_connect(h->o->port);
    if (l->fd < 0)
        return false;
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, l->fd, &event) == 0;
}

static void lane_send(struct run *h, struct lane *l)
{
    const char *request = h->o->close ? close_request : keep_request;
    size_t size = h->o->close ? sizeof close_request - 1 : sizeof keep_request - 1;

    l->due_ns = 0;
    l->size = 0;
    l->sent_ns = bench_now_ns();
    if (l->fd < 0 && !lane_connect(h, l)) {
        lane_fails(h, l, &h->r->refused);
        l->due_ns = bench_now_ns() + 1000000;
        return;
    }
    l->awaits = true;
    if (send(l->fd, request, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
        lane_fails(h, l, &h->r->reset);
}

static void pid_seen(struct run *h, pid_t pid)
{
    for (unsigned i = h->n_pids; i > 0; i--)
        if (h->pids[i - 1] == pid)
            return;
    if (h->n_pids < PIDS_MAX)
        h->pids[h->n_pids++] = pid;
}

/* Whether the answer is whole; *good and *closes are set then. */
static bool answer_is_whole(struct run *h, struct lane *l, bool *good, bool *closes)
{
    const char *end, *length, *pid;
    size_t body;

    l->answer[l->size] = '\0';
    end = strstr(l->answer, "\r\n\r\n");
    if (end == NULL)
        return false;
    length = strcasestr(l->answer, "\r\nContent-Length:");
    body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (l->size < (size_t)(end + 4 - l->answer) + body)
        return false;
    *good = l->size == (size_t)(end + 4 - l->answer) + body && body > 0 && strncmp(l->answer, "HTTP/1.1 200", 12) == 0;
    *closes = strcasestr(l->answer, "\r\nConnection: close") != NULL;
    pid = strstr(end, "from pid ");
    if (pid != NULL)
        pid_seen(h, (pid_t)strtol(pid + 9, NULL, 10));
    return true;
}

static void lane_next(struct run *h, struct lane *l)
{
    if (h->stopping)
        lane_close(l);
    else if (h->o->think_ms > 0)
        l->due_ns = bench_now_ns() + (uint64_t)h->o->think_ms * (500000 + (uint64_t)(random() % 1000000));
    else
        lane_send(h, l);
}

static void lane_ready(struct run *h, struct lane *l)
{
    ssize_t n = recv(l->fd, l->answer + l->size, ANSWER_MAX - 1 - l->size, MSG_DONTWAIT);
    bool good, closes;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (!l->awaits) { /* the server lets go of an idle connection: its right, the next request opens another */
        lane_close(l);
        return;
    }
    if (n <= 0) {
        lane_fails(h, l, l->size == 0 ? &h->r->reset : &h->r->cut);
        lane_next(h, l);
        return;
    }
    l->size += (size_t)n;
    if (!answer_is_whole(h, l, &good, &closes))
        return;
    l->awaits = false;
    if (good) {
        h->r->answered++;
        latency_add(h->r, bench_now_ns() - l->sent_ns);
    } else {
        lane_fails(h, l, &h->r->odd);
    }
    if (closes || h->o->close)
        lane_close(l);
    lane_next(h, l);
}

static void signal_send(struct run *h)
{
    pid_t pid = h->o->signal_pid != 0 ? h->o->signal_pid : h->n_pids > 0 ? h->pids[h->n_pids - 1] : 0;

    if (pid > 1 && kill(pid, h->o->signal) == 0)
        h->r->signals++;
}

static bool any_awaits(const struct run *h)
{
    for (unsigned i = 0; i < h->o->connections; i++)
        if (h->lanes[i].awaits)
            return true;
    return false;
}

static void turn(struct run *h)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(h->epoll_fd, events, EVENTS, h->o->think_ms > 0 ? 1 : 10);
    uint64_t now = bench_now_ns();

    for (int i = 0; i < n; i++) {
        struct lane *l = events[i].data.ptr;

        if (l->fd >= 0)
            lane_ready(h, l);
    }
    for (unsigned i = 0; i < h->o->connections && (n == 0 || h->o->think_ms > 0) && !h->stopping; i++) {
        struct lane *l = &h->lanes[i];

        if (!l->awaits && l->due_ns <= now)
            lane_send(h, l);
    }
}

bool hammer_run(const struct hammer_options *o, struct hammer_result *r, struct err *err)
{
    struct run h = {.o = o, .r = r, .lanes = calloc(o->connections, sizeof *h.lanes), .epoll_fd = epoll_create1(0)};
    uint64_t began = bench_now_ns(), last_signal = began, limit = began + (uint64_t)o->duration_ms * 1000000;
    double cpu = o->cpu_pid != 0 ? bench_cpu_seconds(o->cpu_pid) : 0;

    memset(r, 0, sizeof *r);
    if (h.lanes == NULL || h.epoll_fd < 0) {
        free(h.lanes);
        return err_set(err, "no memory, or no epoll");
    }
    for (unsigned i = 0; i < o->connections; i++) {
        h.lanes[i].fd = -1;
        lane_send(&h, &h.lanes[i]);
    }
    while (!h.stopping || any_awaits(&h)) {
        uint64_t now = bench_now_ns();

        if (!h.stopping && now >= limit &&
            (r->answered >= o->requests_min || now >= limit + (uint64_t)o->duration_ms * 1000000)) {
            h.stopping = true;
            r->seconds = (double)(now - began) / 1e9;
            r->cpu_seconds = o->cpu_pid != 0 ? bench_cpu_seconds(o->cpu_pid) - cpu : 0;
            limit = now + 10000000000U;
        }
        if (h.stopping && now >= limit) {
            err_set(err, "an answer did not come within 10 s");
            break;
        }
        if (!h.stopping && o->signal_every_ms != 0 && now - last_signal >= (uint64_t)o->signal_every_ms * 1000000) {
            signal_send(&h);
            last_signal = now;
        }
        turn(&h);
    }
    for (unsigned i = 0; i < o->connections; i++) {
        r->failed += h.lanes[i].awaits;
        lane_close(&h.lanes[i]);
    }
    r->generations = h.n_pids > 0 ? h.n_pids - 1 : 0;
    r->last_pid = h.n_pids > 0 ? h.pids[h.n_pids - 1] : 0;
    (void)close(h.epoll_fd);
    free(h.lanes);
    return err->text[0] == '\0';
}
