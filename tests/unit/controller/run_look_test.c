/* An effect that is tried again, or comes long after the last look, is judged anew by what the load balancers show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/run_state.h"
#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

static void roll(struct fake_shape shape, void (*set)(struct fake_fleet *, struct fake_world *), int code,
                 const char *not_in_log, const char *in_log)
{
    struct plan *plan = fake_plan(shape);
    struct fake_fleet *fleet = fake_fleet_new(plan);
    struct fake_world *world = fake_world_new(fleet, plan);
    int got;

    set(fleet, world);
    got = fake_rollout(world, NULL);
    assert_string_equal(fleet->judge.breach, "");
    if (not_in_log != NULL)
        assert_null(strstr(fleet->log, not_in_log));
    if (in_log != NULL)
        assert_non_null(strstr(fleet->log, in_log));
    assert_int_equal(got, code);
    fake_world_free(&world);
    fake_fleet_free(&fleet);
    plan_free(&plan);
}

static void drain_hangs_and_b_is_taken_out(struct fake_fleet *f, struct fake_world *w)
{
    fake_world_rule(w, (struct fake_rule){ACT_ASK, ASK_DRAIN, 0, -1, .fault = FAULT_HANG, .ms = 1500});
    fake_when(f, "a claim", 500, fake_peer_closed, 1);
}

static void a_drain_is_not_tried_again_below_the_floor(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, drain_hangs_and_b_is_taken_out, 1, "a at lb1/app: drain", NULL);
}

static void drain_hangs(struct fake_fleet *f, struct fake_world *w)
{
    (void)f;
    fake_world_rule(w, (struct fake_rule){ACT_ASK, ASK_DRAIN, 0, -1, .fault = FAULT_HANG, .ms = 1500});
}

static void a_drain_is_tried_again_where_the_floor_allows_it(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, drain_hangs, 0, NULL, "a at lb1/app: drain");
}

static void drain_hangs_and_a_is_taken_out(struct fake_fleet *f, struct fake_world *w)
{
    fake_world_rule(w, (struct fake_rule){ACT_ASK, ASK_DRAIN, 0, -1, .fault = FAULT_HANG, .ms = 1500});
    fake_when(f, "a claim", 500, fake_peer_closed, 0);
}

static void what_somebody_else_took_down_meanwhile_is_not_put_back(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, drain_hangs_and_a_is_taken_out, 1, "a at lb1/app: ", "a job r1/a/job/1");
}

static void job_hangs_and_a_is_put_back(struct fake_fleet *f, struct fake_world *w)
{
    fake_world_rule(w, (struct fake_rule){ACT_ASK, ASK_JOB, 0, -1, .fault = FAULT_HANG, .ms = 1500});
    fake_when(f, "a at lb1/app: down", 1000, fake_peer_opened, 0);
}

static void a_job_is_not_sent_again_to_a_node_that_somebody_put_back(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, job_hangs_and_a_is_put_back, 1, "a job r1", NULL);
}

static void job_hangs(struct fake_fleet *f, struct fake_world *w)
{
    (void)f;
    fake_world_rule(w, (struct fake_rule){ACT_ASK, ASK_JOB, 0, -1, .fault = FAULT_HANG, .ms = 1500});
}

static void a_job_is_sent_again_while_the_node_is_silent(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, job_hangs, 0, NULL, "a job r1/a/job/1");
}

static void release_is_ill_and_a_is_put_back(struct fake_fleet *f, struct fake_world *w)
{
    (void)w;
    f->agents[0].fate = FATE_ILL;
    fake_when(f, "a job ends", 500, fake_peer_opened, 0);
}

static void nothing_is_undone_on_a_node_that_somebody_put_back(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 3}, release_is_ill_and_a_is_put_back, 3, "undo", NULL);
}

static void r9_takes_a_over_and_puts_it_back(struct fake_fleet *f, struct fake_world *w)
{
    (void)w;
    f->peers[0].hold_ms = 60000;
    fake_when(f, "a at lb1/app: drain", 1000, fake_claim_stolen, 0);
    fake_when(f, "a claim r9", 3000, fake_peer_opened, 0);
}

/* Its drain took too long, and by then it was another run's: that this one left it is neither success nor failure. */
static void what_another_run_took_over_is_not_at_its_goal(void **state)
{
    (void)state;
    roll((struct fake_shape){.nodes = 2}, r9_takes_a_over_and_puts_it_back, 6, "a job", NULL);
}

static void and_the_agent_of_that_one_loses_its_disk(struct fake_fleet *f, struct fake_world *w)
{
    (void)w;
    f->peers[0].hold_ms = 60000;
    fake_when(f, "a at lb1/app: drain", 1000, fake_claim_stolen, 0);
    fake_when(f, "a claim r9", 4000, fake_agent_forgets, 0);
}

/* It knows by then that it has no right any more; the claim would say that its node was out before. */
static void nor_is_it_claimed_again(void **state)
{
    struct plan *plan = fake_plan((struct fake_shape){.nodes = 2});
    struct fake_fleet *fleet;
    struct fake_world *world;

    (void)state;
    plan->lease_ttl_ms = 12000;
    fleet = fake_fleet_new(plan);
    world = fake_world_new(fleet, plan);
    and_the_agent_of_that_one_loses_its_disk(fleet, world);
    (void)fake_rollout(world, NULL);
    assert_false(fleet->agents[0].claim.there);
    fake_world_free(&world);
    fake_fleet_free(&fleet);
    plan_free(&plan);
}

static void nor_has_it_been_taken_back(void **state)
{
    struct plan *plan = fake_plan((struct fake_shape){.nodes = 2});
    struct fake_fleet *fleet;
    struct fake_world *world;

    (void)state;
    plan->rolls_back = true;
    fleet = fake_fleet_new(plan);
    world = fake_world_new(fleet, plan);
    r9_takes_a_over_and_puts_it_back(fleet, world);
    assert_int_equal(fake_rollout(world, NULL), 6);
    fake_world_free(&world);
    fake_fleet_free(&fleet);
    plan_free(&plan);
}

/* A list that was begun before it went back arrives behind that, and says that it drains. Who begins anew would claim
 * that it drained before us, and whoever ends that for us would drain it. */
static void a_list_from_before_our_way_back_is_not_how_it_was_before_us(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct seen_peer draining = {.state = PEER_DRAINING, .exact = true}, up = {.state = PEER_UP, .exact = true};
    struct seen_upstream upstream = {.there = true, .configured = 1, .up = 1};
    struct input list = {.kind = IN_LB,
                         .answer = {.kind = ANS_OK},
                         .upstreams = &upstream,
                         .peers = &draining,
                         .active_exact = true,
                         .one_by_one = true},
                 look = {.kind = IN_LOOK, .answer = {.kind = ANS_OK}, .looked = &up, .mask = 1},
                 drop = {.kind = IN_ANSWER, .answer = {.kind = ANS_OK}},
                 status = {.kind = IN_ANSWER, .answer = {.kind = ANS_OK, .ident = p->nodes[0].surveyed}};
    struct turn t = {0};
    struct run *r = run_new(p);
    struct input lease = {.kind = IN_LEASE, .answer = {.kind = ANS_OK}};

    (void)state;
    p->nodes[0].resumed = true;
    run_turn(r, p, 0, NULL, 0, &t);
    run_turn(r, p, 1, &lease, 1, &t);
    state_lb(r, 0)->reading = true; /* another node waits for it */
    state_lb(r, 0)->began_turn = r->turn;
    state_lb(r, 0)->began_ms = 0;
    state_lb(r, 0)->one_by_one = state_lb(r, 0)->exact = true;
    state_node(r, 0)->step = STEP_SEEN;
    state_node(r, 0)->anew = true;
    state_node(r, 0)->peers_mask = 1;
    state_node(r, 0)->asked = true;
    look_begin(r, 0);
    state_extra(r, 0)->look_asked = 1;
    look.look = run_extra(r, 0)->look_turn;
    run_turn(r, p, 1, &look, 1, &t);
    assert_int_equal(run_node(r, 0)->step, STEP_UNCLAIM);
    run_turn(r, p, 1, &drop, 1, &t);
    assert_int_equal(run_node(r, 0)->step, STEP_CHECK);
    run_turn(r, p, 1, &list, 1, &t);
    run_turn(r, p, 1, &status, 1, &t);
    assert_int_equal(run_node(r, 0)->step, STEP_CLAIM);
    assert_int_equal(run_node(r, 0)->prior_drain_mask, 0);
    turn_free(&t);
    run_free(&r);
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_from_before_our_way_back_is_not_how_it_was_before_us),
        cmocka_unit_test(a_drain_is_not_tried_again_below_the_floor),
        cmocka_unit_test(a_drain_is_tried_again_where_the_floor_allows_it),
        cmocka_unit_test(what_somebody_else_took_down_meanwhile_is_not_put_back),
        cmocka_unit_test(a_job_is_not_sent_again_to_a_node_that_somebody_put_back),
        cmocka_unit_test(a_job_is_sent_again_while_the_node_is_silent),
        cmocka_unit_test(what_another_run_took_over_is_not_at_its_goal),
        cmocka_unit_test(nor_has_it_been_taken_back),
        cmocka_unit_test(nor_is_it_claimed_again),
        cmocka_unit_test(nothing_is_undone_on_a_node_that_somebody_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
