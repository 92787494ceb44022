/* How many nodes may fail, and what comes then: whole rollouts against the fake fleet. */
#include "story.h"

static void a_failure_within_the_budget_stops_nothing(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 4, .lbs = 2});

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
    struct story s = story_begin((struct fake_shape){.nodes = 5, .lbs = 2});

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

/* Not only once it is back, which may take long: whoever waits for its turn behind it must not get the release. */
static void a_failure_counts_at_once(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 8, .lbs = 2});
    const char *failed;

    (void)state;
    s.plan->batches[0] = s.plan->max_unavailable = 2;
    s.fleet->agents[0].fate = FATE_ILL;
    s.fleet->agents[0].job_takes_ms = 4500;
    story_roll(&s);
    failed = strstr(s.fleet->log, "a job r1/a/undo/2");
    assert_non_null(failed);
    assert_null(strstr(failed, "claim r1 fence 7\n"));
    assert_int_equal(s.code, 1);
    story_end(&s);
}

/* --failure-action continue */
static void all_may_fail(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 4});

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
    struct story s = story_begin((struct fake_shape){.nodes = 4, .lbs = 2});

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
    struct story s = story_begin((struct fake_shape){.nodes = 4, .lbs = 2});

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

/* A full disk at the agent: the node is well, but whoever comes next has to know. */
static void a_claim_that_stays_is_named(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    fake_world_rule(s.world,
                    (struct fake_rule){.ask = ASK_UNCLAIM, .node = 0, .place = -1, .times = 100, .fault = FAULT_FAIL});
    story_roll(&s);
    story_ends(&s, 0, "BB", 0);
    assert_true(s.fleet->agents[0].claim.there);
    story_says(&s, "a: our claim is still at its agent, for at most 30s more");
    story_says(&s, "then: rollout repair --hosts FILE");
    story_end(&s);
}

/* ---- the second half */

static struct story rolling_back(struct fake_shape shape, uint32_t at_a_time)
{
    struct plan *p = fake_plan(shape);

    p->rolls_back = true;
    p->batches[0] = p->max_unavailable = at_a_time;
    return story_of(p);
}

static void what_was_changed_is_taken_back_in_reverse_order(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 5, .lbs = 2}, 1);

    (void)state;
    s.fleet->agents[3].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "AAAAA", -1);
    story_before(&s, "d job r1/d/undo/2", "c job r1/c/job/2");
    story_before(&s, "c job r1/c/job/2", "b job r1/b/job/2");
    story_before(&s, "b job r1/b/job/2", "a job r1/a/job/2");
    assert_int_equal(story_logged(&s, "a at lb1/app: drain"), 2);
    assert_int_equal(story_logged(&s, "a at lb2/app: open"), 2);
    assert_int_equal(story_logged(&s, "e claim"), 0);
    story_says(&s, "stopping  d failed: it did not get healthy; the nodes that this rollout changed are taken back");
    story_says(&s, "c         check     way back: waits for the agent to say what runs");
    story_says(&s, "5 nodes: 3 taken back, 1 failed, in rotation, 1 not begun");
    story_end(&s);
}

/* It is in rotation, with the bad release: it goes back like those before it. */
static void one_that_fails_while_it_bakes_goes_back_too(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4, .lbs = 2}, 1);

    (void)state;
    s.plan->wait_ms[WAIT_BAKE] = 2000;
    s.plan->gate = (struct plan_gate){.min_requests = 1000, .pause = false};
    fake_when(s.fleet, "b at lb2/app: open", 500, fake_process_restarts, 1);
    story_roll(&s);
    story_ends(&s, 8, "AAAA", -1);
    assert_int_equal(story_logged(&s, "b job r1/b/job/2"), 1);
    story_says(&s, "4 nodes: 2 taken back, 2 not begun");
    story_says(&s, "stopped: b failed: it fell ill after it was back");
    story_end(&s);
}

/* A bake without a verdict pauses; but on the way back there is none to be had. */
static void an_inconclusive_bake_does_not_hold_the_way_back(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4, .lbs = 2}, 2);

    (void)state;
    s.plan->wait_ms[WAIT_BAKE] = 8000;
    s.plan->gate = (struct plan_gate){.min_requests = 1000000, .pause = true};
    s.fleet->agents[1].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "AAAA", -1);
    assert_true(story_when(&s, "a job r1/a/job/2") < 12000); /* and the bakes of the first half are cut short */
    story_end(&s);
}

static void where_the_first_one_fails_all_is_as_it_was(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 3}, 1);

    (void)state;
    s.fleet->agents[0].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 8, "AAA", -1);
    story_end(&s);
}

/* The budget of the first half counts here as well. */
static void failures_within_the_budget_take_nothing_back(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4}, 1);

    (void)state;
    s.plan->max_failures = 1;
    s.fleet->agents[1].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 1, "BABB", -1);
    story_end(&s);
}

/* b has its job when a fails: it is finished, and then goes back as well. */
static void one_that_has_its_job_already_goes_back_too(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 6, .lbs = 2}, 2);

    (void)state;
    s.fleet->agents[0].fate = FATE_KEPT;
    s.fleet->agents[1].job_takes_ms = 3000;
    story_roll(&s);
    story_ends(&s, 8, "AAAAAA", -1);
    assert_int_equal(story_logged(&s, "b job r1/b/job/2"), 1);
    story_end(&s);
}

static void two_at_a_time_go_back_two_at_a_time(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 6, .lbs = 2}, 2);

    (void)state;
    s.fleet->agents[4].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "AAAAAA", -1);
    assert_true(story_when(&s, "d job r1/d/job/2") <
                story_when(&s, "f unclaimed")); /* both are out before one is back */
    story_end(&s);
}

/* Loudly. What else is to go back does so as far as the floor holds. */
static void one_that_cannot_be_taken_back_stays_out(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 5, .lbs = 2}, 1);

    (void)state;
    s.plan->max_unavailable = 2;
    s.fleet->agents[2].fate = FATE_ILL;
    s.fleet->agents[1].back_fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 3, "ABAAA", 1);
    story_says(&s, "b: OUT OF ROTATION; in step handover: the handover failed");
    story_says(&s, "1 taken back");
    story_end(&s);

    s = rolling_back((struct fake_shape){.nodes = 5, .lbs = 2}, 1);
    s.fleet->agents[2].fate = FATE_ILL;
    s.fleet->agents[1].back_fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 3, "BAAAA", 1); /* b runs A, which is ill; a may not go */
    story_says(&s, "a: failed, in rotation; in step floor");
    story_end(&s);
}

static void one_whose_agent_is_gone_stays_where_it_is(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4, .lbs = 2}, 1);

    (void)state;
    s.fleet->agents[2].fate = FATE_ILL;
    fake_when(s.fleet, "c at lb2/app: down", 0, fake_agent_dies, 1);
    story_roll(&s);
    story_ends(&s, 1, "ABAA", -1);
    story_says(&s, "b: failed, in rotation; in step check: its agent did not answer");
    story_end(&s);
}

static void a_restart_by_somebody_else_is_in_nobodys_way(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4}, 1);

    (void)state;
    s.fleet->agents[2].fate = FATE_ILL;
    fake_when(s.fleet, "c at lb1/app: down", 0, fake_process_restarts, 0);
    story_roll(&s);
    story_ends(&s, 8, "AAAA", -1); /* a was only restarted */
    story_end(&s);
}

static void install_c(struct fake_fleet *f, uint32_t node)
{
    f->agents[node].installed = 'C';
    fake_process_restarts(f, node);
}

static void another_release_of_somebodys_is_left(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4}, 1);

    (void)state;
    s.fleet->agents[2].fate = FATE_ILL;
    fake_when(s.fleet, "c at lb1/app: down", 0, install_c, 0);
    story_roll(&s);
    story_ends(&s, 1, "CAAA", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: drain"), 1);
    story_says(&s, "a: failed, in rotation; in step check: what runs there changed");
    story_end(&s);
}

/* Nothing new begins: b, which has its job, is finished; a keeps the release. */
static void a_signal_ends_the_way_back(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4, .lbs = 2}, 1);

    (void)state;
    s.fleet->agents[2].fate = FATE_ILL;
    fake_when(s.fleet, "b job r1/b/job/2", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 1, "BAAA", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: drain"), 1);
    story_end(&s);
}

/* An earlier run was killed on its way back: a has still to go, b is out and claimed, c is back, d was never begun. */
static void a_way_back_that_was_killed_goes_on(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 4, .lbs = 2});
    struct story s;

    (void)state;
    p->rolls_back = p->goes_back = true;
    p->fence = 8;
    for (uint32_t i = 0; i < 2; i++)
        p->nodes[i].surveyed.sha256[0] = FAKE_NEW;
    p->nodes[0].brought = p->nodes[0].at_target = true;
    p->nodes[1].resumed = p->nodes[1].has_target = true;
    p->nodes[1].target_sha256[0] = FAKE_OLD;
    p->nodes[1].before = p->nodes[1].surveyed;
    p->nodes[1].out_mask = 3;
    p->nodes[1].claim_fence = 7;
    s = story_of(p);
    for (uint32_t i = 0; i < 2; i++)
        s.fleet->agents[i].now.sha256[0] = s.fleet->agents[i].installed = FAKE_NEW;
    s.fleet->agents[1].claim =
        (struct fake_claim){.there = true, .rollout = "r1", .fence = 7, .mask = 3, .until_ms = 1000};
    for (uint32_t i = 0; i < 2; i++)
        s.fleet->peers[p->nodes[1].first_peer + i].gate = GATE_DOWN;
    story_roll(&s);
    story_ends(&s, 8, "AAAA", -1);
    story_before(&s, "b at lb1/app: open", "a at lb1/app: drain");
    assert_int_equal(story_logged(&s, "c claim") + story_logged(&s, "d claim"), 0);
    story_says(&s, "4 nodes: 2 taken back, 2 not begun");
    story_end(&s);
}

/* b has the release from an earlier run of this rollout; a fails before this run has come to b. */
static void what_an_earlier_run_brought_goes_back_as_well(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 2});
    struct story s;

    (void)state;
    p->rolls_back = true;
    p->nodes[1].at_target = p->nodes[1].brought = true;
    p->nodes[1].before = p->nodes[1].surveyed;
    p->nodes[1].surveyed.pid = 150;
    p->nodes[1].surveyed.sha256[0] = FAKE_NEW;
    s = story_of(p);
    s.fleet->agents[0].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "AAA", -1);
    story_end(&s);
}

/* Stopped on the way back, before it had come to b at all. */
static void what_an_earlier_run_brought_and_keeps_is_no_way_back(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 2});
    struct story s;

    (void)state;
    p->rolls_back = true;
    p->nodes[1].at_target = p->nodes[1].brought = true;
    p->nodes[1].before = p->nodes[1].surveyed;
    p->nodes[1].surveyed.pid = 150;
    p->nodes[1].surveyed.sha256[0] = FAKE_NEW;
    s = story_of(p);
    s.fleet->agents[1].now = p->nodes[1].surveyed;
    s.fleet->agents[1].installed = FAKE_NEW;
    s.fleet->agents[0].fate = FATE_ILL;
    fake_when(s.fleet, "a job r1/a/undo", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 1, "ABA", -1);
    story_end(&s);
}

static void a_signal_too_late_to_end_the_way_back_does_not_hide_it(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 4, .lbs = 2}, 1);

    (void)state;
    s.fleet->agents[2].fate = FATE_ILL;
    fake_when(s.fleet, "a job r1/a/job/2", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 8, "AAAA", -1);
    story_end(&s);
}

/* c, which failed after it was back, is well again; a and b keep what was to be taken back. */
static void a_way_back_that_was_ended_is_no_success(void **state)
{
    struct story s = rolling_back((struct fake_shape){.nodes = 3, .lbs = 2}, 1);

    (void)state;
    s.plan->wait_ms[WAIT_BAKE] = 3000;
    fake_when(s.fleet, "c at lb1/app: open", 500, fake_process_restarts, 2);
    fake_when(s.fleet, "c job r1/c/job/2", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 1, "BBA", -1);
    story_end(&s);
}

/* ---- rollout rollback: the whole plan is a way back */

static struct story rollback(struct fake_shape shape)
{
    struct plan *p = fake_plan(shape);

    p->kind = PLAN_ROLLBACK;
    p->has_release = false;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        p->nodes[i].has_target = true;
        p->nodes[i].target_sha256[0] = (uint8_t)('U' + i);
    }
    return story_of(p);
}

static void each_node_goes_back_to_its_own(void **state)
{
    struct story s = rollback((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->nodes[1].at_target = true;
    story_roll(&s);
    story_ends(&s, 0, "UAWX", -1);
    story_before(&s, "a job r1/a/job/1", "c job r1/c/job/1");
    assert_int_equal(story_logged(&s, "b claim"), 0);
    assert_int_equal(story_logged(&s, "has release"), 0);
    story_says(&s, "rollout r1, fence 7: service app, 4 nodes, back to the release before");
    story_says(&s, "4 nodes: 3 taken back, 1 already there");
    story_end(&s);
}

static void a_rollback_that_fails_leaves_the_node_out(void **state)
{
    static const enum fake_fate fates[] = {FATE_KEPT, FATE_ILL, FATE_UNTRUE, FATE_REFUSED};

    (void)state;
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
        struct story s = rollback((struct fake_shape){.nodes = 3, .lbs = 2});

        s.fleet->agents[0].back_fate = fates[i];
        story_roll(&s);
        story_ends(&s, 3, fates[i] == FATE_ILL ? "UAA" : "AAA", 0);
        assert_int_equal(story_logged(&s, "b claim"), 0);
        story_says(&s, "a: OUT OF ROTATION");
        story_end(&s);
    }
}

/* The plan was made of what ran then. */
static void what_has_changed_since_the_plan_is_left(void **state)
{
    struct story s = rollback((struct fake_shape){.nodes = 3});

    (void)state;
    fake_when(s.fleet, "a unclaimed", 0, install_c, 1);
    story_roll(&s);
    story_ends(&s, 1, "UCA", -1);
    story_says(&s, "b: failed, in rotation; in step check: what runs there changed since the plan was made");
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_within_the_budget_stops_nothing),
        cmocka_unit_test(one_more_than_may_fail_ends_it),
        cmocka_unit_test(a_failure_counts_at_once),
        cmocka_unit_test(all_may_fail),
        cmocka_unit_test(the_others_go_on_beside_one_that_is_out),
        cmocka_unit_test(where_the_floor_holds_no_more_nobody_goes_on),
        cmocka_unit_test(a_claim_that_stays_is_named),
        cmocka_unit_test(what_was_changed_is_taken_back_in_reverse_order),
        cmocka_unit_test(one_that_fails_while_it_bakes_goes_back_too),
        cmocka_unit_test(an_inconclusive_bake_does_not_hold_the_way_back),
        cmocka_unit_test(where_the_first_one_fails_all_is_as_it_was),
        cmocka_unit_test(failures_within_the_budget_take_nothing_back),
        cmocka_unit_test(one_that_has_its_job_already_goes_back_too),
        cmocka_unit_test(two_at_a_time_go_back_two_at_a_time),
        cmocka_unit_test(one_that_cannot_be_taken_back_stays_out),
        cmocka_unit_test(one_whose_agent_is_gone_stays_where_it_is),
        cmocka_unit_test(a_restart_by_somebody_else_is_in_nobodys_way),
        cmocka_unit_test(another_release_of_somebodys_is_left),
        cmocka_unit_test(a_signal_ends_the_way_back),
        cmocka_unit_test(a_way_back_that_was_killed_goes_on),
        cmocka_unit_test(what_an_earlier_run_brought_goes_back_as_well),
        cmocka_unit_test(what_an_earlier_run_brought_and_keeps_is_no_way_back),
        cmocka_unit_test(a_signal_too_late_to_end_the_way_back_does_not_hide_it),
        cmocka_unit_test(a_way_back_that_was_ended_is_no_success),
        cmocka_unit_test(each_node_goes_back_to_its_own),
        cmocka_unit_test(a_rollback_that_fails_leaves_the_node_out),
        cmocka_unit_test(what_has_changed_since_the_plan_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
