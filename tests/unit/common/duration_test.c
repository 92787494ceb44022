#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/duration.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void go_durations_are_read_as_go_reads_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"5s", 5000000000},
        {"1.s", 1000000000},
        {".5s", 500000000},
        {"1478s", 1478000000000},
        {"-5s", -5000000000},
        {"+5s", 5000000000},
        {"10ns", 10},
        {"11us", 11000},
        {"12\u00b5s", 12000},
        {"12\u03bcs", 12000},
        {"13ms", 13000000},
        {"3h30m", 12600000000000},
        {"10.5s4m", 250500000000},
        {"1h2m3s4ms5us6ns", 3723004005006},
        {"39h9m14.425s", 140954425000000},
        {"0.3333333333333333333h", 1200000000000},
        {"0.100000000000000000000h", 360000000000},
        {"0.830103483285477580700h", 2988372539827},
        {"9007199254740993ns", 9007199254740993},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036854775.807us", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"-9223372036s854ms775us808ns", INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {""};
        int64_t ns = 1;

        if (!duration_parse_go(rows[i].text, &ns, &err))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (ns != rows[i].ns)
            fail_msg("%s: %lld", rows[i].text, (long long)ns);
    }
}

static void what_go_refuses_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty"},
        {"-", "empty"},
        {"3", "unit is missing"},
        {"s", "number is missing"},
        {".", "number is missing"},
        {"-.s", "number is missing"},
        {"1 s", "unit is missing"},
        {" 1s", "number is missing"},
        {"1s ", "number is missing"},
        {"+-5s", "number is missing"},
        {"1d", "unknown unit"},
        {"1S", "unknown unit"},
        {"1x\n\"", "\"1x??\" is no duration"},
        {"3000000h", "too large"},
        {"9223372036854775808ns", "too large"},
        {"9223372036854775.808us", "too large"},
        {"9223372036854ms775us808ns", "too large"},
        {"99999999999999999999s", "too large"},
        {"-9223372036854775809ns", "too large"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {""};
        int64_t ns = 1;

        if (duration_parse_go(rows[i].text, &ns, &err))
            fail_msg("%s was taken", rows[i].text);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].text, err.text);
        assert_int_equal(ns, 1);
    }
}

static void options_take_both_forms_rounded_up_to_milliseconds(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms;
    } rows[] = {
        {"0", 0},          {"60", 60000},       {"500ms", 500},      {"1.5s", 1500},
        {"1m30s", 90000},  {"1h 30m", 5400000}, {"1m 30", 90000},    {" 2s ", 2000},
        {"+2s", 2000},     {"1ns", 1},          {"1001us", 2},       {"2d", 172800000},
        {"1w", 604800000}, {"1M", 2592000000},  {"49d", 4233600000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {""};
        uint32_t ms = 1;

        if (!duration_parse_ms(rows[i].text, &ms, &err))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (ms != rows[i].ms)
            fail_msg("%s: %u", rows[i].text, ms);
    }
}

static void a_bad_option_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty"},
        {"  ", "empty"},
        {"-1s", "negative"},
        {"1.5", "unit is missing"},
        {"30 1m", "unit is missing"},
        {"5x", "unknown unit"},
        {"1s,", "unknown unit"},
        {"50d", "49 days"},
        {"10y", "49 days"},
        {"999999999999y", "too large"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {""};
        uint32_t ms = 1;

        if (duration_parse_ms(rows[i].text, &ms, &err))
            fail_msg("%s was taken", rows[i].text);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].text, err.text);
    }
}

static void people_read_short_durations(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0ms"},    {450, "450ms"},  {999, "999ms"},  {1000, "1s"},      {12345, "12.3s"}, {59999, "59.9s"},
        {60000, "1m"}, {61500, "1m1s"}, {3600000, "1h"}, {3720000, "1h2m"}, {86400000, "1d"}, {93600000, "1d2h"},
    };
    char buf[32], tiny[4];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(duration_format_ms(rows[i].ms, buf, sizeof buf), rows[i].text);
    assert_string_equal(duration_format_ms(12345, tiny, sizeof tiny), "12.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(go_durations_are_read_as_go_reads_them),
        cmocka_unit_test(what_go_refuses_is_refused_with_a_reason),
        cmocka_unit_test(options_take_both_forms_rounded_up_to_milliseconds),
        cmocka_unit_test(a_bad_option_is_refused_with_a_reason),
        cmocka_unit_test(people_read_short_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
