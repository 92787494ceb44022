/* limit_test.c - a rate that is kept, and is no hindrance to who keeps it. */
#include "agent/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_flood_gets_its_rate_and_one_burst(void **state)
{
    struct limit_rate rate = {0};
    unsigned taken = 0;

    (void)state;
    for (uint64_t now_ms = 5000; now_ms < 15000; now_ms++)
        taken += limit_take(&rate, 100, now_ms) == 0;
    assert_in_range(taken, 100 * (10 + LIMIT_BURST_S) - 1, 100 * (10 + LIMIT_BURST_S) + 1);
}

static void who_waits_as_told_is_taken(void **state)
{
    struct limit_rate rate = {0};
    uint64_t now_ms = 1, wait_ms;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        wait_ms = limit_take(&rate, 3, now_ms);
        if (wait_ms == 0)
            continue;
        assert_in_range(wait_ms, 1, 334);
        now_ms += wait_ms;
        assert_int_equal(limit_take(&rate, 3, now_ms), 0);
    }
}

static void an_even_pace_is_never_held_up(void **state)
{
    struct limit_rate rate = {0};

    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(limit_take(&rate, 100, 77 + i * 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_gets_its_rate_and_one_burst),
        cmocka_unit_test(who_waits_as_told_is_taken),
        cmocka_unit_test(an_even_pace_is_never_held_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
