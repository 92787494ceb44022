/* A controller that stands still for longer than its leases last, and wakes up behind everybody's back. */
#include "story.h"

#define LB_WAY_MS 5

/* With the list on its way that shows the second time that a, which drains, is quiet. */
static struct {
    const struct world_ops *ops;
    struct fake_fleet *fleet;
    uint32_t reads; /* of the load balancer since the drain */
} sleeper;

static void sleeper_send(struct world *w, const struct action *a)
{
    sleeper.reads += a->kind == ACT_READ_LB && strstr(sleeper.fleet->log, "a at lb1/app: drain") != NULL ? 1 : 0;
    sleeper.ops->start(w, a);
}

static size_t sleeper_collect(struct world *w, uint32_t wait_ms, struct input *inputs, size_t capacity,
                              uint32_t *elapsed_ms)
{
    uint32_t before_ms = 0;
    size_t n = 0;

    if (sleeper.reads == 2) { /* it has been read, and is on its way back */
        n = sleeper.ops->collect(w, LB_WAY_MS + 1, inputs, capacity, &before_ms);
        assert_int_equal(n, 0);
        sleeper.reads++;
        fake_fleet_pass(sleeper.fleet, sleeper.fleet->now_ms + 60000);
    }
    n = sleeper.ops->collect(w, wait_ms, inputs, capacity, elapsed_ms);
    *elapsed_ms += before_ms;
    return n;
}

static void sleeper_close(struct world *w)
{
    sleeper.ops->close(w);
}

static struct story asleep(void)
{
    static const struct world_ops ops = {sleeper_send, sleeper_collect, sleeper_close};
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    sleeper.ops = s.world->base.ops;
    sleeper.fleet = s.fleet;
    sleeper.reads = 0;
    s.world->lb_ms = LB_WAY_MS;
    s.fleet->peers[0].hold_ms = 0;
    s.plan->wait_ms[WAIT_DRAIN] = 600000;
    s.world->base.ops = &ops;
    return s;
}

static void who_was_missed_by_nobody_goes_on(void **state)
{
    struct story s = asleep();

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    story_says(&s, "we stood still for longer than our leases last");
    story_end(&s);
}

/* Another has ended what this one began, and its nginx has lost the fence that would refuse it. */
static void what_is_anothers_by_now_is_not_taken_down(void **state)
{
    struct story s = asleep();

    (void)state;
    fake_when(s.fleet, "a at lb1/app: drain", 40000, fake_claim_stolen, 0);
    fake_when(s.fleet, "a at lb1/app: drain", 41000, fake_lb_forgets, 0);
    story_roll(&s);
    assert_int_equal(s.code, 6);
    assert_int_equal(story_logged(&s, ": down"), 0);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_missed_by_nobody_goes_on),
        cmocka_unit_test(what_is_anothers_by_now_is_not_taken_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
