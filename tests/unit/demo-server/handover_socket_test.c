#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "demo-server/handover_socket.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_listener_finds_its_socket_by_address_not_by_place(void **state)
{
    static const struct handover_socket sockets[] = {
        {3, "a2", "127.0.0.1:8002"}, {4, "", "[::]:8000"},          {-1, "a1", "127.0.0.1:8001"},
        {6, "", "0.0.0.0:8003"},     {7, "any", "127.0.0.1:40000"}, {8, "", "unix:/run/x"},
    };
    static const struct {
        const char *name, *addr;
        int found;
    } rows[] = {
        {"a0", ":8000", 1},
        {"a0", "[::]:8000", 1},
        {"a0", "127.0.0.1:8000", -1}, /* narrower than what is there */
        {"a2", "127.0.0.1:8002", 0},
        {"a0", "127.0.0.1:8002", 0}, /* another name: the address decides */
        {"a0", "[::ffff:127.0.0.1]:8002", 0},
        {"a1", "127.0.0.1:8001", -1}, /* taken already */
        {"a0", ":8003", 3},
        {"any", "127.0.0.1:0", 4}, /* port 0: by name */
        {"any2", "127.0.0.1:0", -1},
        {"any", "127.0.0.2:0", -1},
        {"a0", "127.0.0.1:9", -1},
        {"a0", "unix:/run/x", 5},
        {"a0", "unix:/run/y", -1},
        {"a0", "unix:@/run/x", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr wanted;

        assert_true(handover_addr_parse(rows[i].addr, &wanted, NULL));
        if (handover_socket_match(sockets, COUNT(sockets), rows[i].name, &wanted) != rows[i].found)
            fail_msg("%s %s", rows[i].name, rows[i].addr);
    }
}

static void an_inherited_socket_is_described_and_made_safe(void **state)
{
    struct handover_socket s = {.fd = -1}, again;
    struct addr addr = {.host = "127.0.0.1", .port = 0};

    (void)state;
    assert_true(handover_socket_open(&s, &addr, NULL));
    assert_int_equal(fcntl(s.fd, F_SETFD, 0), 0);
    assert_int_equal(fcntl(s.fd, F_SETFL, 0), 0);
    again = (struct handover_socket){.fd = s.fd};
    assert_true(handover_socket_adopt(&again, NULL));
    assert_string_equal(again.addr, s.addr);
    assert_int_equal(strncmp(again.addr, "127.0.0.1:", 10), 0);
    assert_true((fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(s.fd, F_GETFD) & FD_CLOEXEC) != 0);
    (void)close(s.fd);
}

static void what_is_no_listening_socket_is_refused(void **state)
{
    int fds[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                 socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 999};
    static const char *const why[] = {"is no socket", "does not listen", "does not listen", "is no socket"};

    (void)state;
    for (size_t i = 0; i < COUNT(fds); i++) {
        struct handover_socket s = {.fd = fds[i]};
        struct err err = {""};

        assert_false(handover_socket_adopt(&s, &err));
        assert_non_null(strstr(err.text, why[i]));
        (void)close(fds[i]);
    }
}

static void a_port_in_use_is_an_error_that_names_the_address(void **state)
{
    struct handover_socket first = {.fd = -1}, second = {.fd = -1};
    struct addr addr = {.host = "127.0.0.1", .port = 0}, same;
    struct err err = {""};

    (void)state;
    assert_true(handover_socket_open(&first, &addr, NULL));
    assert_true(addr_parse(first.addr, &same, NULL));
    assert_false(handover_socket_open(&second, &same, &err));
    assert_non_null(strstr(err.text, first.addr));
    assert_int_equal(second.fd, -1);
    (void)close(first.fd);
}

static void names_become_numbers(void **state)
{
    struct addr addr = {.host = "localhost", .port = 80}, numeric;

    (void)state;
    assert_true(handover_socket_resolve(&addr, &numeric, NULL));
    assert_true(strcmp(numeric.host, "127.0.0.1") == 0 || strcmp(numeric.host, "::1") == 0);
    assert_int_equal(numeric.port, 80);
}

static void a_unix_address_is_an_absolute_path_or_a_name_and_short_enough(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"unix:", "write unix:/PATH"},
        {"unix:run/x", "write unix:/PATH"},
        {"unix:/", "write unix:/PATH"},
        {"unix:/"
         "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
         "at most 107 bytes"},
        {"127.0.0.1", "the port is missing"},
    };
    struct addr addr;

    (void)state;
    assert_true(handover_addr_parse("unix:/run/x", &addr, NULL));
    assert_string_equal(addr.host, "unix:/run/x");
    assert_true(handover_addr_parse("unix:@x", &addr, NULL));
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = {""};

        assert_false(handover_addr_parse(bad[i].text, &addr, &err));
        if (strstr(err.text, bad[i].why) == NULL)
            fail_msg("%s", err.text);
    }
}

static void a_unix_socket_replaces_a_dead_ones_file_and_no_other(void **state)
{
    char path[64], text[72];
    struct handover_socket s = {.fd = -1}, second = {.fd = -1};
    struct err err = {""};
    struct addr addr;
    FILE *file;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/handover_socket_test.%d", getpid());
    (void)snprintf(text, sizeof text, "unix:%s", path);
    assert_true(handover_addr_parse(text, &addr, NULL));
    assert_true(handover_socket_open(&s, &addr, NULL));
    assert_string_equal(s.addr, text);
    assert_false(handover_socket_open(&second, &addr, &err)); /* somebody listens */
    assert_non_null(strstr(err.text, "Address already in use"));
    (void)close(s.fd);
    assert_true(handover_socket_open(&second, &addr, NULL));
    (void)close(second.fd);
    (void)unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_false(handover_socket_open(&s, &addr, NULL));
    assert_int_equal(unlink(path), 0); /* it is still there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unix_address_is_an_absolute_path_or_a_name_and_short_enough),
        cmocka_unit_test(a_unix_socket_replaces_a_dead_ones_file_and_no_other),
        cmocka_unit_test(a_listener_finds_its_socket_by_address_not_by_place),
        cmocka_unit_test(an_inherited_socket_is_described_and_made_safe),
        cmocka_unit_test(what_is_no_listening_socket_is_refused),
        cmocka_unit_test(a_port_in_use_is_an_error_that_names_the_address),
        cmocka_unit_test(names_become_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
