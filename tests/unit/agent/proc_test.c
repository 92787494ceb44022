#include "agent/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_stat_is_read_whatever_the_command_is_called(void **state)
{
    static const char tail[] = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21\n";
    static const struct {
        const char *head;
        char state;
        bool ok, alive;
    } table[] = {
        {"4711 (app) S", 'S', true, true},  {"4711 (a) R 1 (b) S", 'S', true, true}, /* the command is "a) R 1 (b" */
        {"4711 (app) Z", 'Z', true, false}, {"4711 (app) X", 'X', true, false},
        {"4711 app S", 0, false, false},    {"", 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct proc_stat stat;
        char text[256];

        (void)snprintf(text, sizeof text, "%s%s", table[i].head, tail);
        assert_int_equal(proc_parse_stat(text, &stat), table[i].ok);
        if (!table[i].ok)
            continue;
        assert_int_equal(stat.state, table[i].state);
        assert_int_equal(stat.parent, 1);
        assert_int_equal(stat.start_ticks, 777);
        assert_int_equal(proc_is_alive(&stat), table[i].alive);
    }
    assert_false(proc_parse_stat("1 (a) S 1 2 3", &(struct proc_stat){0}));
}

static void a_line_of_the_tcp_tables_gives_address_state_and_inode(void **state)
{
    static const struct {
        const char *line, *address;
        unsigned state;
        uint64_t inode;
    } table[] = {
        {"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100",
         "127.0.0.1:8080", PROC_TCP_LISTEN, 12345},
        {"  10: 0100007F:1F90 0100007F:C350 01 00000000:00000000 02:000005E2 00000000  1000        0 99 2 0",
         "127.0.0.1:8080", PROC_TCP_ESTABLISHED, 99},
        {"   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 "
         "00:00000000 00000000     0        0 7 1 0",
         "[::1]:80", PROC_TCP_LISTEN, 7},
        {"   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 "
         "00:00000000 00000000     0        0 8 1 0",
         "[::]:80", PROC_TCP_LISTEN, 8},
        {"   1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:9999 01 00000000:00000000 "
         "00:00000000 00000000     0        0 9 1 0",
         "127.0.0.1:80", PROC_TCP_ESTABLISHED, 9}, /* a v4-mapped address is v4 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[TCP_ADDR_TEXT];
        struct proc_tcp row;

        assert_true(proc_parse_tcp(table[i].line, &row));
        assert_string_equal(tcp_addr_format(&row.local, text), table[i].address);
        assert_int_equal(row.state, table[i].state);
        assert_int_equal(row.inode, table[i].inode);
        assert_int_equal(tcp_addr_is_any(&row.local), i == 3);
    }
    assert_false(proc_parse_tcp("  sl  local_address rem_address   st tx_queue", &(struct proc_tcp){0}));
    assert_false(proc_parse_tcp("", &(struct proc_tcp){0}));
    assert_false(proc_parse_tcp("  0: 01:1F90 0:0 0A 0:0 0:0 0 0 0 1", &(struct proc_tcp){0}));
}

static void only_one_whole_pid_is_a_pid_file(void **state)
{
    static const struct {
        const char *text;
        uint32_t pid;
    } table[] = {{"4711\n", 4711}, {" 1 ", 1},   {"", 0},      {"0\n", 0},
                 {"-5\n", 0},      {"12x\n", 0}, {"1 2\n", 0}, {"99999999999\n", 0}};
    uint64_t inode = 0;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t pid = 0;
        bool ok = proc_parse_pid(table[i].text, &pid);
        if (ok != (table[i].pid != 0) || (ok && pid != table[i].pid))
            fail_msg("\"%s\": %u", table[i].text, pid);
    }
    assert_true(proc_parse_socket_link("socket:[123]", &inode));
    assert_int_equal(inode, 123);
    assert_false(proc_parse_socket_link("socket:[123", &inode));
    assert_false(proc_parse_socket_link("/dev/null", &inode));
}

static void a_unit_is_a_whole_part_of_a_path_of_control_groups(void **state)
{
    static const struct {
        const char *text;
        bool in;
    } rows[] = {
        {"0::/system.slice/app.service\n", true},
        {"0::/system.slice/app.service/worker\n", true},
        {"12:pids:/system.slice/app.service\n0::/\n", true},
        {"1:name=systemd:/\n0::/user.slice/user-1000.slice/user@1000.service/app.slice/app.service", true},
        {"0::/system.slice/my-app.service\n", false},
        {"0::/system.slice/app.service.d\n", false},
        {"0::/system.slice/other.service\n", false},
        {"0::/\n", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (proc_cgroup_has(rows[i].text, "app.service") != rows[i].in)
            fail_msg("row %zu", i);
    }
}

static void a_signal_is_unheard_when_it_is_ignored_or_waits(void **state)
{
    static const struct {
        const char *text;
        bool unheard;
    } rows[] = {
        /* SIGUSR2 is 12: bit 11, 0x800 */
        {"Name:\tx\nSigPnd:\t0\nShdPnd:\t0\nSigBlk:\t800\nSigIgn:\t0000000000001000\nSigCgt:\t800\n", false},
        {"Name:\tx\nSigPnd:\t0\nShdPnd:\t0\nSigIgn:\t0000000000000800\n", true},
        {"Name:\tx\nSigPnd:\t0\nShdPnd:\t0000000000004800\nSigIgn:\t0\n", true},
        {"Name:\tx\nSigPnd:\t0000000000000800\nShdPnd:\t0\n", true},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (proc_signal_unheard(rows[i].text, 12) != rows[i].unheard)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stat_is_read_whatever_the_command_is_called),
        cmocka_unit_test(a_line_of_the_tcp_tables_gives_address_state_and_inode),
        cmocka_unit_test(only_one_whole_pid_is_a_pid_file),
        cmocka_unit_test(a_unit_is_a_whole_part_of_a_path_of_control_groups),
        cmocka_unit_test(a_signal_is_unheard_when_it_is_ignored_or_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
