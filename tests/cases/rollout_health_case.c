/* rollout_health_case.c - what a healthy answer is, and who asks for it: the agent, or the controller itself. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

static struct stage_rollout *upgrade(struct stage_fleet *f, const char *variant, const char *const *more)
{
    const char *args[16] = {"--release", stage_server_variant(f->stage, variant), "--healthy-deadline=3s"};
    size_t n = 3;

    for (; *more != NULL && n < 15; more++)
        args[n++] = *more;
    return stage_fleet_start(f, args);
}
#define UPGRADE(f, variant, ...) upgrade(f, variant, (const char *const[]){__VA_ARGS__, NULL})

/* Each node with an URL for the controller: its service's `path`. */
static void use_urls(struct stage_fleet *f, const char *path)
{
    struct stage *s = f->stage;
    const char *text = stage_text(s, "[lb]\nlb1 rollout_api=%s\n[web]\n", f->lb[0]->api);

    for (unsigned i = 0; i < f->n_nodes; i++)
        text = stage_text(s, "%s%s ansible_host=127.0.0.1 rollout_agent=https://{host}:%u rollout_health_url=%s%s\n",
                          text, f->node[i].name, f->node[i].agent->port, f->node[i].server->url, path);
    f->hosts = stage_write(s, "hosts-urls", stage_text(s, "%s[web:vars]\nrollout_service=app\n", text));
}

static void expect_all_upgraded(struct stage_fleet *f, struct stage_rollout *r)
{
    stage_rollout_end(f->stage, r, RUN_LIMIT_MS);
    stage_rollout_expect(f->stage, r, 0, STAGE_SAYS("2 upgraded"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void the_agent_matches_status_and_body(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    expect_all_upgraded(f, UPGRADE(f, "v2", "--health-status=200", "--health-body=ok"));
}

/* "sick" answers 503 to every check, and for once that is what is wanted. */
static void a_status_beyond_2xx_may_be_the_healthy_one(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    expect_all_upgraded(f, UPGRADE(f, "sick", "--health-status=503-503", "--health-body=sick"));
}

/* Neither the release nor, then, what ran before says it: so nobody vouches for the node, and it is named. */
static void an_answer_with_another_body_is_not_healthy(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = UPGRADE(f, "v2", "--health-body=splendid");

    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3, STAGE_SAYS("node1: OUT OF ROTATION", "without \"splendid\"", "1 not begun"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_fleet_peer_state(f, 0, 1), "up");
}

/* What the agent's own URL never says: the controller has asked. */
static void the_controller_asks_by_itself(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    use_urls(f, "/version");
    expect_all_upgraded(f, UPGRADE(f, "v2", "--health-from=controller", "--health-body=2"));
}

static void a_release_that_is_ill_by_the_controllers_check_is_taken_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;

    use_urls(f, "/healthz");
    r = UPGRADE(f, "sick", "--health-from=controller");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("node1: failed, in rotation", "it answered 503, not 200-299", "1 not begun"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static bool first_is_alone(void *ctx)
{
    const struct stage_fleet *f = ctx;

    return stage_server_count(f->node[0].server) == 1;
}

/* The same port answers, as healthy as ever: but it is another process than the job brought. */
static void the_controllers_check_is_of_the_process_that_the_job_brought(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r;

    use_urls(f, "/healthz");
    r = stage_fleet_start(f, (const char *const[]){"--health-from=controller", "--min-healthy-time=5s", NULL});
    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_wait_until(s, first_is_alone, f, 4000, "one process to serve node1");
    assert_int_equal(kill(stage_server_pid(f->node[0].server), SIGUSR2), 0);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 1, STAGE_SAYS("node1: failed, in rotation", "the process that runs is not the one", "1 not begun"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_true(stage_fleet_all_up(f));
}

static void an_url_that_asks_somebody_else_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r;

    r = UPGRADE(f, "v2", "--health-from=controller", "--health-url=http://127.0.0.1:1/healthz");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 78, STAGE_SAYS("the health URL of node2: it is also that of node1"));
    r = UPGRADE(f, "v2", "--health-from=controller", "--health-url=http://127.0.0.1:1/{host}");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 5,
                         STAGE_SAYS("node1: its service does not listen on 127.0.0.1:1", "nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_agent_matches_status_and_body),
        stage_test(a_status_beyond_2xx_may_be_the_healthy_one),
        stage_test(an_answer_with_another_body_is_not_healthy),
        stage_test(the_controller_asks_by_itself),
        stage_test(a_release_that_is_ill_by_the_controllers_check_is_taken_back),
        stage_test(the_controllers_check_is_of_the_process_that_the_job_brought),
        stage_test(an_url_that_asks_somebody_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
