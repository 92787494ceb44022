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

struct inodes {
    uint64_t *list;
    size_t count, capacity;
};

static void add_inode(struct inodes *inodes, uint64_t inode)
{
    if (inodes->count == inodes->capacity) {
        inodes->capacity = inodes->capacity == 0 ? 64 : 2 * inodes->capacity;
        inodes->list = reallocarray(inodes->list, inodes->capacity, sizeof *inodes->list);
        if (inodes->list == NULL)
            abort();
    }
    inodes->list[inodes->count++] = inode;
}

static int compare_inodes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool owns(const struct inodes *inodes, uint64_t inode)
{
    return inodes->count > 0 &&
           bsearch(&inode, inodes->list, inodes->count, sizeof *inodes->list, compare_inodes) != NULL;
}

static bool read_inodes(uint32_t pid, struct inodes *inodes, struct err *err)
{
    char path[64], link[128];
    struct dirent *entry;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    dir = opendir(path);
    if (dir == NULL)
        return err_set(err, "cannot see the sockets of process %u (%s: %s): run the agent as root or as its user", pid,
                       path, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        uint64_t inode;
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        if (proc_parse_socket_link(link, &inode))
            add_inode(inodes, inode);
    }
    (void)closedir(dir);
    if (inodes->count > 0)
        qsort(inodes->list, inodes->count, sizeof *inodes->list, compare_inodes);
    return true;
}

typedef void tcp_row_fn(void *ctx, const struct proc_tcp *row);

static void each_tcp(uint32_t pid, tcp_row_fn *fn, void *ctx)
{
    static const char *const tables[] = {"tcp", "tcp6"}; /* a kernel without IPv6 has no tcp6 */
    char path[64], line[512];

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        (void)snprintf(path, sizeof path, "/proc/%u/net/%s", pid, tables[i]);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        while (fgets(line, sizeof line, file) != NULL) {
            struct proc_tcp row;
            if (proc_parse_tcp(line, &row))
                fn(ctx, &row);
        }
        (void)fclose(file);
    }
}

struct scan {
    const struct inodes *inodes;
    struct sockets *sockets;
};

static bool listens_on(const struct sockets *sockets, const struct tcp_addr *addr)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (tcp_addr_same(&sockets->listening[i], addr))
            return true;
    }
    return false;
}

static void take_listening(void *ctx, const struct proc_tcp *row)
{
    struct scan *scan = ctx;

    if (row->state == PROC_TCP_LISTEN && owns(scan->inodes, row->inode) && !listens_on(scan->sockets, &row->local) &&
        scan->sockets->count < SOCKETS_LISTEN_MAX)
        scan->sockets->listening[scan->sockets->count++] = row->local;
}

static void count_connection(void *ctx, const struct proc_tcp *row)
{
    struct sockets *sockets = ((struct scan *)ctx)->sockets;

    if (row->state != PROC_TCP_ESTABLISHED)
        return;
    for (size_t i = 0; i < sockets->count; i++) {
        const struct tcp_addr *l = &sockets->listening[i];
        if (l->port != row->local.port)
            continue;
        if (tcp_addr_same(l, &row->local) || (tcp_addr_is_any(l) && (l->v6 || !row->local.v6))) {
            sockets->connections++;
            return;
        }
    }
}

bool sockets_read(uint32_t pid, struct sockets *sockets, struct err *err)
{
    struct inodes inodes = {0};
    struct scan scan = {&inodes, sockets};
    bool ok;

    *sockets = (struct sockets){0};
    ok = read_inodes(pid, &inodes, err);
    if (ok) {
        each_tcp(pid, take_listening, &scan);
        if (sockets->count > 0)
            each_tcp(pid, count_connection, &scan);
    }
    free(inodes.list);
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
