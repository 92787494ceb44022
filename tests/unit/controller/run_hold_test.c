/* Canaries, and what a person wants while a rollout is at work: pause, promote, abort. */
#include <signal.h>

#include "story.h"

/* Four nodes that would all go at once, if it were for batch and floor, and one that runs the release. */
static struct story wide(void)
{
    struct story s = story_begin((struct fake_shape){.nodes = 5});

    s.plan->batches[0] = 4;
    s.plan->max_unavailable = 4;
    s.plan->nodes[4].at_target = true;
    s.fleet->agents[4].now.sha256[0] = FAKE_NEW;
    return s;
}

/* run_new takes it from the plan, so it is set before. */
static void with_canary(struct story *s, uint32_t canary, uint32_t pause_after)
{
    s->plan->canary = canary;
    s->plan->pause_after = pause_after;
}

static void without_a_canary_all_go_at_once(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 0, 0);
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "d claim", "a job");
    story_end(&s);
}

static void the_canary_goes_alone_and_is_back_before_the_rest(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 0);
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "a unclaimed", "b claim");
    story_before(&s, "d claim", "b job"); /* the rest go together */
    story_end(&s);
}

static void two_canaries_go_together(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 2, 0);
    s.fleet->agents[1].job_takes_ms = 3000;
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "b claim", "a job");
    story_before(&s, "b unclaimed", "c claim");
    story_before(&s, "b unclaimed", "d claim");
    story_end(&s);
}

/* A node that runs the release already has proved nothing. */
static void a_node_at_the_target_is_no_canary(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 0);
    s.plan->nodes[0].at_target = true;
    s.fleet->agents[0].now.sha256[0] = FAKE_NEW;
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "b unclaimed", "c claim");
    story_end(&s);
}

static void more_canaries_than_nodes_are_all_nodes(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1000000, 1000000);
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_end(&s);
}

static void a_bad_canary_is_the_only_node_that_is_touched(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 0);
    s.fleet->agents[0].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 1, "AAAAB", -1);
    assert_int_equal(story_logged(&s, "b claim") + story_logged(&s, "c claim") + story_logged(&s, "d claim"), 0);
    story_all_back_but(&s, -1);
    story_end(&s);
}

static void a_bad_canary_ends_it_however_many_may_fail(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 2, 0);
    s.plan->max_failures = UINT32_MAX;
    s.fleet->agents[1].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 1, "BAAAB", -1);
    assert_int_equal(story_logged(&s, "c claim") + story_logged(&s, "d claim"), 0);
    story_end(&s);
}

/* ---- a pause that was planned */

static void after_the_canary_it_waits_with_its_leases_until_it_is_promoted(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 1);
    fake_when(s.fleet, "a unclaimed", 60000, fake_signal, SIGUSR2);
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "signal 12", "b claim");
    assert_true(story_when(&s, "b claim") - story_when(&s, "a unclaimed") >= 60000);
    assert_true(story_logged(&s, "lb1/app lease r1 fence 7, renewed") >= 5);
    story_before(&s, "b claim", "lease free");
    story_says(&s, "held      after the canary, the leases held: `rollout promote r1` goes on, "
                   "`rollout pause r1` or `rollout abort r1` ends it");
    story_says(&s, "promoted  by SIGUSR2");
    story_end(&s);
}

static void after_three_nodes_the_fourth_waits(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 3);
    fake_when(s.fleet, "c unclaimed", 20000, fake_signal, SIGUSR2);
    story_roll(&s);
    story_ends(&s, 0, "BBBBB", -1);
    story_before(&s, "c claim", "b job");
    story_before(&s, "signal 12", "d claim");
    story_says(&s, "held      after 3 nodes,");
    story_end(&s);
}

static void a_promotion_that_nothing_waits_for_is_no_promise(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 1);
    fake_when(s.fleet, "a job", 0, fake_signal, SIGUSR2);
    fake_when(s.fleet, "a unclaimed", 30000, fake_signal, SIGUSR1);
    story_roll(&s);
    story_ends(&s, 7, "BAAAB", -1);
    story_end(&s);
}

static void a_pause_while_it_waits_ends_it_with_7(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 1);
    fake_when(s.fleet, "a unclaimed", 5000, fake_signal, SIGUSR1);
    story_roll(&s);
    assert_int_equal(s.code, 7);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    story_all_back_but(&s, -1);
    assert_int_equal(story_logged(&s, "lease free"), 1);
    story_says(&s, "stopped: paused by SIGUSR1; `rollout resume r1` goes on");
    story_end(&s);
}

static void an_abort_while_it_waits_is_an_interruption(void **state)
{
    struct story s = wide();

    (void)state;
    with_canary(&s, 1, 1);
    fake_when(s.fleet, "a unclaimed", 5000, fake_signal, SIGTERM);
    story_roll(&s);
    assert_int_equal(s.code, 143);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    story_end(&s);
}

/* ---- a pause that was not */

static void a_pause_finishes_what_is_in_motion_and_begins_nothing(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb2/app: drain", 100, fake_signal, SIGUSR1);
    story_roll(&s);
    story_ends(&s, 7, "BAA", -1);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    story_all_back_but(&s, -1);
    story_says(&s, "3 nodes: 1 upgraded, 2 not begun");
    story_end(&s);
}

static void a_pause_during_the_last_node_is_none(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    fake_when(s.fleet, "b job", 0, fake_signal, SIGUSR1);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    story_end(&s);
}

static void a_failure_while_it_pauses_is_a_failure(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_KEPT;
    fake_when(s.fleet, "a at lb1/app: drain", 0, fake_signal, SIGUSR1);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    story_all_back_but(&s, -1);
    story_end(&s);
}

/* Who paused first and then wants it to stop now. */
static void a_signal_behind_a_pause_turns_nodes_round(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.fleet->peers[0].hold_ms = 60000;
    fake_when(s.fleet, "a at lb1/app: drain", 500, fake_signal, SIGUSR1);
    fake_when(s.fleet, "a at lb1/app: drain", 1000, fake_signal, SIGINT);
    story_roll(&s);
    story_ends(&s, 130, "AA", -1);
    story_all_back_but(&s, -1);
    assert_true(s.fleet->now_ms - story_when(&s, "signal 2") < 1000);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_canary_all_go_at_once),
        cmocka_unit_test(the_canary_goes_alone_and_is_back_before_the_rest),
        cmocka_unit_test(two_canaries_go_together),
        cmocka_unit_test(a_node_at_the_target_is_no_canary),
        cmocka_unit_test(more_canaries_than_nodes_are_all_nodes),
        cmocka_unit_test(a_bad_canary_is_the_only_node_that_is_touched),
        cmocka_unit_test(a_bad_canary_ends_it_however_many_may_fail),
        cmocka_unit_test(after_the_canary_it_waits_with_its_leases_until_it_is_promoted),
        cmocka_unit_test(after_three_nodes_the_fourth_waits),
        cmocka_unit_test(a_promotion_that_nothing_waits_for_is_no_promise),
        cmocka_unit_test(a_pause_while_it_waits_ends_it_with_7),
        cmocka_unit_test(an_abort_while_it_waits_is_an_interruption),
        cmocka_unit_test(a_pause_finishes_what_is_in_motion_and_begins_nothing),
        cmocka_unit_test(a_pause_during_the_last_node_is_none),
        cmocka_unit_test(a_failure_while_it_pauses_is_a_failure),
        cmocka_unit_test(a_signal_behind_a_pause_turns_nodes_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
