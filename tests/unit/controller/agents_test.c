/* agents_test.c - the table of `rollout agents`, fed by hand. */
#include "controller/agents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char printed[4096];

static const char *print(const struct agents *a, int64_t now_s)
{
    FILE *to = fmemopen(printed, sizeof printed, "w");

    agents_print(to, a, now_s);
    (void)fclose(to);
    return printed;
}

static void what_a_service_calls_itself_is_nothing_that_a_terminal_obeys(void **state)
{
    struct agent_status s = {.service = "app\x1b[2J", .version = "1\nnode2 all well\x7f", .running = true};
    struct agents_row rows[] = {{.node = "node1", .good = true, .services = &s, .n_services = 1},
                                {.node = "node3", .text = "a\x1b[31mb\nc"}};
    struct agents a = {.rows = rows, .n = 2};

    (void)state;
    assert_null(strchr(print(&a, 0), '\x1b'));
    assert_null(strchr(printed, '\x7f'));
    assert_null(strstr(printed, "\nnode2"));
    assert_non_null(strstr(printed, "\nnode3  a?[31mb?c\n"));
}

static void what_is_out_is_worse_than_what_cannot_be_asked(void **state)
{
    struct agent_status in = {.service = "a", .claim = {.there = true, .rollout = "r"}},
                        out = {.service = "b", .claim = {.there = true, .rollout = "r", .n_took_out = 1}};
    struct agents_row well = {.node = "w", .good = true, .services = &in, .n_services = 1},
                      bad = {.node = "o", .good = true, .services = &out, .n_services = 1}, dead = {.node = "d"};
    const struct {
        struct agents_row rows[3];
        int code;
    } rows[] = {{{well, well, well}, 0}, {{well, dead, well}, 4}, {{bad, dead, well}, 3}, {{dead, well, bad}, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct agents_row copy[3];
        memcpy(copy, rows[i].rows, sizeof copy);
        assert_int_equal(agents_exit_code(&(struct agents){.rows = copy, .n = 3}), rows[i].code);
    }
}

static void a_certificate_is_told_with_the_days_that_are_left(void **state)
{
    struct agent_status s = {.service = "app"};
    struct agents_row row = {
        .node = "n", .good = true, .services = &s, .n_services = 1, .cert_ends_s = 1000 + 86400 * 3};
    struct agents a = {.rows = &row, .n = 1};

    (void)state;
    assert_non_null(strstr(print(&a, 1000), "3d left\n"));
    assert_non_null(strstr(print(&a, 1001), "2d left\n"));
    assert_non_null(strstr(print(&a, row.cert_ends_s), "RUN OUT\n"));
    row.cert_ends_s = 0;
    assert_non_null(strstr(print(&a, 1000), "-\n"));
}

static void services_that_make_no_sense_are_none(void **state)
{
    static const char *const bodies[] = {"",
                                         "[]",
                                         "{}",
                                         "{\"services\":{}}",
                                         "{\"services\":[1]}",
                                         "{\"services\":[{}]}",
                                         "{\"services\":[{\"service\":\"a\"}]}"};
    struct agent_status *services;
    struct err err;
    uint32_t n;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        err.text[0] = '\0';
        assert_false(agent_read_services(bodies[i], strlen(bodies[i]), &services, &n, &err));
        assert_null(services);
        assert_int_equal(n, 0);
        assert_string_not_equal(err.text, "");
    }
    assert_true(agent_read_services("{\"services\":[]}", 15, &services, &n, &err));
    assert_int_equal(n, 0);
    free(services);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_service_calls_itself_is_nothing_that_a_terminal_obeys),
        cmocka_unit_test(what_is_out_is_worse_than_what_cannot_be_asked),
        cmocka_unit_test(a_certificate_is_told_with_the_days_that_are_left),
        cmocka_unit_test(services_that_make_no_sense_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
