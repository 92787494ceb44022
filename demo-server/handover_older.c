#include "handover_older.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handover_channel.h"

#define TAKE_MAX 256 /* connections a look: the server's own work comes in between */

bool handover_older_inherit(struct handover_older *o, const struct handover_env *env, struct err *err)
{
    for (unsigned i = 0; i < env->older; i++) {
        int fd = env->ready_fd + 1 + (int)i;

        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            return err_set(err, "HANDOVER_OLDER=%u, but file descriptor %d is not open", env->older, fd);
        (void)handover_older_add(o, fd); /* watched once this process serves */
    }
    return true;
}

static bool watch(const struct handover_older *o, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return o->epoll_fd < 0 || epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool handover_older_add(struct handover_older *o, int fd)
{
    assert(o->count < HANDOVER_OLDER_MAX);
    o->fds[o->count++] = fd;
    return watch(o, fd);
}

bool handover_older_watch(struct handover_older *o, int epoll_fd)
{
    bool all = true;

    o->epoll_fd = epoll_fd;
    for (unsigned i = 0; i < o->count; i++)
        all &= watch(o, o->fds[i]);
    return all;
}

/* So many more may come. */
static void answer(int channel, unsigned more)
{
    char text[HANDOVER_ROOM_MAX];
    int n = snprintf(text, sizeof text, "=%u", more);

    (void)send(channel, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False where it has ended. */
static bool take(int channel, unsigned most, handover_adopt_fn *adopt, void *ctx)
{
    char name[HANDOVER_NAME_MAX];
    unsigned more = 0;
    bool full = false, ended = false;

    for (unsigned n = 0; n < most; n++) {
        int fd;
        enum handover_channel_result rc = handover_channel_receive(channel, name, &fd);

        ended = rc == HANDOVER_CHANNEL_END;
        if (rc != HANDOVER_CHANNEL_DONE)
            break;
        if (fd >= 0 && adopt == NULL)
            (void)close(fd);
        else if (fd < 0 || adopt(ctx, name, fd))
            more++;
        else
            full = true;
    }
    if (more > 0)
        answer(channel, more);
    if (full)
        answer(channel, 0);
    return !ended;
}

void handover_older_look(struct handover_older *o, handover_adopt_fn *adopt, void *ctx)
{
    unsigned left = 0;

    for (unsigned i = 0; i < o->count; i++) {
        if (take(o->fds[i], TAKE_MAX, adopt, ctx))
            o->fds[left++] = o->fds[i];
        else
            handover_channel_close(o->fds[i], o->epoll_fd);
    }
    o->count = left;
}

void handover_older_let_go(struct handover_older *o)
{
    while (o->count > 0)
        handover_channel_close(o->fds[--o->count], o->epoll_fd);
}

void handover_older_close(struct handover_older *o, handover_adopt_fn *adopt, void *ctx)
{
    for (unsigned i = 0; i < o->count; i++) {
        (void)shutdown(o->fds[i], SHUT_RD); /* sending fails from here on; what was sent is still there */
        (void)take(o->fds[i], ~0U, adopt, ctx);
        handover_channel_close(o->fds[i], o->epoll_fd);
    }
    o->count = 0;
}
