/* How many nodes may fail, and what comes then: whole rollouts against the fake fleet. */
#include "story.h"

static void a_failure_within_the_budget_stops_nothing(void **state)
{
    struct story s = story_of(fake_plan((struct fake_shape){.nodes = 4, .lbs = 2}));

    (void)state;
    s.plan->max_failures = 1;
    s.fleet->agents[0].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 1, "ABBB", -1);
    story_says(&s, "4 nodes: 1 failed, in rotation, 3 upgraded");
    story_says(&s, "a: failed, in rotation; in step handover");
    story_end(&s);
}

static void one_more_than_may_fail_ends_it(void **state)
{
    struct story s = story_of(fake_plan((struct fake_shape){.nodes = 5, .lbs = 2}));

    (void)state;
    s.plan->max_failures = 1;
    s.fleet->agents[0].fate = FATE_KEPT;
    s.fleet->agents[2].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 1, "ABAAA", -1);
    assert_int_equal(story_logged(&s, "d claim"), 0);
    story_says(&s, "stopping  c failed: it did not get healthy; 2 nodes have failed");
    story_end(&s);
}

/* --failure-action continue */
static void all_may_fail(void **state)
{
    struct story s = story_of(fake_plan((struct fake_shape){.nodes = 4}));

    (void)state;
    s.plan->max_failures = UINT32_MAX;
    for (int i = 0; i < 4; i++)
        s.fleet->agents[i].fate = i == 2 ? FATE_GOOD : FATE_ILL;
    story_roll(&s);
    story_ends(&s, 1, "AABA", -1);
    story_says(&s, "a: failed, in rotation");
    story_says(&s, "b: failed, in rotation");
    story_says(&s, "d: failed, in rotation");
    story_end(&s);
}

static void the_others_go_on_beside_one_that_is_out(void **state)
{
    struct story s = story_of(fake_plan((struct fake_shape){.nodes = 4, .lbs = 2}));

    (void)state;
    s.plan->max_failures = UINT32_MAX;
    s.plan->max_unavailable = 2;
    s.fleet->agents[0].fate = FATE_ILL;
    s.fleet->agents[0].undo_fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 3, "BBBB", 0);
    story_says(&s, "a: OUT OF ROTATION");
    story_end(&s);
}

/* What is out counts for the floor: the second waits for it in vain, and the third is not even begun. */
static void where_the_floor_holds_no_more_nobody_goes_on(void **state)
{
    struct story s = story_of(fake_plan((struct fake_shape){.nodes = 4, .lbs = 2}));

    (void)state;
    s.plan->max_failures = UINT32_MAX;
    s.fleet->agents[0].fate = FATE_ILL;
    s.fleet->agents[0].undo_fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 3, "BAAA", 0);
    assert_int_equal(story_logged(&s, "b at"), 0);
    assert_int_equal(story_logged(&s, "c claim"), 0);
    story_says(&s, "b: failed, in rotation; in step floor: too few other peers were up");
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_within_the_budget_stops_nothing),
        cmocka_unit_test(one_more_than_may_fail_ends_it),
        cmocka_unit_test(all_may_fail),
        cmocka_unit_test(the_others_go_on_beside_one_that_is_out),
        cmocka_unit_test(where_the_floor_holds_no_more_nobody_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
