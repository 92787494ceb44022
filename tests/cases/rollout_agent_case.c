/* rollout_agent_case.c - agents that die under a rollout: what they keep on disk is enough to go on, and where nobody
 * can say what runs, the node stays out and is named. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

static void restart_agent(struct stage_agent *a)
{
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
}

static void one_that_is_restarted_while_its_node_drains_costs_nothing(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r;

    r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    restart_agent(f->node[0].agent);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void one_that_is_restarted_in_mid_job_puts_the_old_release_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "hang"), NULL});

    stage_rollout_until(s, r, "node1     handover", RUN_LIMIT_MS);
    restart_agent(f->node[0].agent);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: failed, in rotation", "1 not begun"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v2"), NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 upgraded"));
}

static void one_that_dies_while_its_node_drains_leaves_it_named_and_repairable(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r;

    r = stage_fleet_start(f,
                          (const char *const[]){"--drain-timeout=10s", "--request-timeout=3s", "--lease-ttl=2s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_agent_stop(f->node[0].agent, SIGKILL);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: OUT OF ROTATION", "upstream app at lb1", "upstream app at lb2",
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_string_equal(stage_fleet_peer_state(f, 0, 1), "up");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 3,
                         STAGE_SAYS("node node1", "belongs to no node whose agent was asked and answered"));
    stage_agent_again(f->node[0].agent);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0, NULL);
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void one_that_dies_before_its_turn_stops_the_rollout_and_its_node_serves_on(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r;

    r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", "--request-timeout=3s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_agent_stop(f->node[1].agent, SIGKILL);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("1 restarted", "node2: failed, in rotation", "its agent did not answer"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_true(stage_fleet_all_up(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(one_that_is_restarted_while_its_node_drains_costs_nothing),
        stage_test(one_that_is_restarted_in_mid_job_puts_the_old_release_back),
        stage_test(one_that_dies_while_its_node_drains_leaves_it_named_and_repairable),
        stage_test(one_that_dies_before_its_turn_stops_the_rollout_and_its_node_serves_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
