/* A person's stop: what is let go on after it, and for how long. */
#include "story.h"

#define GRACE_MS 5000

/* A job that never ends: its node is given up when the 5 seconds are over, and nothing else is waited for. */
static void a_job_that_takes_longer_than_5_s_is_left_and_named(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    s.plan->wait_ms[WAIT_JOB] = 60000;
    s.fleet->agents[0].fate = FATE_HANGS;
    fake_when(s.fleet, "a job r1", 1000, fake_signal, 15);
    story_roll(&s);
    story_ends(&s, 3, "AAA", 0);
    assert_in_range(s.fleet->now_ms - story_when(&s, "a job r1"), 1000 + GRACE_MS, 1000 + GRACE_MS + 100);
    story_says(&s, "a: OUT OF ROTATION; in step handover: the rollout was stopped (not finished within 5 s after the "
                   "stop). Out or unknown: 10.0.0.1:8000 of upstream app at lb1, 10.0.0.1:8000 of upstream app at lb2. "
                   "Act now: rollout repair --hosts FILE\n");

    assert_true(s.fleet->agents[0].claim.there); /* whoever resumes or repairs finds it */
    assert_int_equal(story_logged(&s, "b claim"), 0);
    assert_int_equal(story_logged(&s, "lease free"), 2);
    story_end(&s);
}

static void a_process_that_is_not_healthy_within_5_s_is_left_and_named(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.plan->wait_ms[WAIT_HEALTH] = 60000;
    s.fleet->agents[0].gets_healthy_ms = 30000;
    fake_when(s.fleet, "a job ends", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 3, "BA", 0);
    assert_in_range(s.fleet->now_ms - story_when(&s, "a job ends"), GRACE_MS, GRACE_MS + 100);
    story_says(&s, "a: OUT OF ROTATION; in step health: the rollout was stopped");
    story_end(&s);
}

static void a_job_that_is_done_within_5_s_is_finished(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.fleet->agents[0].job_takes_ms = 3000;
    fake_when(s.fleet, "a job r1", 0, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 130, "BA", -1);

    story_end(&s);
}

/* Two at a time: the one is given up, the other is on its way back, slowly, and gets there. */
static void a_node_on_its_way_back_is_not_given_up(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 4});

    (void)state;
    s.plan->batches[0] = 2;
    s.plan->max_unavailable = 2;
    s.plan->wait_ms[WAIT_JOB] = s.plan->wait_ms[WAIT_CHANGE] = 60000;
    s.fleet->agents[0].fate = FATE_HANGS;
    s.fleet->peers[1].hold_ms = 60000; /* b waits for its requests when the stop comes; then its agent is away */
    fake_when(s.fleet, "a job r1", 0, fake_signal, 2);
    fake_when(s.fleet, "a job r1", 0, fake_agent_dies, 1);
    fake_when(s.fleet, "a job r1", 8000, fake_agent_lives, 1);
    story_roll(&s);
    story_ends(&s, 3, "AAAA", 0);
    assert_true(s.fleet->now_ms - story_when(&s, "a job r1") > 8000);

    story_says(&s, "b: stopped, in rotation");
    story_end(&s);
}

/* The answer of a request that was under way when its node was given up comes later. */
static void an_answer_that_comes_too_late_does_no_harm(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 4});

    (void)state;
    s.plan->batches[0] = 2;
    s.plan->max_unavailable = 2;
    s.plan->wait_ms[WAIT_CHANGE] = 60000;
    s.fleet->peers[1].hold_ms = 60000;
    fake_world_rule(s.world, (struct fake_rule){ACT_ASK, ASK_JOB, 0, -1, 0, 1, FAULT_LATE, 6000, 0});
    fake_when(s.fleet, "b at lb1/app: drain", 3000, fake_signal, 2);
    fake_when(s.fleet, "b at lb1/app: drain", 3000, fake_agent_dies, 1);
    fake_when(s.fleet, "b at lb1/app: drain", 20000, fake_agent_lives, 1);
    story_roll(&s);
    assert_int_equal(s.code, 3);
    story_says(&s, "a: OUT OF ROTATION; in step job: the rollout was stopped");
    story_all_back_but(&s, 0);
    story_end(&s);
}

/* It is back and well; what is left of the bake is not worth a node out, nor a wait of hours. */
static void a_bake_ends_with_the_5_s_and_the_node_is_no_failure(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.plan->wait_ms[WAIT_BAKE] = 3600000;
    fake_when(s.fleet, "a at lb1/app: open", 1000, fake_signal, 2);
    story_roll(&s);
    story_ends(&s, 130, "BA", -1);
    assert_in_range(s.fleet->now_ms - story_when(&s, "a at lb1/app: open"), 1000 + GRACE_MS, 1000 + GRACE_MS + 100);

    story_end(&s);
}

/* The answer that would lead on comes in the very turn in which the 5 seconds are over. */
static void who_is_given_up_asks_nothing_any_more(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct input lease = {.kind = IN_LEASE, .answer = {.kind = ANS_OK}},
                 status = {.kind = IN_ANSWER, .answer = {.kind = ANS_OK, .claim_fence = 5}};
    struct turn t = {0};
    struct run *r;

    (void)state;
    p->kind = PLAN_REPAIR;
    p->nodes[0].claim_fence = 5;
    r = run_new(p);
    run_turn(r, p, 0, NULL, 0, &t);
    run_turn(r, p, 10, &lease, 1, &t);
    assert_int_equal(run_node(r, 0)->step, STEP_MEND);
    run_stop(r, p, RUN_STOP_PERSON, "a person's", &t);
    turn_clear(&t);
    run_turn(r, p, GRACE_MS, &status, 1, &t);
    assert_int_equal(run_node(r, 0)->step, STEP_OUT);
    assert_int_equal(t.events[0].state.step, STEP_RECLAIM);
    for (size_t i = 0; i < t.n_actions; i++)
        assert_int_not_equal(t.actions[i].kind, ACT_ASK);
    turn_free(&t);
    run_free(&r);
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_takes_longer_than_5_s_is_left_and_named),
        cmocka_unit_test(a_process_that_is_not_healthy_within_5_s_is_left_and_named),
        cmocka_unit_test(a_job_that_is_done_within_5_s_is_finished),
        cmocka_unit_test(a_node_on_its_way_back_is_not_given_up),
        cmocka_unit_test(an_answer_that_comes_too_late_does_no_harm),
        cmocka_unit_test(who_is_given_up_asks_nothing_any_more),
        cmocka_unit_test(a_bake_ends_with_the_5_s_and_the_node_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
