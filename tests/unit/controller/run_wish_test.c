/* What people want of a rollout through the agents: heard within a second or so, acted on once, and marked. */
#include "story.h"

static struct story asking(uint32_t nodes)
{
    struct story s = story_begin((struct fake_shape){.nodes = nodes});

    s.plan->wait_ms[WAIT_WISH] = 1000;
    return s;
}

/* Later ones are marks at other agents. */
static int64_t first_taken(const struct story *s)
{
    const char *at = strstr(s->fleet->log, "the wish is taken");

    if (at == NULL) {
        story_tell(s);
        fail_msg("no wish was taken");
        return 0;
    }
    while (at > s->fleet->log && at[-1] != '\n')
        at--;
    return (int64_t)(strtod(at, NULL) * 1000 + 0.5);
}

static void a_pause_is_heard_within_a_second_and_marked(void **state)
{
    struct story s = asking(4);

    (void)state;
    fake_when(s.fleet, "a job r1", 0, fake_pause_wished, FAKE_EVERYBODY);
    story_roll(&s);
    story_ends(&s, 7, "BAAA", -1);
    story_all_back_but(&s, -1);
    assert_in_range(first_taken(&s) - story_when(&s, "somebody wants"), 0, 1100);
    assert_int_equal(story_logged(&s, "in vain"), 0);
    story_says(&s, "stopping  paused by ann@desk; `rollout resume r1` goes on");
    story_end(&s);
}

static void an_abort_turns_nodes_round_as_a_signal_does(void **state)
{
    struct story s = asking(3);

    (void)state;
    s.fleet->peers[0].hold_ms = 60000;
    fake_when(s.fleet, "a at lb1/app: drain", 500, fake_abort_wished, FAKE_EVERYBODY);
    story_roll(&s);
    story_ends(&s, 130, "AAA", -1);
    story_all_back_but(&s, -1);
    story_says(&s, "stopping  aborted by ann@desk");
    assert_true(story_logged(&s, "the wish is taken") >= 1);
    story_end(&s);
}

static void a_promotion_goes_on_where_it_waits(void **state)
{
    struct story s = asking(3);

    (void)state;
    s.plan->canary = s.plan->pause_after = 1;
    fake_when(s.fleet, "a unclaimed", 30000, fake_promote_wished, FAKE_EVERYBODY);
    story_roll(&s);
    story_ends(&s, 0, "BBB", -1);
    story_before(&s, "somebody wants to promote", "b claim");
    assert_in_range(story_when(&s, "b claim") - story_when(&s, "somebody wants to promote"), 0, 1400);
    story_says(&s, "promoted  by ann@desk");
    story_end(&s);
}

static void a_promotion_in_vain_is_marked_as_that(void **state)
{
    struct story s = asking(3);

    (void)state;
    fake_when(s.fleet, "a job r1", 0, fake_promote_wished, FAKE_EVERYBODY);
    story_roll(&s);
    story_ends(&s, 0, "BBB", -1);
    assert_true(story_logged(&s, "the wish is taken, in vain") >= 1);
    story_end(&s);
}

/* It waits for the leases alone when the wish comes; who wished is told all the same, before it ends. */
static void it_does_not_end_before_the_wish_is_marked(void **state)
{
    struct story s = asking(3);

    (void)state;
    s.plan->canary = s.plan->pause_after = 1;
    s.world->agent_ms = 400; /* far away */
    fake_when(s.fleet, "a unclaimed", 20000, fake_pause_wished, FAKE_EVERYBODY);
    story_roll(&s);
    story_ends(&s, 7, "BAA", -1);
    story_before(&s, "lease free", "the wish is taken");
    story_end(&s);
}

/* The agent is gone as soon as it has told the wish: that is not waited for without end. */
static void a_mark_that_cannot_be_set_is_given_up(void **state)
{
    struct story s = asking(2);

    (void)state;
    s.plan->canary = s.plan->pause_after = 1;
    fake_when(s.fleet, "a unclaimed", 5000, fake_pause_wished, 0);
    /* of the questions to a, those from the mark on; it is asked every other second, first after one */
    fake_world_rule(s.world, (struct fake_rule){ACT_WISH, ASK_NONE, 0, -1, 5, 1000, FAULT_HANG, 60000, 0});
    story_roll(&s);
    assert_int_equal(s.code, 7);
    assert_int_equal(story_logged(&s, "the wish is taken"), 0);
    assert_in_range(s.fleet->now_ms - story_when(&s, "lease free"), 2500, 3100);
    story_end(&s);
}

/* The agents that do not answer: the others are asked in turn. */
static void dead_agents_do_not_keep_a_wish_from_being_heard(void **state)
{
    struct story s = asking(6);

    (void)state;
    for (int32_t i = 2; i < 5; i++)
        fake_world_rule(s.world, (struct fake_rule){ACT_WISH, ASK_NONE, i, -1, 0, 1000, FAULT_HANG, 30000, 0});
    fake_when(s.fleet, "a job r1", 0, fake_pause_wished, FAKE_EVERYBODY);
    story_roll(&s);
    assert_int_equal(s.code, 7);
    assert_in_range(first_taken(&s) - story_when(&s, "somebody wants"), 0, 4200);
    story_end(&s);
}

static void a_wish_from_before_it_began_is_not_meant_for_it(void **state)
{
    struct story s = asking(2);

    (void)state;
    fake_abort_wished(s.fleet, FAKE_EVERYBODY);
    s.fleet->agents[0].wish.put_ms = s.fleet->agents[1].wish.put_ms = -1;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "the wish is taken"), 0);
    story_end(&s);
}

static void one_that_came_while_the_command_looked_round_is(void **state)
{
    struct story s = asking(2);

    (void)state;
    fake_abort_wished(s.fleet, FAKE_EVERYBODY);
    s.fleet->agents[0].wish.put_ms = s.fleet->agents[1].wish.put_ms = -900;
    s.world->age_ms = 1000;
    story_roll(&s);
    assert_int_equal(s.code, 130);
    story_end(&s);
}

/* Nobody is asked, but the claim of the one node is renewed: that is answered with it. */
static void a_renewed_claim_brings_the_wish_too(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3});

    (void)state;
    s.plan->lease_ttl_ms = 3000;
    s.fleet->agents[0].job_takes_ms = 4000;
    fake_when(s.fleet, "a job r1", 0, fake_pause_wished, 0);
    story_roll(&s);
    story_ends(&s, 7, "BAA", -1);
    assert_in_range(first_taken(&s) - story_when(&s, "somebody wants"), 0, 1100);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_is_heard_within_a_second_and_marked),
        cmocka_unit_test(an_abort_turns_nodes_round_as_a_signal_does),
        cmocka_unit_test(a_promotion_goes_on_where_it_waits),
        cmocka_unit_test(a_promotion_in_vain_is_marked_as_that),
        cmocka_unit_test(it_does_not_end_before_the_wish_is_marked),
        cmocka_unit_test(a_mark_that_cannot_be_set_is_given_up),
        cmocka_unit_test(dead_agents_do_not_keep_a_wish_from_being_heard),
        cmocka_unit_test(a_wish_from_before_it_began_is_not_meant_for_it),
        cmocka_unit_test(one_that_came_while_the_command_looked_round_is),
        cmocka_unit_test(a_renewed_claim_brings_the_wish_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
