#include "lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define POST_BYTES 2048

static void make_request(struct lane *l)
{
    const struct load_class_row *c = &load_classes[l->class];
    bool post = strcmp(c->method, "POST") == 0;
    char body[POST_BYTES + 1];
    int n;

    memset(body, 'x', POST_BYTES);
    body[post ? POST_BYTES : 0] = '\0';
    n = asprintf(&l->request, "%s /sleep/?duration=%ums HTTP/1.1\r\nHost: %s\r\nUser-Agent: rollout-load\r\n%s%s\r\n%s",
                 c->method, c->sleep_ms, l->target->url + strlen("http://"),
                 c->keep_alive ? "" : "Connection: close\r\n",
                 post ? "Content-Type: text/plain\r\nContent-Length: 2048\r\n" : "", body);
    if (n < 0)
        abort();
    l->request_size = (size_t)n;
}

void lane_init(struct lane *l, enum load_class class, const struct target *target, struct report *report, int epoll_fd,
               uint32_t limit_ms, uint32_t seed)
{
    memset(l, 0, sizeof *l);
    l->class = class;
    l->target = target;
    l->report = report;
    l->epoll_fd = epoll_fd;
    l->fd = -1;
    l->state = LANE_RESTS;
    l->limit_ms = limit_ms;
    l->random = seed * 2654435761u + 1;
    make_request(l);
}

void lane_free(struct lane *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->request);
    l->request = NULL;
}

static void hang_up(struct lane *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void listen_for(struct lane *l, int how, uint32_t events)
{
    struct epoll_event e = {.events = events | EPOLLRDHUP, .data.ptr = l};

    (void)epoll_ctl(l->epoll_fd, how, l->fd, &e);
}

static void rest(struct lane *l, uint64_t now_ms)
{
    uint32_t think_ms = load_classes[l->class].think_ms;

    if (l->stopping) {
        hang_up(l);
        l->state = LANE_DONE;
        return;
    }
    l->random = l->random * 1664525u + 1013904223u;
    l->state = LANE_RESTS;
    l->deadline_ms = now_ms + think_ms / 2 + (l->random >> 16) % (think_ms + 1);
    if (l->fd >= 0)
        listen_for(l, EPOLL_CTL_MOD, EPOLLIN);
}

static void fail(struct lane *l, enum load_kind kind, const char *text, uint64_t now_ms)
{
    if (l->state == LANE_AWAITS)
        report_in_flight(l->report, l->class, -1);
    report_failed(l->report, l->class, kind, l->target->url, text);
    hang_up(l);
    rest(l, now_ms);
}

static void send_more(struct lane *l, uint64_t now_ms)
{
    while (l->sent < l->request_size) {
        ssize_t n = send(l->fd, l->request + l->sent, l->request_size - l->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            listen_for(l, EPOLL_CTL_MOD, EPOLLOUT);
            return;
        }
        if (n < 0) {
            fail(l, KIND_send, strerror(errno), now_ms);
            return;
        }
        l->sent += (size_t)n;
    }
    l->state = LANE_AWAITS;
    report_in_flight(l->report, l->class, 1);
    listen_for(l, EPOLL_CTL_MOD, EPOLLIN);
}

static void begin(struct lane *l, uint64_t now_ms)
{
    l->sent = 0;
    answer_reset(&l->answer);
    l->deadline_ms = now_ms + l->limit_ms;
    report_sent(l->report, l->class);
    if (l->fd >= 0) {
        l->state = LANE_SENDS;
        send_more(l, now_ms);
        return;
    }
    l->state = LANE_CONNECTS;
    report_connection(l->report);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || (connect(l->fd, (const struct sockaddr *)&l->target->address, sizeof l->target->address) != 0 &&
                      errno != EINPROGRESS)) {
        fail(l, KIND_connect, strerror(errno), now_ms);
        return;
    }
    listen_for(l, EPOLL_CTL_ADD, EPOLLOUT);
}

static void finish(struct lane *l, uint64_t now_ms)
{
    const struct load_class_row *c = &load_classes[l->class];
    char text[160];

    if (l->answer.status != 200) {
        (void)snprintf(text, sizeof text, "%d", l->answer.status);
        fail(l, KIND_status, text, now_ms);
        return;
    }
    if (!answer_is_sleep(&l->answer, c->sleep_ms)) {
        (void)snprintf(text, sizeof text, "%.150s", l->answer.bytes + l->answer.head_size);
        fail(l, KIND_body, text, now_ms);
        return;
    }
    report_in_flight(l->report, l->class, -1);
    report_answered(l->report, l->class);
    if (!c->keep_alive || l->answer.closes)
        hang_up(l);
    rest(l, now_ms);
}

static void receive(struct lane *l, uint64_t now_ms)
{
    for (;;) {
        char *at;
        size_t room;
        ssize_t n;

        answer_room(&l->answer, &at, &room);
        n = recv(l->fd, at, room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            enum load_kind kind = l->answer.size > 0 ? KIND_short_answer : n < 0 ? KIND_reset : KIND_closed;

            fail(l, kind, n < 0 ? strerror(errno) : "", now_ms);
            return;
        }
        switch (answer_took(&l->answer, (size_t)n)) {
        case ANSWER_WHOLE:
            finish(l, now_ms);
            return;
        case ANSWER_BAD:
            fail(l, KIND_protocol, l->answer.why, now_ms);
            return;
        case ANSWER_NOTHING:
        case ANSWER_PARTIAL:
            break;
        }
    }
}

static void connected(struct lane *l, uint64_t now_ms)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        fail(l, KIND_connect, strerror(error), now_ms);
        return;
    }
    l->state = LANE_SENDS;
    send_more(l, now_ms);
}

/* Anything that comes on a kept connection at rest: its end, or bytes that nobody asked for. */
static void disturbed(struct lane *l, uint64_t now_ms)
{
    char byte;
    ssize_t n = recv(l->fd, &byte, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    fail(l, KIND_idle, n > 0 ? "bytes came" : n < 0 ? strerror(errno) : "closed", now_ms);
}

void lane_ready(struct lane *l, uint32_t events, uint64_t now_ms)
{
    (void)events; /* the calls below find out what it was */
    switch (l->state) {
    case LANE_RESTS:
        disturbed(l, now_ms);
        break;
    case LANE_CONNECTS:
        connected(l, now_ms);
        break;
    case LANE_SENDS:
        send_more(l, now_ms);
        break;
    case LANE_AWAITS:
        receive(l, now_ms);
        break;
    case LANE_DONE:
        break;
    }
}

void lane_late(struct lane *l, uint64_t now_ms)
{
    char text[64];

    if (l->state == LANE_DONE)
        return;
    if (l->state == LANE_RESTS) {
        begin(l, now_ms);
        return;
    }
    (void)snprintf(text, sizeof text, "%u ms, %zu of %zu bytes sent, %zu received", l->limit_ms, l->sent,
                   l->request_size, l->answer.size);
    fail(l, KIND_timeout, text, now_ms);
}

void lane_stop(struct lane *l)
{
    l->stopping = true;
    if (l->state != LANE_RESTS)
        return;
    hang_up(l);
    l->state = LANE_DONE;
}
