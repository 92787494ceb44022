#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tcp_table.h"

static int compare_inodes(const void *a, const void *b)
{
    uint64_t x = ((const struct proc_tcp *)a)->inode, y = ((const struct proc_tcp *)b)->inode;

    return (x > y) - (x < y);
}

static bool listens_on(const struct sockets *sockets, const struct tcp_addr *addr)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (tcp_addr_same(&sockets->listening[i], addr))
            return true;
    }
    return false;
}

static void take_listening(struct sockets *sockets, const struct tcp_rows *listeners, uint64_t inode)
{
    const struct proc_tcp key = {.inode = inode};
    const struct proc_tcp *row =
        bsearch(&key, listeners->list, listeners->count, sizeof *listeners->list, compare_inodes);

    if (row != NULL && !listens_on(sockets, &row->local) && sockets->count < SOCKETS_LISTEN_MAX)
        sockets->listening[sockets->count++] = row->local;
}

/* Those of the listeners that the process has open. */
static bool read_fds(uint32_t pid, const struct tcp_rows *listeners, struct sockets *sockets, struct err *err)
{
    char path[64], link[128];
    struct dirent *entry;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    dir = opendir(path);
    if (dir == NULL)
        return err_set(err, "cannot see the sockets of process %u (%s: %s): run the agent as root or as its user", pid,
                       path, strerror(errno));
    while (listeners->count > 0 && (entry = readdir(dir)) != NULL) {
        uint64_t inode;
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        if (proc_parse_socket_link(link, &inode))
            take_listening(sockets, listeners, inode);
    }
    (void)closedir(dir);
    return true;
}

bool sockets_read(uint32_t pid, struct sockets *sockets, struct err *err)
{
    const struct tcp_ask ask = {.state = PROC_TCP_LISTEN};
    struct tcp_rows listeners = {0};
    bool ok;

    *sockets = (struct sockets){0};
    ok = tcp_table_read(pid, &ask, &listeners, err);
    if (ok && listeners.count > 0)
        qsort(listeners.list, listeners.count, sizeof *listeners.list, compare_inodes);
    ok = ok && read_fds(pid, &listeners, sockets, err);
    free(listeners.list);
    return ok;
}

static bool is_connected_to(const struct sockets *sockets, const struct tcp_addr *local)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const struct tcp_addr *l = &sockets->listening[i];
        if (l->port == local->port && (tcp_addr_same(l, local) || (tcp_addr_is_any(l) && (l->v6 || !local->v6))))
            return true;
    }
    return false;
}

bool sockets_count(uint32_t pid, struct sockets *sockets, struct err *err)
{
    uint16_t ports[SOCKETS_LISTEN_MAX];
    struct tcp_ask ask = {.state = PROC_TCP_ESTABLISHED, .ports = ports};
    struct tcp_rows rows = {0};
    bool ok;

    _Static_assert(SOCKETS_LISTEN_MAX <= DIAG_PORTS_MAX, "a port each");
    sockets->connections = 0;
    if (sockets->count == 0)
        return true;
    for (size_t i = 0; i < sockets->count; i++)
        ports[ask.port_count++] = sockets->listening[i].port;
    ok = tcp_table_read(pid, &ask, &rows, err);
    for (size_t i = 0; ok && i < rows.count; i++)
        sockets->connections += is_connected_to(sockets, &rows.list[i].local);
    free(rows.list);
    return ok;
}

bool sockets_cover(const struct sockets *have, const struct sockets *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!listens_on(have, &wanted->listening[i]))
            return false;
    }
    return true;
}

bool sockets_held(const struct sockets *sockets)
{
    uint16_t ports[SOCKETS_LISTEN_MAX];
    const struct tcp_ask ask = {.state = PROC_TCP_LISTEN, .port_count = sockets->count, .ports = ports};
    struct tcp_rows rows = {0};
    bool held = false;

    if (sockets->count == 0)
        return false;
    for (size_t i = 0; i < sockets->count; i++)
        ports[i] = sockets->listening[i].port;
    if (tcp_table_read((uint32_t)getpid(), &ask, &rows, NULL)) {
        for (size_t i = 0; i < rows.count; i++)
            held |= listens_on(sockets, &rows.list[i].local);
    }
    free(rows.list);
    return held;
}

static void nudge(const struct tcp_addr *addr)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    int fd = socket(addr->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    /* To a wildcard address the kernel connects over loopback. */
    memcpy(&v4.sin_addr, addr->ip, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, addr->ip, sizeof v6.sin6_addr);
    if (fd < 0)
        return;
    if (addr->v6)
        (void)connect(fd, (const struct sockaddr *)(const void *)&v6, sizeof v6);
    else
        (void)connect(fd, (const struct sockaddr *)(const void *)&v4, sizeof v4);
    (void)close(fd);
}

void sockets_nudge(const struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        nudge(&sockets->listening[i]);
}

static void append_once(json_t *list, const struct tcp_addr *addr)
{
    char text[TCP_ADDR_TEXT];
    const json_t *item;
    size_t i;

    (void)tcp_addr_format(addr, text);
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0)
            return;
    }
    (void)json_array_append_new(list, json_string(text));
}

static void append_interfaces(json_t *list, const struct tcp_addr *any)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct tcp_addr addr = {.port = any->port};
        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            memcpy(addr.ip, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
        } else if (i->ifa_addr->sa_family == AF_INET6 && any->v6) {
            addr.v6 = true;
            memcpy(addr.ip, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
        } else {
            continue;
        }
        append_once(list, &addr);
    }
    freeifaddrs(all);
}

json_t *sockets_to_json(const struct sockets *sockets)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sockets->count; i++) {
        if (tcp_addr_is_any(&sockets->listening[i]))
            append_interfaces(list, &sockets->listening[i]);
        else
            append_once(list, &sockets->listening[i]);
    }
    return list;
}
