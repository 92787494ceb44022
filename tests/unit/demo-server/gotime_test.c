#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo-server/gotime.h"

static void a_time_is_written_as_go_writes_it(void **state)
{
    static const struct {
        time_t seconds;
        long nanoseconds;
        const char *zone, *text;
    } rows[] = {
        {1795366800, 123456789, "UTC0", "2026-11-22 17:00:00.123456789 +0000 UTC"},
        {1795366800, 123000000, "UTC0", "2026-11-22 17:00:00.123 +0000 UTC"},
        {1795366800, 100, "UTC0", "2026-11-22 17:00:00.0000001 +0000 UTC"},
        {1795366800, 0, "UTC0", "2026-11-22 17:00:00 +0000 UTC"},
        {1795366800, 10, "UTC0", "2026-11-22 17:00:00.00000001 +0000 UTC"},
        {1795366800, 500000000, "CET-1", "2026-11-22 18:00:00.5 +0100 CET"},
        {1795366800, 0, "EST5", "2026-11-22 12:00:00 -0500 EST"},
    };
    char buf[GOTIME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct timespec when = {rows[i].seconds, rows[i].nanoseconds};

        (void)setenv("TZ", rows[i].zone, 1);
        tzset();
        assert_string_equal(gotime_format(&when, buf), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_time_is_written_as_go_writes_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
