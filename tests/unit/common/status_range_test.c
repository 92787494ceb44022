#include "common/status_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_range_is_two_statuses_or_one(void **state)
{
    static const struct {
        const char *text;
        unsigned low, high; /* 0: refused */
    } rows[] = {
        {"200-299", 200, 299}, {"204", 204, 204}, {"100-599", 100, 599}, {"503-503", 503, 503}, {"", 0, 0},
        {"20", 0, 0},          {"2000", 0, 0},    {"099", 0, 0},         {"600", 0, 0},         {"299-200", 0, 0},
        {"200-", 0, 0},        {"-200", 0, 0},    {"200-29", 0, 0},      {"200-2999", 0, 0},    {"200 299", 0, 0},
        {"2xx", 0, 0},         {"200-600", 0, 0}, {" 200", 0, 0},        {"200,204", 0, 0},     {"+20", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct status_range range;
        struct err err = {""};
        char text[STATUS_RANGE_TEXT];

        if (status_range_parse(rows[i].text, &range, &err) != (rows[i].low != 0))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (rows[i].low == 0) {
            assert_true(err.text[0] != '\0');
            continue;
        }
        assert_int_equal(range.low, rows[i].low);
        assert_int_equal(range.high, rows[i].high);
        assert_true(status_range_has(&range, rows[i].low) && status_range_has(&range, rows[i].high));
        assert_false(status_range_has(&range, rows[i].low - 1) || status_range_has(&range, rows[i].high + 1));
        if (rows[i].low != rows[i].high || rows[i].text[3] == '\0')
            assert_string_equal(status_range_format(&range, text), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_range_is_two_statuses_or_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
