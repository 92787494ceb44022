#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc.h"

#define BACKLOG  256
#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static bool clear_stale_unix(const struct sockaddr_un *un, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (const struct sockaddr *)(const void *)un, sizeof *un);
    int why = rc == 0 ? 0 : errno;

    if (fd >= 0)
        (void)close(fd);
    if (why == ENOENT)
        return true;
    if (why == ECONNREFUSED)
        return unlink(un->sun_path) == 0 || err_set(err, "cannot remove the old socket: %s", strerror(errno));
    return err_set(err, why == ENOTSOCK ? "is there and is no socket" : "another process listens there");
}

static void format_bound(int fd, const struct listen_address *address, char bound[160])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr;
    socklen_t size = sizeof addr;
    struct tcp_addr tcp = {0};
    char text[TCP_ADDR_TEXT];

    memset(&addr, 0, sizeof addr);
    (void)snprintf(bound, 160, "%s", address->text);
    if (address->addr.ss_family == AF_UNIX || getsockname(fd, &addr.any, &size) != 0)
        return;
    tcp.v6 = addr.any.sa_family == AF_INET6;
    tcp.port = ntohs(tcp.v6 ? addr.v6.sin6_port : addr.v4.sin_port);
    if (tcp.v6)
        memcpy(tcp.ip, &addr.v6.sin6_addr, 16);
    else
        memcpy(tcp.ip, &addr.v4.sin_addr, 4);
    (void)snprintf(bound, 160, "%s", tcp_addr_format(&tcp, text));
}

int listener_open(const struct listen_address *address, char bound[160], struct err *err)
{
    const struct sockaddr_un *un = (const void *)&address->addr;
    bool is_unix = address->addr.ss_family == AF_UNIX;
    int fd, one = 1;

    if (is_unix && !clear_stale_unix(un, err)) {
        err_context(err, "cannot listen on %s", address->text);
        return -1;
    }
    fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !is_unix)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&address->addr, address->addr_size) != 0 ||
        (is_unix && chmod(un->sun_path, 0660) != 0) || listen(fd, BACKLOG) != 0) {
        err_set(err, "cannot listen on %s: %s", address->text, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    format_bound(fd, address, bound);
    return fd;
}

void listener_unix(const char *path, struct listen_address *address)
{
    struct sockaddr_un *un = (void *)&address->addr;

    *address = (struct listen_address){.addr_size = sizeof *un, .local = true};
    un->sun_family = AF_UNIX;
    (void)snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    (void)snprintf(address->text, sizeof address->text, "unix:%s", un->sun_path);
}

int listener_given(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int listens = 0, domain = 0;
    socklen_t size = sizeof listens;

    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != getpid() || strcmp(count, "1") != 0 ||
        getsockopt(FIRST_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
        getsockopt(FIRST_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX ||
        fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) != 0 || fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return FIRST_FD;
}
