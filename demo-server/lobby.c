#include "lobby.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handover.h"

#define EVENTS_MAX 64

/* A connection, or a door: a listening socket. */
struct guest {
    LIST_ENTRY(guest) entry;
    struct listener *listener;
    int fd;
    int64_t silent_since_ms; /* while draining */
    bool is_door, is_shut;
};

LIST_HEAD(guests, guest);

struct lobby {
    struct site *site;
    struct lobby_ops ops;
    void *ctx;
    int epoll_fd;
    struct guests doors, guests;
};

/* ---- in and out */

static bool watch(struct lobby *l, int operation, struct guest *g, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = g};

    return epoll_ctl(l->epoll_fd, operation, g->fd, &event) == 0;
}

static struct guest *add(struct lobby *l, struct guests *list, struct listener *listener, int fd)
{
    struct guest *g = calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    *g = (struct guest){.listener = listener, .fd = fd, .is_door = list == &l->doors};
    if (!watch(l, EPOLL_CTL_ADD, g, EPOLLIN | EPOLLRDHUP)) {
        free(g);
        return NULL;
    }
    LIST_INSERT_HEAD(list, g, entry);
    return g;
}

/* Out of the epoll by hand: that knows the file, which another process may have open as well. */
static void drop(struct lobby *l, struct guest *g)
{
    (void)watch(l, EPOLL_CTL_DEL, g, 0);
    LIST_REMOVE(g, entry);
    if (!g->is_door) {
        g->listener->guests--;
        l->site->conn_count--;
    }
    free(g);
}

static void leave(struct lobby *l, struct guest *g)
{
    const int fd = g->fd;

    drop(l, g);
    (void)close(fd);
}

void lobby_adopt(struct lobby *l, struct listener *listener, int fd)
{
    if (add(l, &l->guests, listener, fd) == NULL) {
        (void)close(fd);
        return;
    }
    listener->guests++;
    l->site->conn_count++;
}

/* ---- what they do */

static void let_in(struct lobby *l, struct guest *door)
{
    while (!l->ops.is_full(l->ctx, door->listener)) {
        const int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            lobby_adopt(l, door->listener, fd);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    door->is_shut = watch(l, EPOLL_CTL_MOD, door, 0);
}

/* Of what it has sent nothing is read here. */
static void listen_to(struct lobby *l, struct guest *g)
{
    char byte;
    const ssize_t n = recv(g->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0) {
        struct listener *listener = g->listener;
        const int fd = g->fd;

        drop(l, g);
        l->ops.enter(l->ctx, listener, fd);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        leave(l, g);
    }
}

void lobby_look(struct lobby *l)
{
    struct epoll_event events[EVENTS_MAX];
    const int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        struct guest *g = events[i].data.ptr;

        if (g->is_door)
            let_in(l, g);
        else
            listen_to(l, g);
    }
}

void lobby_open(struct lobby *l)
{
    struct guest *door;

    LIST_FOREACH(door, &l->doors, entry)
    if (door->is_shut && !l->ops.is_full(l->ctx, door->listener))
        door->is_shut = !watch(l, EPOLL_CTL_MOD, door, EPOLLIN);
}

/* ---- the drain */

static bool pass(struct lobby *l, struct guest *g)
{
    switch (handover_pass(l->site->handover, g->listener->flag, g->fd)) {
    case HANDOVER_PASSED:
        leave(l, g);
        return true;
    case HANDOVER_PASS_LATER:
        return true;
    case HANDOVER_PASS_NEVER:
        break;
    }
    return false;
}

void lobby_sweep(struct lobby *l, int64_t now_ms)
{
    struct guest *next;

    for (struct guest *g = LIST_FIRST(&l->guests); g != NULL; g = next) {
        next = LIST_NEXT(g, entry);
        if (!l->site->stopping && pass(l, g))
            continue;
        if (g->silent_since_ms == 0)
            g->silent_since_ms = now_ms;
        if (now_ms - g->silent_since_ms < l->site->linger_ms)
            continue;
        (void)shutdown(g->fd, SHUT_RD); /* what has arrived by now is still read and answered */
        listen_to(l, g);
    }
}

void lobby_clear(struct lobby *l)
{
    struct guest *next;

    for (struct guest *g = LIST_FIRST(&l->guests); g != NULL; g = next) {
        next = LIST_NEXT(g, entry);
        leave(l, g);
    }
}

/* ---- */

struct lobby *lobby_new(struct site *site, const struct lobby_ops *ops, void *ctx, struct err *err)
{
    struct lobby *l = calloc(1, sizeof *l);

    if (l == NULL) {
        err_set(err, "no memory");
        return NULL;
    }
    *l = (struct lobby){.site = site, .ops = *ops, .ctx = ctx, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    LIST_INIT(&l->doors);
    LIST_INIT(&l->guests);
    if (l->epoll_fd >= 0)
        return l;
    err_set(err, "cannot make an epoll: %s", strerror(errno));
    free(l);
    return NULL;
}

int lobby_fd(const struct lobby *l)
{
    return l->epoll_fd;
}

bool lobby_listen(struct lobby *l, struct listener *listener, int listen_fd, struct err *err)
{
    return add(l, &l->doors, listener, listen_fd) != NULL ||
           err_set(err, "cannot watch file descriptor %d: %s", listen_fd, strerror(errno));
}

void lobby_close(struct lobby *l)
{
    struct guest *next;

    for (struct guest *door = LIST_FIRST(&l->doors); door != NULL; door = next) {
        next = LIST_NEXT(door, entry);
        drop(l, door);
    }
}

void lobby_free(struct lobby **lobby)
{
    struct lobby *l = *lobby;

    if (l == NULL)
        return;
    lobby_close(l);
    lobby_clear(l);
    (void)close(l->epoll_fd);
    free(l);
    *lobby = NULL;
}
