#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo-server/sleepers.h"

#define MANY 500

static void sleepers_wake_in_the_order_of_their_deadlines(void **state)
{
    static struct sleeper who[MANY];
    struct sleepers s = {0};
    int64_t last = INT64_MIN;
    unsigned seed = 7;

    (void)state;
    assert_null(sleepers_first(&s));
    for (size_t i = 0; i < MANY; i++) {
        seed = seed * 1103515245 + 12345;
        who[i].deadline_ns = seed % 100; /* many equal ones */
        assert_true(sleepers_add(&s, &who[i]));
    }
    assert_int_equal(s.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        struct sleeper *first = sleepers_first(&s);

        assert_true(first->deadline_ns >= last);
        last = first->deadline_ns;
        sleepers_remove(&s, first);
    }
    assert_null(sleepers_first(&s));
    sleepers_clear(&s);
}

static void one_that_goes_away_is_forgotten_and_the_order_stays(void **state)
{
    static struct sleeper who[MANY];
    struct sleepers s = {0};
    int64_t last = INT64_MIN;
    size_t left = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        who[i].deadline_ns = (int64_t)(i * 7919 % MANY);
        assert_true(sleepers_add(&s, &who[i]));
    }
    for (size_t i = 0; i < MANY; i += 3)
        sleepers_remove(&s, &who[i]);
    for (struct sleeper *first; (first = sleepers_first(&s)) != NULL; left++) {
        assert_int_not_equal((first - who) % 3, 0);
        assert_true(first->deadline_ns > last);
        last = first->deadline_ns;
        sleepers_remove(&s, first);
    }
    assert_int_equal(left, MANY - (MANY + 2) / 3);
    sleepers_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleepers_wake_in_the_order_of_their_deadlines),
        cmocka_unit_test(one_that_goes_away_is_forgotten_and_the_order_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
