/* rollout_failure_case.c - what a rollout does beyond its first failure: how many may fail, and who goes on. */
#include <signal.h>
#include <string.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 90000

static void with_continue_the_others_go_on(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--failure-action",
                                                   "continue", "--request-timeout=2s", NULL});

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_agent_stop(f->node[1].agent, SIGKILL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("2 upgraded", "1 failed, in rotation", "node2: failed, in rotation"));
    stage_load_end_whole(s, load);
    stage_fleet_expect_versions(f, "212");
    assert_true(stage_fleet_all_up(f));
}

static void one_more_than_max_failures_ends_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"--release", stage_server_variant(s, "exit"), "--max-failures", "1", NULL});

    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("2 failed, in rotation", "1 not begun", "2 nodes have failed",
                                    "node1: failed, in rotation", "node2: failed, in rotation"));
    assert_int_equal(stage_server_pid(f->node[2].server), before.pid[2]);
    stage_fleet_expect_versions(f, "111");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(with_continue_the_others_go_on),
        stage_test(one_more_than_max_failures_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
