/* rollout_drain_case.c - no process is touched before nginx holds no more requests to it, whatever nginx goes through
 * meanwhile; and what happens where requests do not end. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      2000 /* once released */

static const char *pid_text(struct stage *s, pid_t pid)
{
    return stage_text(s, "from pid %d.", pid);
}

/* Its request was answered, whole, by the process that served when it came. */
static void assert_answered_by(struct stage_hold *h, pid_t pid)
{
    const char *answer = stage_hold_end(h);

    assert_non_null(strstr(answer, "200 OK"));
    assert_non_null(strstr(answer, pid_text(h->stage, pid)));
}

static void expect_restarted(struct stage_fleet *f, struct stage_rollout *r)
{
    stage_rollout_end(f->stage, r, RUN_LIMIT_MS);
    stage_rollout_expect(f->stage, r, 0, STAGE_SAYS("2 nodes: 2 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_node_is_not_restarted_before_its_requests_ended(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *holds[] = {stage_hold_start(f, 0, 0, 1000), stage_hold_start(f, 1, 0, 2000)};
    struct stage_rollout *r = stage_fleet_start(f, NULL);

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_hold_release(holds[0]);
    stage_hold_release(holds[1]);
    stage_rollout_until(s, r, "node1     job", RUN_LIMIT_MS);
    assert_true(stage_hold_answered(holds[0]));
    assert_true(stage_hold_answered(holds[1]));
    assert_answered_by(holds[0], before.pid[0]);
    assert_answered_by(holds[1], before.pid[0]);
    expect_restarted(f, r);
}

static void a_node_that_drains_gets_nothing_new(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    for (unsigned i = 0; i < 20; i++) {
        struct stage_answer *a =
            stage_http(s, "GET", stage_text(s, "%s/sleep/?duration=0s", f->lb[i % 2]->url), NULL, NULL);

        assert_int_equal(a->status, 200);
        assert_non_null(strstr(a->body, pid_text(s, before.pid[1])));
    }
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    assert_string_equal(stage_fleet_peer_state(f, 1, 0), "draining");
    assert_false(stage_hold_answered(hold));
    assert_answered_by(hold, before.pid[0]);
    expect_restarted(f, r);
}

/* The old worker still holds the request; the new one's list must not make it forgotten. */
static void a_reload_in_mid_drain_does_not_end_the_wait(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_nginx_reload(f->lb[0]);
    assert_false(stage_hold_answered(hold));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    stage_rollout_until(s, r, "node1     job", RUN_LIMIT_MS);
    assert_true(stage_hold_answered(hold));
    assert_answered_by(hold, before.pid[0]);
    expect_restarted(f, r);
}

/* Reloaded before the rollout begins: what the old worker holds was never in a drain of ours. */
static void a_request_of_a_worker_from_before_a_reload_is_waited_for(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r;

    stage_nginx_reload(f->lb[0]);
    r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_hold_release(hold);
    stage_rollout_until(s, r, "node1     job", RUN_LIMIT_MS);
    assert_true(stage_hold_answered(hold));
    assert_answered_by(hold, before.pid[0]);
    expect_restarted(f, r);
}

/* ---- requests that do not end */

static void past_the_drain_timeout_the_node_goes_back_untouched(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--drain-timeout=1s", NULL});

    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("node1: failed, in rotation", "did not end within the drain timeout",
                                    "1 request, the first of them at lb1", "1 not begun"));
    assert_false(stage_hold_answered(hold));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_answered_by(hold, before.pid[0]);
}

/* Whether its requests have ended does not matter then: it is not out any more, and that is what is told. */
static void a_peer_that_somebody_puts_back_in_mid_drain_is_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=2s", NULL});
    const char *server = stage_text(s, "%s/9/http/upstreams/app/servers/%d", f->lb[1]->api,
                                    (int)stage_json_int(s, stage_fleet_peer(f, 1, 0), "id"));

    stage_rollout_until(s, r, "node1     quiet     still waits: 1 request", RUN_LIMIT_MS);
    assert_int_equal(stage_http(s, "PATCH", server, NULL, "{\"drain\":false}")->status, 200);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 1,
        STAGE_SAYS("node1: stopped, in rotation",
                   stage_text(s, "somebody else put %s back at lb2 while it was out", f->node[0].server->peer)));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_true(stage_fleet_all_up(f));
}

static void with_proceed_the_rollout_goes_on_and_the_old_process_answers_still(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--drain-timeout=1s", "--on-drain-timeout=proceed", NULL});

    stage_rollout_until(s, r, "node1     job", RUN_LIMIT_MS);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_false(stage_hold_answered(hold));
    expect_restarted(f, r);
    assert_answered_by(hold, before.pid[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_node_is_not_restarted_before_its_requests_ended),
        stage_test(a_node_that_drains_gets_nothing_new),
        stage_test(a_reload_in_mid_drain_does_not_end_the_wait),
        stage_test(a_request_of_a_worker_from_before_a_reload_is_waited_for),
        stage_test(past_the_drain_timeout_the_node_goes_back_untouched),
        stage_test(a_peer_that_somebody_puts_back_in_mid_drain_is_named),
        stage_test(with_proceed_the_rollout_goes_on_and_the_old_process_answers_still),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
