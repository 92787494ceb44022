#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo-server/options.h"
#include "demo-server/routes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool read_options(char **argv, struct options *o, enum options_wish *wish, struct err *err)
{
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    return options_read(argc, argv, o, wish, err);
}

static void nothing_given_means_the_seeds_addresses(void **state)
{
    char *argv[] = {"demo-server", NULL};
    struct options o;
    enum options_wish wish;

    (void)state;
    assert_true(read_options(argv, &o, &wish, NULL));
    assert_int_equal(wish, OPTIONS_RUN);
    assert_string_equal(o.a0.host, "");
    assert_int_equal(o.a0.port, 48567);
    assert_int_equal(o.a1.port, 48568);
    assert_int_equal(o.a2.port, 48569);
    assert_string_equal(o.pidfile, "");
    assert_int_equal(o.drain_timeout_ms, 60000);
    assert_int_equal(o.linger_ms, 500);
    assert_int_equal(o.upgrade_timeout_ms, 10000);
}

static void flags_are_read_as_go_reads_them(void **state)
{
    char *argv[] = {"demo-server", "-a0",    "127.0.0.1:81", "--a1=:82", "-a2=localhost:83",
                    "-pidfile",    "/run/x", "--linger",     "0",        NULL};
    struct options o;
    enum options_wish wish;

    (void)state;
    assert_true(read_options(argv, &o, &wish, NULL));
    assert_string_equal(o.a0.host, "127.0.0.1");
    assert_int_equal(o.a1.port, 82);
    assert_string_equal(o.a2.host, "localhost");
    assert_string_equal(o.pidfile, "/run/x");
    assert_int_equal(o.linger_ms, 0);
}

static void a_wrong_flag_is_refused_with_its_name(void **state)
{
    static const struct {
        char *argv[4];
        const char *why;
    } rows[] = {
        {{"x", "-a0", "nowhere"}, "-a0: \"nowhere\""}, {{"x", "-a3", ":1"}, "unknown option -a3"},
        {{"x", "--linger", "5x"}, "-linger: \"5x\""},  {{"x", "-a0"}, "-a0 needs a value"},
        {{"x", "word"}, "word is no option"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options o;
        enum options_wish wish;
        struct err err = {""};

        assert_false(read_options((char **)rows[i].argv, &o, &wish, &err));
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s", err.text);
    }
}

static void paths_find_their_routes(void **state)
{
    static const struct {
        const char *path;
        enum route route;
    } rows[] = {
        {"/sleep/", ROUTE_SLEEP},    {"/sleep/x", ROUTE_SLEEP},  {"/sleep", ROUTE_OTHER},
        {"/healthz", ROUTE_HEALTHZ}, {"/healthz/", ROUTE_OTHER}, {"/healthzz", ROUTE_OTHER},
        {"/version", ROUTE_VERSION}, {"/stats", ROUTE_STATS},    {"/", ROUTE_OTHER},
        {"", ROUTE_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (route_find(rows[i].path) != rows[i].route)
            fail_msg("%s", rows[i].path);
    assert_int_equal(route_method("HEAD"), METHOD_GET);
    assert_int_equal(route_method("POST"), METHOD_POST);
    assert_int_equal(route_method("DELETE"), METHOD_UNKNOWN);
}

static void counts_are_told_by_route(void **state)
{
    struct counts c = {.aborted = 4};
    char buf[256], tiny[8];

    (void)state;
    c.answered[ROUTE_SLEEP] = 3;
    c.answered[ROUTE_OTHER] = 1;
    assert_string_equal(counts_line(&c, buf, sizeof buf),
                        "answered_sleep=3 answered_healthz=0 answered_version=0 answered_stats=0 answered_other=1 "
                        "aborted=4");
    assert_string_equal(counts_json(&c, buf, sizeof buf),
                        "{\"sleep\":3,\"healthz\":0,\"version\":0,\"stats\":0,\"other\":1}");
    assert_int_equal(strlen(counts_line(&c, tiny, sizeof tiny)), sizeof tiny - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_means_the_seeds_addresses),
        cmocka_unit_test(flags_are_read_as_go_reads_them),
        cmocka_unit_test(a_wrong_flag_is_refused_with_its_name),
        cmocka_unit_test(paths_find_their_routes),
        cmocka_unit_test(counts_are_told_by_route),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
