/* sockets_test.c - what this very process listens on, by both ways to the kernel's tables. */
#include "agent/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/tcp_table.h"

#define LISTENERS 5

static const struct place {
    bool v6;
    const char *bind_to, *connect_to; /* connect_to is of the listener's family */
} places[LISTENERS] = {{false, "127.0.0.1", "127.0.0.1"},
                       {false, "0.0.0.0", "127.0.0.3"},
                       {true, "::1", "::1"},
                       {true, "::", "::ffff:127.0.0.1"},
                       {true, "::ffff:127.0.0.4", "::ffff:127.0.0.4"}};

struct live {
    size_t count; /* of places; without IPv6 fewer */
    uint16_t port[LISTENERS];
    int fds[3 * LISTENERS], fd_count;
};

static socklen_t make_addr(bool v6, const char *ip, uint16_t port, struct sockaddr_storage *addr)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)addr;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)addr;

    memset(addr, 0, sizeof *addr);
    addr->ss_family = v6 ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(addr->ss_family, ip, v6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr), 1);
    if (v6)
        in6->sin6_port = htons(port);
    else
        in->sin_port = htons(port);
    return v6 ? sizeof *in6 : sizeof *in;
}

/* On a port below the ephemeral ones, so that no client has it. -1: the family is not to be had. */
static int listen_at(const struct place *place, uint16_t *port)
{
    struct sockaddr_storage addr;
    static unsigned next; /* no two listeners on one port, as one could be on each address */
    int fd = socket(place->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    for (unsigned i = 0; fd >= 0 && i < 2000; i++) {
        *port = (uint16_t)(21000 + ((unsigned)getpid() * 31 + next++) % 11000);
        socklen_t size = make_addr(place->v6, place->bind_to, *port, &addr);
        if (bind(fd, (const struct sockaddr *)(const void *)&addr, size) == 0 && listen(fd, 8) == 0)
            return fd;
        if (errno != EADDRINUSE)
            break;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void connect_to(struct live *live, const struct place *place, uint16_t port)
{
    struct sockaddr_storage addr;
    socklen_t size = make_addr(place->v6, place->connect_to, port, &addr);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&addr, size), 0);
    live->fds[live->fd_count++] = fd;
}

static int open_all(void **state)
{
    struct live *live = calloc(1, sizeof *live);

    assert_non_null(live);
    for (size_t i = 0; i < LISTENERS; i++) {
        int fd = listen_at(&places[i], &live->port[live->count]);
        if (fd < 0 && places[i].v6)
            break; /* no IPv6 here */
        assert_true(fd >= 0);
        live->fds[live->fd_count++] = fd;
        connect_to(live, &places[i], live->port[live->count]);
        connect_to(live, &places[i], live->port[live->count]);
        live->count++;
    }
    *state = live;
    return 0;
}

static int close_all(void **state)
{
    struct live *live = *state;

    while (live->fd_count > 0)
        (void)close(live->fds[--live->fd_count]);
    free(live);
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct proc_tcp *x = a, *y = b;

    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    if (x->local.port != y->local.port)
        return x->local.port < y->local.port ? -1 : 1;
    return memcmp(x->local.ip, y->local.ip, sizeof x->local.ip);
}

static void both_ways_agree_on(const struct tcp_ask *ask, size_t wanted)
{
    struct tcp_rows ways[2] = {{0}, {0}};
    struct err err = {""};

    if (!diag_read(ask, &ways[0], &err) || !tcp_table_read_proc((uint32_t)getpid(), ask, &ways[1], &err))
        fail_msg("%s", err.text);
    assert_int_equal(ways[0].count, wanted);
    assert_int_equal(ways[1].count, wanted);
    for (int i = 0; i < 2; i++)
        qsort(ways[i].list, ways[i].count, sizeof *ways[i].list, compare_rows);
    for (size_t i = 0; i < wanted; i++) {
        const struct proc_tcp *a = &ways[0].list[i], *b = &ways[1].list[i];
        assert_true(tcp_addr_same(&a->local, &b->local));
        assert_int_equal(a->state, b->state);
        assert_int_equal(a->inode, b->inode);
    }
    free(ways[0].list);
    free(ways[1].list);
}

static void netlink_and_proc_agree_on_a_live_process(void **state)
{
    const struct live *live = *state;
    struct tcp_ask ask = {.state = PROC_TCP_LISTEN, .ports = live->port, .port_count = live->count};

    both_ways_agree_on(&ask, live->count);
    ask.state = PROC_TCP_ESTABLISHED;
    both_ways_agree_on(&ask, 2 * live->count);
    for (size_t i = 0; i < live->count; i++) {
        struct tcp_ask one = {.state = PROC_TCP_ESTABLISHED, .ports = &live->port[i], .port_count = 1};
        both_ways_agree_on(&one, 2);
    }
}

static void a_full_filter_of_ports_is_one_the_kernel_takes(void **state)
{
    const struct live *live = *state;
    uint16_t ports[DIAG_PORTS_MAX];
    struct tcp_ask ask = {.state = PROC_TCP_ESTABLISHED, .ports = ports, .port_count = DIAG_PORTS_MAX};

    for (size_t i = 0; i < DIAG_PORTS_MAX; i++)
        ports[i] = live->port[0];
    both_ways_agree_on(&ask, 2);
    for (size_t i = 0; i + 1 < DIAG_PORTS_MAX; i++)
        ports[i] = 1; /* only the last one holds */
    both_ways_agree_on(&ask, 2);
}

static void a_process_listens_on_what_it_bound_and_its_clients_are_counted(void **state)
{
    const struct live *live = *state;
    struct sockets sockets;
    struct err err = {""};

    if (!sockets_read((uint32_t)getpid(), &sockets, &err) || !sockets_count((uint32_t)getpid(), &sockets, &err))
        fail_msg("%s", err.text);
    assert_int_equal(sockets.count, live->count);
    assert_int_equal(sockets.connections, 2 * live->count);
    for (size_t i = 0; i < live->count; i++) {
        bool mapped = strncmp(places[i].bind_to, "::ffff:", 7) == 0, found = false;
        char wanted[TCP_ADDR_TEXT], text[TCP_ADDR_TEXT];

        (void)snprintf(wanted, sizeof wanted, places[i].v6 && !mapped ? "[%s]:%u" : "%s:%u",
                       places[i].bind_to + (mapped ? 7 : 0), live->port[i]);
        for (size_t j = 0; j < sockets.count; j++)
            found |= strcmp(tcp_addr_format(&sockets.listening[j], text), wanted) == 0;
        if (!found)
            fail_msg("%s is missing", wanted);
    }
    assert_false(sockets_read(INT32_MAX, &sockets, &err));
    assert_int_not_equal(err.text[0], '\0');
}

/* The child's listener is told over the pipe, and kept until the parent closes it. */
static void listen_in_another_network(int to_parent, int from_parent)
{
    uint16_t port = 0;
    char byte;

    if (unshare(CLONE_NEWNET) != 0 || listen_at(&places[1], &port) < 0)
        port = 0;
    if (write(to_parent, &port, sizeof port) == (ssize_t)sizeof port)
        (void)!read(from_parent, &byte, 1);
    _exit(0);
}

static void a_process_in_another_network_is_seen_there(void **state)
{
    int up[2], down[2];
    struct sockets sockets = {0};
    struct err err = {""};
    uint16_t port;
    pid_t pid;
    bool ok;

    (void)state;
    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(down), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(down[1]);
        /* what it inherited is of the network it left */
        for (int i = 0; i < ((struct live *)*state)->fd_count; i++)
            (void)close(((struct live *)*state)->fds[i]);
        listen_in_another_network(up[1], down[0]);
    }
    (void)close(up[1]);
    (void)close(down[0]);
    assert_int_equal(read(up[0], &port, sizeof port), sizeof port);
    ok = port == 0 || sockets_read((uint32_t)pid, &sockets, &err);
    (void)close(down[1]);
    (void)close(up[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (port == 0)
        skip(); /* needs the right to make a network namespace */
    if (!ok)
        fail_msg("%s", err.text);
    assert_int_equal(sockets.count, 1);
    assert_int_equal(sockets.listening[0].port, port);
    assert_true(tcp_addr_is_any(&sockets.listening[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(netlink_and_proc_agree_on_a_live_process, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_full_filter_of_ports_is_one_the_kernel_takes, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_process_listens_on_what_it_bound_and_its_clients_are_counted, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_process_in_another_network_is_seen_there, open_all, close_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
