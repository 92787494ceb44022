#include "handover_socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "handover_unix.h"

union any_addr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage room;
};

/* The belt beside O_NONBLOCK: one tick of the kernel's clock, then accept says EAGAIN as it does with the flag. */
static bool block_never(int fd)
{
    const struct timeval tick = {.tv_usec = 1000};
    int status = fcntl(fd, F_GETFL);

    return status >= 0 && ((status & O_NONBLOCK) != 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) == 0) &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick) == 0;
}

static bool flags_set(int fd, struct err *err)
{
    int fd_flags = fcntl(fd, F_GETFD);

    if (fd_flags < 0 || fcntl(fd, F_SETFD, fd_flags | FD_CLOEXEC) < 0 || !block_never(fd))
        return err_set(err, "cannot set the flags of file descriptor %d: %s", fd, strerror(errno));
    return true;
}

/* The bound address as text. */
static bool name_read(struct handover_socket *s, struct err *err)
{
    union any_addr a;
    socklen_t size = sizeof a;
    char host[INET6_ADDRSTRLEN];

    memset(&a, 0, sizeof a);
    if (getsockname(s->fd, &a.any, &size) != 0)
        return err_set(err, "cannot read the address of socket %d: %s", s->fd, strerror(errno));
    if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host) != NULL)
        (void)snprintf(s->addr, sizeof s->addr, "%s:%u", host, ntohs(a.v4.sin_port));
    else if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host) != NULL)
        (void)snprintf(s->addr, sizeof s->addr, "[%s]:%u", host, ntohs(a.v6.sin6_port));
    else if (a.any.sa_family == AF_UNIX)
        handover_unix_text(&a.un, size, s->addr, sizeof s->addr);
    else
        return err_set(err, "socket %d is of an unknown address family (%d)", s->fd, a.any.sa_family);
    return true;
}

bool handover_socket_adopt(struct handover_socket *s, struct err *err)
{
    int type = 0, listening = 0;
    socklen_t size = sizeof type;

    if (getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return err_set(err, "the inherited file descriptor %d is no socket: %s", s->fd, strerror(errno));
    size = sizeof listening;
    if (type != SOCK_STREAM || getsockopt(s->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        return err_set(err, "the inherited socket %d does not listen for streams", s->fd);
    return name_read(s, err) && flags_set(s->fd, err);
}

bool handover_addr_parse(const char *text, struct addr *addr, struct err *err)
{
    if (!handover_unix_is(text))
        return addr_parse(text, addr, err);
    if (!handover_unix_check(text, err))
        return false;
    *addr = (struct addr){.port = 0};
    (void)snprintf(addr->host, sizeof addr->host, "%s", text);
    return true;
}

static void text_of(const struct addr *a, unsigned port, char text[HANDOVER_ADDR_MAX])
{
    bool v6 = strchr(a->host, ':') != NULL;

    if (handover_unix_is(a->host))
        (void)snprintf(text, HANDOVER_ADDR_MAX, "%.*s", HANDOVER_ADDR_MAX - 1, a->host);
    else
        (void)snprintf(text, HANDOVER_ADDR_MAX, "%s%.100s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "", port);
}

int handover_socket_match(const struct handover_socket *sockets, size_t count, const char *name,
                          const struct addr *wanted)
{
    static const struct addr any_v4 = {.host = "0.0.0.0"};

    for (size_t i = 0; i < count; i++) {
        char text[HANDOVER_ADDR_MAX], text_v4[HANDOVER_ADDR_MAX];
        unsigned port = wanted->port;
        struct addr has;

        if (sockets[i].fd < 0 || !handover_addr_parse(sockets[i].addr, &has, NULL))
            continue;
        if (port == 0 && strcmp(sockets[i].name, name) == 0)
            port = has.port;
        text_of(wanted, port, text);
        text_of(&any_v4, port, text_v4);
        if (addr_same(text, sockets[i].addr) || (wanted->host[0] == '\0' && addr_same(text_v4, sockets[i].addr)))
            return (int)i;
    }
    return -1;
}

bool handover_socket_resolve(const struct addr *addr, struct addr *numeric, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list, *best;
    int rc;

    *numeric = *addr;
    if (addr->host[0] == '\0' || handover_unix_is(addr->host))
        return true;
    rc = getaddrinfo(addr->host, NULL, &hints, &list);
    if (rc != 0)
        return err_set(err, "cannot look up the address of %s: %s", addr->host, gai_strerror(rc));
    assert(list != NULL); /* getaddrinfo(3): one or more */
    best = list;
    for (struct addrinfo *i = list; i != NULL && best->ai_family != AF_INET; i = i->ai_next)
        if (i->ai_family == AF_INET)
            best = i;
    rc = getnameinfo(best->ai_addr, best->ai_addrlen, numeric->host, sizeof numeric->host, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(list);
    return rc == 0 || err_set(err, "cannot read the address of %s: %s", addr->host, gai_strerror(rc));
}

static socklen_t sockaddr_of(const struct addr *numeric, int family, union any_addr *a)
{
    memset(a, 0, sizeof *a);
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->v4.sin_port = htons(numeric->port);
        if (numeric->host[0] != '\0')
            (void)inet_pton(AF_INET, numeric->host, &a->v4.sin_addr);
        return sizeof a->v4;
    }
    a->v6.sin6_port = htons(numeric->port);
    if (numeric->host[0] != '\0')
        (void)inet_pton(AF_INET6, numeric->host, &a->v6.sin6_addr);
    return sizeof a->v6;
}

bool handover_socket_open(struct handover_socket *s, const struct addr *numeric, struct err *err)
{
    bool everywhere = numeric->host[0] == '\0';
    int family = everywhere || strchr(numeric->host, ':') != NULL ? AF_INET6 : AF_INET, on = 1, off = 0;
    union any_addr a;
    socklen_t size;
    char text[HANDOVER_ADDR_MAX];

    if (handover_unix_is(numeric->host)) {
        s->fd = handover_unix_open(numeric->host, err);
        return s->fd >= 0 && name_read(s, err);
    }
    text_of(numeric, numeric->port, text);
    s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 && everywhere && errno == EAFNOSUPPORT) { /* a kernel without IPv6 */
        family = AF_INET;
        s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (s->fd < 0)
        return err_set(err, "cannot make a socket for %s: %s", text, strerror(errno));
    size = sockaddr_of(numeric, family, &a);
    /* No SO_REUSEPORT: each such socket has an accept queue of its own, and closing one resets what waits in it. */
    if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (family == AF_INET6 && setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, everywhere ? &off : &on, sizeof on) != 0) ||
        bind(s->fd, &a.any, size) != 0 || listen(s->fd, SOMAXCONN) != 0) {
        err_set(err, "cannot listen on %s: %s", text, strerror(errno));
        (void)close(s->fd);
        s->fd = -1;
        return false;
    }
    return name_read(s, err);
}

bool handover_sockets_inherit(struct handover_sockets *all, const struct handover_env *env, struct err *err)
{
    for (unsigned i = 0; i < env->count; i++) {
        struct handover_socket *s = &all->inherited[i];

        s->fd = HANDOVER_FD_FIRST + (int)i;
        memcpy(s->name, env->names[i], sizeof s->name);
        if (!handover_socket_adopt(s, err))
            return false;
        all->inherited_count++;
    }
    return true;
}

const struct handover_socket *handover_sockets_listen(struct handover_sockets *all, const char *name,
                                                      const struct addr *addr, bool *inherited, struct err *err)
{
    struct handover_socket *s = &all->listeners[all->listener_count];
    struct addr numeric;
    int found;

    if (all->listener_count == HANDOVER_FDS_MAX) {
        err_set(err, "more than %d listeners", HANDOVER_FDS_MAX);
        return NULL;
    }
    if (!handover_socket_resolve(addr, &numeric, err))
        return NULL;
    found = handover_socket_match(all->inherited, all->inherited_count, name, &numeric);
    *inherited = found >= 0;
    if (*inherited) {
        *s = all->inherited[found];
        all->inherited[found].fd = -1;
    } else if (!handover_socket_open(s, &numeric, err)) {
        return NULL;
    } else {
        (void)block_never(s->fd);
    }
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    all->listener_count++;
    return s;
}

void handover_sockets_keep(const struct handover_sockets *all)
{
    for (unsigned i = 0; i < all->listener_count; i++)
        if (all->listeners[i].fd >= 0)
            (void)block_never(all->listeners[i].fd);
}

static void close_all(struct handover_socket *sockets, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (sockets[i].fd >= 0)
            (void)close(sockets[i].fd);
        sockets[i].fd = -1;
    }
}

void handover_sockets_close_inherited(struct handover_sockets *all)
{
    close_all(all->inherited, all->inherited_count);
}

void handover_sockets_close_listeners(struct handover_sockets *all)
{
    close_all(all->listeners, all->listener_count);
}
