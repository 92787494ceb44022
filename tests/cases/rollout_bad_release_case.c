/* rollout_bad_release_case.c - a release that does not work: the rollout stops at its first node, which serves its old
 * version again; the others are never touched. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

static const char *installed(struct stage_fleet *f, unsigned node)
{
    struct stage_answer *a = stage_agent_http(f->node[node].agent, "GET", "/v1/services/app", NULL);

    return stage_json_string(f->stage, a->json, "installed");
}

static bool first_is_alone(void *ctx)
{
    const struct stage_fleet *f = ctx;

    return stage_server_count(f->node[0].server) == 1;
}

/* The fleet as it was, but for the pid of the first node; then a good release rolls. */
static void assert_as_before(struct stage_fleet *f, const struct stage_pids *before, const char *file)
{
    assert_int_equal(stage_fleet_at_version(f, "1"), f->n_nodes);
    assert_true(stage_fleet_same_pids(f, before) >= f->n_nodes - 1);
    for (unsigned i = 1; i < f->n_nodes; i++)
        assert_int_equal(stage_server_pid(f->node[i].server), before->pid[i]);
    stage_wait_until(f->stage, first_is_alone, f, 10000, "one process to serve node1");
    assert_string_equal(installed(f, 0), file);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void assert_good_release_rolls(struct stage_fleet *f)
{
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(f->stage, "v2"), NULL});

    stage_rollout_expect(f->stage, r, 0, NULL);
    assert_int_equal(stage_fleet_at_version(f, "2"), f->n_nodes);
    assert_true(stage_fleet_all_up(f));
}

static void expect_stop(struct stage *s, const char *release, const char *text)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    const char *file = installed(f, 0);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--release", release, "--healthy-deadline", "5s", "--success-threshold",
                                              "2", "--job-timeout", "20s", NULL});

    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("1 failed, in rotation", "1 not begun", "node1: failed, in rotation", text));
    assert_as_before(f, &before, file);
    assert_good_release_rolls(f);
}

static void one_that_ends_at_once_leaves_the_old_one_serving(struct stage *s)
{
    expect_stop(s, stage_server_variant(s, "exit"), "the new process exited with status 1 before it was ready");
}

static void one_that_hangs_leaves_the_old_one_serving(struct stage *s)
{
    expect_stop(s, stage_server_variant(s, "hang"), "handover");
}

static void one_that_never_gets_healthy_is_taken_back(struct stage *s)
{
    expect_stop(s, stage_server_variant(s, "sick"), "healthy");
}

static void one_that_is_no_program_leaves_the_old_one_serving(struct stage *s)
{
    const char *release = stage_write(s, "garbage", "this is no program\n");

    (void)chmod(release, 0755);
    expect_stop(s, release, "not_executable"); /* and never installed */
}

/* Upload, drain, handover, ill health and the way back: none of it is felt by a client. */
static void a_release_that_stays_sick_costs_no_request(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"--release", stage_server_variant(s, "sick"), "--healthy-deadline=5s", NULL});

    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: failed, in rotation"));
    stage_load_end_whole(s, load);
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
}

/* Somebody else restarts it, under the eyes of the health checks: not what the job reported, so nobody vouches for it.
 */
static void a_process_that_the_job_did_not_bring_is_not_taken_for_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--min-healthy-time=5s", NULL});

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_wait_until(s, first_is_alone, f, 4000, "one process to serve node1");
    assert_int_equal(kill(stage_server_pid(f->node[0].server), SIGUSR2), 0);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 1, STAGE_SAYS("node1: failed, in rotation", "the process that runs is not the one", "1 not begun"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* What ran is in no file any more when the rollout begins; it serves again all the same. */
static void one_over_a_file_that_somebody_replaced_is_taken_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;

    stage_server_install(f->node[0].server, "v2");
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--limit=node1", NULL});
    stage_rollout_expect(s, r, 5, STAGE_SAYS("node1: the installed executable", "nothing was changed"));
    r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"--release", stage_server_variant(s, "sick"), "--healthy-deadline", "2s", NULL});
    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: failed, in rotation", "1 not begun"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* What the plan names by its hash is what comes to a node, or nothing. */
static void a_file_that_goes_or_changes_under_the_rollout_stops_it(struct stage *s)
{
    static const struct {
        const char *variant, *says; /* NULL: the file goes */
    } rows[] = {{NULL, "cannot read the release"}, {"exit", "hash_mismatch"}};
    struct stage_fleet *f = stage_fleet(s, 3, 1);

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *file = stage_copy(s, stage_server_variant(s, "v2"), "release");
        struct stage_rollout *r =
            stage_fleet_start(f, (const char *const[]){"--release", file, "--min-healthy-time=500ms",
                                                       i == 0 ? "--limit=node1,node2" : "--limit=node2,node3", NULL});

        stage_rollout_until(s, r, stage_text(s, "node%u     health", i + 1), RUN_LIMIT_MS);
        if (rows[i].variant == NULL)
            assert_int_equal(unlink(file), 0);
        else
            (void)stage_copy(s, stage_server_variant(s, rows[i].variant), "release");
        stage_rollout_end(s, r, RUN_LIMIT_MS);
        stage_rollout_expect(
            s, r, 1, STAGE_SAYS("1 upgraded", stage_text(s, "node%u: failed, in rotation", i + 2), rows[i].says));
        assert_int_equal(stage_fleet_at_version(f, "2"), i + 1);
        assert_true(stage_fleet_all_up(f));
        assert_true(stage_fleet_is_free(f));
    }
}

/* The release before cannot come back: the node stays out, and is named. */
static void a_node_that_cannot_go_back_is_named_with_exit_3(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "sick"), "--healthy-deadline",
                                                   "5s", "--request-timeout", "2s", "--job-timeout", "6s", NULL});

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_agent_stop(f->node[0].agent, SIGKILL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: OUT OF ROTATION", f->node[0].server->peer, "upstream app at lb1",
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_fleet_peer_state(f, 0, 1), "up");
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(one_that_ends_at_once_leaves_the_old_one_serving),
        stage_test(one_that_hangs_leaves_the_old_one_serving),
        stage_test(one_that_never_gets_healthy_is_taken_back),
        stage_test(one_that_is_no_program_leaves_the_old_one_serving),
        stage_test(a_release_that_stays_sick_costs_no_request),
        stage_test(a_process_that_the_job_did_not_bring_is_not_taken_for_it),
        stage_test(one_over_a_file_that_somebody_replaced_is_taken_back),
        stage_test(a_file_that_goes_or_changes_under_the_rollout_stops_it),
        stage_test(a_node_that_cannot_go_back_is_named_with_exit_3),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
