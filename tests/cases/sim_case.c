/* sim_case.c - the controller's object code against a simulated fleet (tests/sim): every invariant of DESIGN section 5,
 * whatever befalls it. `make sim` is the same with other seeds, and tells what was found in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/sim/campaign.h"

#define SEEDS 100000

static void the_same_seed_plays_the_same_way_twice(void **state)
{
    static struct campaign once = {.first = 1, .seeds = 1000, .most = 1},
                           twice = {.first = 1, .seeds = 1000, .most = 1};

    (void)state;
    campaign_run(&once, stdout);
    campaign_run(&twice, stdout);
    assert_true(once.hash == twice.hash);
}

static void every_invariant_holds_whatever_befalls_a_rollout(void **state)
{
    static struct campaign c = {.first = 1, .seeds = SEEDS, .most = 1};
    bool all;

    (void)state;
    campaign_run(&c, stdout);
    all = campaign_print(&c, stdout);
    assert_true(c.breaches == 0);
    assert_true(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_plays_the_same_way_twice),
        cmocka_unit_test(every_invariant_holds_whatever_befalls_a_rollout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
