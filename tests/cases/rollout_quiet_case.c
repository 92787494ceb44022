/* rollout_quiet_case.c - nobody is restarted under the hands of a client: first drained, then quiet, then the job. */
#include <string.h>
#include <time.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      2500 /* once released */

/* Seconds of CLOCK_REALTIME at a time of stage_now_ms. */
static double wall_s(uint64_t at_ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - ((double)stage_now_ms() - (double)at_ms) / 1000;
}

static void a_node_that_holds_a_request_is_draining(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_hold *hold = stage_hold_start(f, 1, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--limit", "node1", NULL});

    for (unsigned lb = 0; lb < f->n_lbs; lb++)
        stage_fleet_wait_state(f, lb, 0, "draining", RUN_LIMIT_MS);
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, NULL);
    assert_true(stage_fleet_all_up(f));
}

static void a_node_that_holds_a_request_is_restarted_only_when_it_is_answered(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    pid_t before = stage_server_pid(f->node[0].server);
    struct stage_hold *hold = stage_hold_start(f, 1, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--limit", "node1", NULL});
    struct stage_answer *status;

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, NULL);
    status = stage_agent_http(f->node[0].agent, "GET", "/v1/services/app", NULL);
    assert_int_not_equal(stage_server_pid(f->node[0].server), before);
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    assert_true(json_number_value(stage_json(s, status->json, "job.started")) >= wall_s(hold->until_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_node_that_holds_a_request_is_draining),
        stage_test(a_node_that_holds_a_request_is_restarted_only_when_it_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
