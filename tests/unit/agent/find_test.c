/* find_test.c - which of several processes is the service; and this very process, found by its socket. */
#include "agent/find.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void the_one_without_a_parent_among_them_is_it(void **state)
{
    static const struct {
        const char *what;
        struct find_list list;
        uint32_t top; /* 0: nobody */
    } rows[] = {
        {"nobody", {0}, 0},
        {"one", {1, {{10, 1, 5}}}, 10},
        {"a master and its workers", {3, {{11, 10, 6}, {10, 1, 5}, {12, 10, 6}}}, 10},
        {"a handover: the successor is the child of the one before", {2, {{10, 1, 5}, {20, 10, 9}}}, 10},
        {"a grandchild", {3, {{10, 1, 5}, {11, 10, 6}, {12, 11, 7}}}, 10},
        {"two strangers", {2, {{10, 1, 5}, {20, 1, 9}}}, 0},
        {"two families", {4, {{10, 1, 5}, {11, 10, 6}, {20, 1, 9}, {21, 20, 9}}}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct find_row *top = find_top(&rows[i].list);

        if ((top != NULL ? top->pid : 0) != rows[i].top)
            fail_msg("%s: %u", rows[i].what, top != NULL ? top->pid : 0);
    }
}

static void who_was_there_before_is_no_successor_but_a_reused_pid_is(void **state)
{
    struct find_list list = {3, {{10, 1, 5}, {11, 10, 6}, {12, 10, 99}}},
                     before = {3, {{10, 1, 5}, {11, 10, 6}, {12, 10, 7}}};

    (void)state;
    find_without(&list, &before);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.rows[0].pid, 12);
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static struct service_config this_program(uint16_t port)
{
    struct service_config config = {.name = "app", .listen_on = {.port = port}};
    ssize_t n = readlink("/proc/self/exe", config.executable, sizeof config.executable - 1);

    assert_true(n > 0);
    config.executable[n] = '\0';
    return config;
}

static void who_listens_is_found_on_its_address_and_on_no_other(void **state)
{
    static const uint8_t there[4] = {127, 0, 0, 1}, elsewhere[4] = {127, 0, 0, 2};
    struct hash_cache hashes = {0};
    struct service_config config;
    struct err err = {""};
    struct ident ident;
    uint16_t port;
    int fd = listen_somewhere(&port);

    (void)state;
    config = this_program(port);
    assert_true(find_main(&config, NULL, &hashes, &ident, &err));
    assert_int_equal(ident.pid, getpid());
    tcp_addr_set(&config.listen_on, false, there, port);
    assert_true(find_main(&config, NULL, &hashes, &ident, &err));
    tcp_addr_set(&config.listen_on, false, elsewhere, port);
    assert_false(find_main(&config, NULL, &hashes, &ident, &err));
    assert_non_null(strstr(err.text, "nobody listens on 127.0.0.2:"));
    assert_int_equal(ident.pid, 0);
    config = this_program(port);
    (void)strcpy(config.executable, "/bin/true");
    assert_false(find_main(&config, NULL, &hashes, &ident, &err));
    assert_non_null(strstr(err.text, "belongs to no process that we can see running /bin/true"));
    (void)close(fd);
}

static void a_child_that_holds_the_socket_too_is_a_worker_until_it_is_alone(void **state)
{
    struct find_list before;
    char exe[PATH_MAX];
    struct hash_cache hashes = {0};
    struct service_config config;
    struct err err = {""};
    struct ident ident;
    uint16_t port;
    int fd = listen_somewhere(&port);
    pid_t child;

    (void)state;
    config = this_program(port);
    assert_true(find_all(&config, &before, &err));
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (;;)
            (void)pause();
    if (!ident_exe((uint32_t)child, exe, NULL) || strcmp(exe, config.executable) != 0) { /* below valgrind */
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        skip();
    }
    assert_true(find_main(&config, NULL, &hashes, &ident, &err));
    assert_int_equal(ident.pid, getpid());
    assert_true(find_main(&config, &before, &hashes, &ident, &err)); /* as a successor it is seen */
    assert_int_equal(ident.pid, child);
    (void)close(fd);
    assert_true(find_main(&config, NULL, &hashes, &ident, &err));
    assert_int_equal(ident.pid, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(find_main(&config, NULL, &hashes, &ident, &err));
}

static void nobody_is_in_a_unit_that_is_not_there(void **state)
{
    struct service_config config = this_program(0);
    struct hash_cache hashes = {0};
    struct err err = {""};
    struct ident ident;

    (void)state;
    (void)strcpy(config.unit, "no-such-unit-of-a-test.service");
    assert_false(find_main(&config, NULL, &hashes, &ident, &err));
    assert_non_null(strstr(err.text, "no process of no-such-unit-of-a-test.service that we can see runs "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_without_a_parent_among_them_is_it),
        cmocka_unit_test(who_was_there_before_is_no_successor_but_a_reused_pid_is),
        cmocka_unit_test(who_listens_is_found_on_its_address_and_on_no_other),
        cmocka_unit_test(a_child_that_holds_the_socket_too_is_a_worker_until_it_is_alone),
        cmocka_unit_test(nobody_is_in_a_unit_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
