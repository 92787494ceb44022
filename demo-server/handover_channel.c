#include "handover_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control { /* aligned as a cmsghdr must be */
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

bool handover_channel_names(const char *list, const char *name)
{
    size_t length = strlen(name);

    while (length > 0 && *list != '\0') {
        size_t n = strcspn(list, ":");

        if (n == length && memcmp(list, name, n) == 0)
            return true;
        list += n + (list[n] == ':');
    }
    return false;
}

size_t handover_channel_room(const char *text)
{
    return text[0] == '=' ? (size_t)strtoul(text + 1, NULL, 10) : SIZE_MAX;
}

void handover_channel_close(int channel, int epoll_fd)
{
    if (epoll_fd >= 0)
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, channel, NULL);
    (void)close(channel);
}

enum handover_channel_result handover_channel_send(int channel, const char *name, int fd)
{
    struct iovec text = {.iov_base = (void *)(size_t)name, .iov_len = strlen(name)};
    union control control = {.room = {0}};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    if (sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        return HANDOVER_CHANNEL_DONE;
    /* ETOOMANYREFS: too many descriptors are on their way; they are taken out in a moment. */
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS ? HANDOVER_CHANNEL_LATER
                                                                                          : HANDOVER_CHANNEL_END;
}

/* Without a place for it, a descriptor that is received would be closed. */
static bool has_place(int channel)
{
    const int fd = fcntl(channel, F_DUPFD_CLOEXEC, 0);

    return fd >= 0 && close(fd) == 0;
}

enum handover_channel_result handover_channel_receive(int channel, char name[HANDOVER_NAME_MAX], int *fd)
{
    struct iovec text = {.iov_base = name, .iov_len = HANDOVER_NAME_MAX - 1};
    union control control = {.room = {0}};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    const struct cmsghdr *rights;

    *fd = -1;
    if (!has_place(channel))
        return HANDOVER_CHANNEL_LATER;
    n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    /* It ended without reading our last answer. That is told once, and before what it had sent. */
    if (n < 0 && errno == ECONNRESET)
        n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return HANDOVER_CHANNEL_LATER;
    if (n <= 0)
        return HANDOVER_CHANNEL_END;
    name[n] = '\0';
    rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
        rights->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(rights), sizeof *fd);
    return HANDOVER_CHANNEL_DONE;
}
