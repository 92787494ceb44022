/* reach_case.c - small rollouts, whole: all states that they can reach (tests/sim/reach.h), with everything that may
 * happen in each. `make exhaust` is the same with more nodes, deaths and faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/sim/reach.h"

static void look_at_all(struct reach *r)
{
    assert_true(reach_run(r, stdout));
    reach_print(r, stdout);
    assert_true(r->through);
    assert_true(r->circles == 0); /* so each of them ends */
    assert_true(r->ends > 0);
}

static void every_state_of_three_nodes_is_good(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 3, .lbs = 1, .at_a_time = 1, .prompt = true});
    look_at_all(&(struct reach){.nodes = 3, .lbs = 1, .at_a_time = 1, .prompt = true, .restart = true});
}

static void every_state_of_two_nodes_is_good_when_renewals_come_at_any_time(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 1});
}

static void a_death_in_any_state_is_mended_by_the_same_id_or_a_repair(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .deaths = 1});
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .deaths = 1, .restart = true});
}

static void every_state_behind_two_load_balancers_is_good(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 2, .lbs = 2, .at_a_time = 1, .prompt = true});
}

/* Both orders of all that a rule puts off, and each move from a state that has forgotten and one that has not. */
static void what_the_search_leaves_out_says_nothing(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .check = true});
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 2, .prompt = true, .check = true});
    look_at_all(&(struct reach){.nodes = 2, .lbs = 2, .at_a_time = 1, .prompt = true, .check = true});
    look_at_all(&(struct reach){
        .nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .forgetful = true, .deaths = 1, .check = true});
}

static void the_search_ends_the_same_without_what_it_leaves_out(void **state)
{
    struct reach few = {.nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .deaths = 1}, all = few;

    (void)state;
    all.without = REACH_ALONE | REACH_LISTS | REACH_DEATHS;
    look_at_all(&few);
    look_at_all(&all);
    assert_true(all.states > few.states);
    assert_int_equal(all.ends, few.ends);
    assert_true(all.ends_sum == few.ends_sum);
}

static void a_fault_in_any_state_leaves_nothing_out_unsaid(void **state)
{
    (void)state;
    look_at_all(&(struct reach){.nodes = 2, .lbs = 1, .at_a_time = 1, .prompt = true, .faults = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_of_three_nodes_is_good),
        cmocka_unit_test(every_state_of_two_nodes_is_good_when_renewals_come_at_any_time),
        cmocka_unit_test(a_death_in_any_state_is_mended_by_the_same_id_or_a_repair),
        cmocka_unit_test(every_state_behind_two_load_balancers_is_good),
        cmocka_unit_test(what_the_search_leaves_out_says_nothing),
        cmocka_unit_test(the_search_ends_the_same_without_what_it_leaves_out),
        cmocka_unit_test(a_fault_in_any_state_leaves_nothing_out_unsaid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
