#include "handover_unix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "unix:"

bool handover_unix_is(const char *text)
{
    return strncmp(text, PREFIX, strlen(PREFIX)) == 0;
}

bool handover_unix_check(const char *text, struct err *err)
{
    const char *path = text + strlen(PREFIX);

    if ((path[0] != '/' && path[0] != '@') || path[1] == '\0')
        return err_set(err, "\"%.100s\" is no address: write unix:/PATH or unix:@NAME", text);
    return strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path ||
           err_set(err, "\"%.40s...\" is no address: the path of a socket has at most %zu bytes", text,
                   sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
}

static socklen_t address_of(const char *text, struct sockaddr_un *un)
{
    const char *path = text + strlen(PREFIX);
    size_t length = strlen(path);

    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length);
    if (path[0] != '@')
        return sizeof *un;
    un->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

void handover_unix_text(const struct sockaddr_un *un, socklen_t length, char *text, size_t size)
{
    size_t bytes = length - offsetof(struct sockaddr_un, sun_path);

    if (length <= offsetof(struct sockaddr_un, sun_path))
        (void)snprintf(text, size, PREFIX);
    else if (un->sun_path[0] == '\0')
        (void)snprintf(text, size, PREFIX "@%.*s", (int)bytes - 1, un->sun_path + 1);
    else
        (void)snprintf(text, size, PREFIX "%.*s", (int)strnlen(un->sun_path, bytes), un->sun_path);
}

/* Remove a socket file whose server is gone. What else is there stays, and bind says so. */
static void stale_remove(const struct sockaddr_un *un, socklen_t length)
{
    struct stat st;
    int fd;

    if (un->sun_path[0] == '\0' || lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)un, length) != 0 && errno == ECONNREFUSED)
        (void)unlink(un->sun_path);
    (void)close(fd);
}

int handover_unix_open(const char *text, struct err *err)
{
    struct sockaddr_un un;
    socklen_t length = address_of(text, &un);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        err_set(err, "cannot make a socket for %s: %s", text, strerror(errno));
        return -1;
    }
    stale_remove(&un, length);
    if (bind(fd, (const struct sockaddr *)&un, length) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    err_set(err, "cannot listen on %s: %s", text, strerror(errno));
    (void)close(fd);
    return -1;
}
