/* A controller that stands still for longer than its leases last, and wakes up behind everybody's back. */
#include "story.h"

#define LB_WAY_MS 5

/* With what it asked for the nth time on its way. */
static struct {
    const struct world_ops *ops;
    struct fake_fleet *fleet;
    enum action_kind kind; /* of what is counted, */
    const char *since;     /* once the log has this, */
    uint32_t nth;          /* up to this, */
    uint32_t asked;        /* so far */
    uint32_t ms;           /* it stands still so long */
    uint32_t stands;       /* agents asked whether what was done still stands, */
    uint32_t at_once, most_at_once;
} sleeper;

static void sleeper_send(struct world *w, const struct action *a)
{
    sleeper.asked += a->kind == sleeper.kind && strstr(sleeper.fleet->log, sleeper.since) != NULL ? 1 : 0;
    if (a->kind == ACT_STANDS) {
        sleeper.stands++;
        sleeper.at_once++;
        sleeper.most_at_once = sleeper.at_once > sleeper.most_at_once ? sleeper.at_once : sleeper.most_at_once;
    }
    sleeper.ops->start(w, a);
}

static size_t sleeper_collect(struct world *w, uint32_t wait_ms, struct input *inputs, size_t capacity,
                              uint32_t *elapsed_ms)
{
    uint32_t before_ms = 0;
    size_t n = 0;

    if (sleeper.asked == sleeper.nth) { /* it has left; a list has been read as well */
        if (sleeper.kind == ACT_READ_LB)
            n = sleeper.ops->collect(w, LB_WAY_MS + 1, inputs, capacity, &before_ms);
        assert_int_equal(n, 0);
        sleeper.asked++;
        fake_fleet_pass(sleeper.fleet, sleeper.fleet->now_ms + sleeper.ms);
    }
    n = sleeper.ops->collect(w, wait_ms, inputs, capacity, elapsed_ms);
    for (size_t i = 0; i < n; i++)
        sleeper.at_once -= inputs[i].kind == IN_STANDS ? 1 : 0;
    *elapsed_ms += before_ms;
    return n;
}

static void sleeper_close(struct world *w)
{
    sleeper.ops->close(w);
}

static struct story asleep_of(uint32_t nodes, enum action_kind kind, const char *since, uint32_t nth)
{
    static const struct world_ops ops = {sleeper_send, sleeper_collect, sleeper_close};
    struct story s = story_begin((struct fake_shape){.nodes = nodes});

    sleeper.ops = s.world->base.ops;
    sleeper.fleet = s.fleet;
    sleeper.kind = kind;
    sleeper.since = since;
    sleeper.nth = nth;
    sleeper.ms = 60000;
    sleeper.asked = sleeper.stands = sleeper.at_once = sleeper.most_at_once = 0;
    s.world->lb_ms = LB_WAY_MS;
    s.fleet->peers[0].hold_ms = 0;
    s.plan->wait_ms[WAIT_DRAIN] = 600000;
    s.world->base.ops = &ops;
    return s;
}

static struct story asleep(enum action_kind kind, const char *since, uint32_t nth)
{
    return asleep_of(2, kind, since, nth);
}

/* With the list that shows the second time that a, which drains, is quiet. */
static struct story asleep_while_it_drains(void)
{
    return asleep(ACT_READ_LB, "a at lb1/app: drain", 2);
}

static void who_was_missed_by_nobody_goes_on(void **state)
{
    struct story s = asleep_while_it_drains();

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    story_says(&s, "we stood still for longer than our claims last");
    story_end(&s);
}

/* Another has ended what this one began, and its nginx has lost the fence that would refuse it. */
static void what_is_anothers_by_now_is_not_taken_down(void **state)
{
    struct story s = asleep_while_it_drains();

    (void)state;
    fake_when(s.fleet, "a at lb1/app: drain", 40000, fake_claim_stolen, 0);
    fake_when(s.fleet, "a at lb1/app: drain", 41000, fake_lb_forgets, 0);
    story_roll(&s);
    assert_int_equal(s.code, 6);
    assert_int_equal(story_logged(&s, ": down"), 0);
    story_end(&s);
}

/* What its agent has lost it does not claim again: the node may be in another's hands. */
static void nor_is_it_claimed_where_its_agent_has_lost_all(void **state)
{
    struct story s = asleep_while_it_drains();

    (void)state;
    fake_when(s.fleet, "a at lb1/app: drain", 40000, fake_lease_stolen, 0);
    fake_when(s.fleet, "a at lb1/app: drain", 41000, fake_agent_forgets, 0);
    story_roll(&s);
    assert_int_equal(s.code, 3); /* nobody else says that it has it */
    assert_int_equal(story_logged(&s, "a claim"), 1);
    story_end(&s);
}

/* The claim that it put again before it slept is told together with its health. */
static size_t renewed_and_well_at_once(struct world *w, uint32_t wait_ms, struct input *inputs, size_t capacity,
                                       uint32_t *elapsed_ms)
{
    static struct input renewed; /* kept back */
    size_t n = sleeper_collect(w, wait_ms, inputs, capacity, elapsed_ms);

    for (size_t i = 0; i < n && sleeper.asked > sleeper.nth; i++)
        if (inputs[i].kind == IN_RENEW && renewed.kind != IN_RENEW) {
            renewed = inputs[i];
            inputs[i].kind = IN_TIME;
        } else if (inputs[i].kind == IN_ANSWER && inputs[i].answer.healthy && sleeper.nth != UINT32_MAX) {
            inputs[i + 1] = inputs[i];
            inputs[i] = renewed;
            sleeper.nth = UINT32_MAX; /* the only time */
            return n + 1;
        }
    return n;
}

/* Its nginx has forgotten it, and it wakes up to both: the claim that lets it be taken down again, and its good health,
 * which waits for that. */
static void who_wakes_up_to_take_it_down_and_back_does_not_wait_for_ever(void **state)
{
    static const struct world_ops ops = {sleeper_send, renewed_and_well_at_once, sleeper_close};
    struct story s = asleep(ACT_RENEW, "a job ends", 1);

    (void)state;
    s.world->base.ops = &ops;
    s.plan->success_threshold = 1;
    s.plan->min_healthy_ms = 0;
    fake_world_rule(s.world, (struct fake_rule){ACT_ASK, ASK_HEALTH, 0, -1, .fault = FAULT_LATE, .ms = 30700});
    fake_when(s.fleet, "a job ends", 100, fake_lb_forgets, 0);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    story_end(&s);
}

/* It sleeps through the rest of a bake, and another puts something else there meanwhile. */
static void a_bake_does_not_pass_asleep(void **state)
{
    struct story s = asleep(ACT_RENEW, "a job ends", 1);

    (void)state;
    s.plan->wait_ms[WAIT_BAKE] = 30000;
    fake_when(s.fleet, "a job ends", 40000, fake_process_restarts, 0);
    story_roll(&s);
    assert_int_equal(s.code, 1);
    story_says(&s, "a: failed its bake, in rotation as it is; in step bake: it fell ill after it was back");
    assert_int_equal(story_logged(&s, "b claim"), 0);
    story_end(&s);
}

/* a is done by then, and b drains. */
static struct story asleep_with_one_done(void)
{
    return asleep(ACT_READ_LB, "b at lb1/app: drain", 2);
}

static void another_takes_it_back(struct fake_fleet *f, uint32_t node)
{
    struct fake_agent *a = &f->agents[node];

    a->installed = FAKE_OLD;
    a->highest = 9;
    (void)snprintf(a->highest_id, sizeof a->highest_id, "r9");
    fake_process_restarts(f, node);
}

static void somebody_puts_the_old_one_there(struct fake_fleet *f, uint32_t node)
{
    f->agents[node].installed = FAKE_OLD;
    fake_process_restarts(f, node);
}

/* It has given all back since, and nginx knows nothing of its fence, as one that has lost its state. */
static void what_another_has_taken_back_is_not_called_done(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    fake_when(s.fleet, "b at lb1/app: drain", 40000, another_takes_it_back, 0);
    story_roll(&s);
    story_ends(&s, 6, "AA", -1);
    story_says(&s, "taken over by another run");
    story_says(&s, "another run took it over with fence 9");
    story_end(&s);
}

static void nor_is_what_has_something_else_by_then(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    fake_when(s.fleet, "b at lb1/app: drain", 40000, somebody_puts_the_old_one_there, 0);
    story_roll(&s);
    story_ends(&s, 6, "AA", -1);
    story_says(&s, "a was done, and while we stood still something else was put there");
    story_end(&s);
}

static void what_still_stands_is_asked_about_once(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(sleeper.stands, 1);
    story_end(&s);
}

/* It was not new any more. */
static void who_stood_still_until_the_lease_had_run_out_asks(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    sleeper.ms = s.plan->lease_ttl_ms - 1000;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(sleeper.stands, 1);
    story_end(&s);
}

static void who_stood_still_while_the_lease_was_good_asks_nobody(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    sleeper.ms = s.plan->lease_ttl_ms / 2;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(sleeper.stands, 0);
    story_end(&s);
}

static void an_agent_that_misses_the_question_is_asked_again(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    fake_world_rule(s.world,
                    (struct fake_rule){ACT_STANDS, ASK_NONE, 0, -1, .times = 2, .fault = FAULT_HANG, .ms = 1000});
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(sleeper.stands, 3);
    story_end(&s);
}

/* All else goes on; in the end it is said, and does not last. */
static void where_an_agent_has_gone_nobody_says_that_all_is_done(void **state)
{
    struct story s = asleep_with_one_done();

    (void)state;
    fake_when(s.fleet, "b at lb1/app: drain", 40000, fake_agent_dies, 0);
    story_roll(&s);
    story_ends(&s, 1, "BB", -1);
    story_says(&s, "nobody could say whether another run took over what was done, such as a, while we stood still");
    assert_true(s.fleet->now_ms < story_when(&s, "b unclaimed") + s.plan->wait_ms[WAIT_CHANGE] + 5000);
    story_end(&s);
}

static void few_agents_are_asked_at_a_time(void **state)
{
    struct story s = asleep_of(FAKE_NODES, ACT_READ_LB, "z at lb1/app: drain", 2);

    (void)state;
    s.plan->batches[0] = s.plan->max_unavailable = 5;
    story_roll(&s);
    assert_int_equal(s.code, 0);
    assert_true(sleeper.stands > 16);
    assert_int_equal(sleeper.most_at_once, 16);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_missed_by_nobody_goes_on),
        cmocka_unit_test(what_is_anothers_by_now_is_not_taken_down),
        cmocka_unit_test(nor_is_it_claimed_where_its_agent_has_lost_all),
        cmocka_unit_test(who_wakes_up_to_take_it_down_and_back_does_not_wait_for_ever),
        cmocka_unit_test(a_bake_does_not_pass_asleep),
        cmocka_unit_test(what_another_has_taken_back_is_not_called_done),
        cmocka_unit_test(nor_is_what_has_something_else_by_then),
        cmocka_unit_test(what_still_stands_is_asked_about_once),
        cmocka_unit_test(who_stood_still_until_the_lease_had_run_out_asks),
        cmocka_unit_test(who_stood_still_while_the_lease_was_good_asks_nobody),
        cmocka_unit_test(an_agent_that_misses_the_question_is_asked_again),
        cmocka_unit_test(where_an_agent_has_gone_nobody_says_that_all_is_done),
        cmocka_unit_test(few_agents_are_asked_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
