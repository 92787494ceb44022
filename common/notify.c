#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* 0: it is no name of a socket. */
static socklen_t address(const char *name, struct sockaddr_un *to)
{
    size_t n = name != NULL ? strlen(name) : 0;

    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n < 2 || n >= sizeof to->sun_path || (name[0] != '/' && name[0] != '@'))
        return 0;
    memcpy(to->sun_path, name, n);
    if (name[0] == '@')
        to->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

void notify_send(const char *lines, bool waits)
{
    const struct timeval limit = {.tv_sec = 1};
    struct sockaddr_un to;
    socklen_t size = address(getenv("NOTIFY_SOCKET"), &to);
    int fd = size > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL | (waits ? 0 : MSG_DONTWAIT), (const struct sockaddr *)&to,
                 size);
    (void)close(fd);
}
