/* agent_metrics_case.c - a node that is out is told of, in the log and to a Prometheus, over a restart of the agent
 * too; and so is how its jobs ended. */
#include <signal.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/prom.h"

static const char *metrics(struct stage_agent *a)
{
    struct stage_answer *r = stage_agent_http(a, "GET", "/metrics", NULL);

    assert_status(r, 200);
    if (prom_bad_line(r->body) != NULL)
        fail_msg("no metrics: %s", prom_bad_line(r->body));
    assert_non_null(strstr(r->headers, "text/plain; version=0.0.4"));
    return r->body;
}

static long long out_s(struct stage_agent *a)
{
    return prom_value(metrics(a), "rollout_node_out_seconds{service=\"app\"}");
}

struct telling {
    struct stage_agent *agent;
    const char *text;
    unsigned times;
};

static bool is_told(void *ctx)
{
    const struct telling *t = ctx;
    const char *at = stage_read(t->agent->stage, t->agent->proc->out_path);
    unsigned times = 0;

    for (; (at = strstr(at, t->text)) != NULL; at++)
        times++;
    return times >= t->times;
}

static bool is_long_out(void *ctx)
{
    return out_s(ctx) >= 3;
}

static void a_node_that_is_out_is_told_of_again_and_again(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, false, "[agent]\nout-interval = 100ms\n");

    assert_int_equal(out_s(a), 0);
    assert_status(put_claim(a, "r", 4, 0, 2), 200);
    stage_wait_until(s, is_told, &(struct telling){a, "event=node_is_out service=app rollout=r fence=4", 3}, 10000,
                     "three lines in the log");
    stage_wait_until(s, is_told, &(struct telling){a, "claim=run_out", 2}, 10000, "lines of a claim that has run out");
    stage_wait_until(s, is_long_out, a, 10000, "3 s of being out");
    assert_int_equal(prom_value(metrics(a), "rollout_agent_claim_left_seconds{service=\"app\"}"), 0);

    stage_agent_stop(a, SIGTERM); /* it does not begin anew with the agent */
    stage_agent_again(a);
    assert_true(out_s(a) >= 3);
    assert_status(drop_claim(a, "r", 4), 200);
    assert_int_equal(out_s(a), 0);
    assert_int_equal(prom_value(metrics(a), "rollout_agent_fence{service=\"app\"}"), 4);
}

static void jobs_are_counted_by_their_outcome(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, false, "ready-timeout = 3s\n");
    const char *bad = stage_server_variant(s, "exit"), *hex = stage_sha256(s, bad);

    assert_status(put_claim(a, "r", 1, 0, 60), 200);
    assert_status(post_job(a, "r/1", "r", 1, "restart", NULL), 202);
    assert_status(wait_job(a, "r/1"), 200);
    assert_status(put_release(a, hex, bad), 201);
    assert_status(post_job(a, "r/2", "r", 1, "upgrade", hex), 202);
    assert_status(wait_job(a, "r/2"), 200);
    assert_int_equal(prom_value(metrics(a), "rollout_agent_jobs_total{service=\"app\",outcome=\"ok\"}"), 1);
    assert_int_equal(prom_value(metrics(a), "rollout_agent_jobs_total{service=\"app\",outcome=\"no_successor\"}"), 1);
    assert_int_equal(prom_value(metrics(a), "rollout_agent_job_running{service=\"app\"}"), 0);
    assert_true(prom_value(metrics(a), "rollout_agent_certificate_expiry_timestamp_seconds") > 1700000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_node_that_is_out_is_told_of_again_and_again),
        stage_test(jobs_are_counted_by_their_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
