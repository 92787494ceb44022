/* rollout_way_back_case.c - a rollout that fails takes back what it has done: in reverse order, above the floor, and no
 * client feels it. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 90000

static const char *installed(struct stage_fleet *f, unsigned node)
{
    struct stage_answer *a = stage_agent_http(f->node[node].agent, "GET", "/v1/services/app", NULL);

    return stage_json_string(f->stage, a->json, "installed");
}

/* A release that is well on some nodes and ill on this one. */
static const char *ill_on(struct stage_fleet *f, unsigned node)
{
    (void)stage_write(f->stage, stage_text(f->stage, "%s/sick", f->node[node].name), "");
    return stage_server_variant(f->stage, "fickle");
}

static void what_was_upgraded_is_taken_back_and_no_client_feels_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 2);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", ill_on(f, 2), "--failure-action=rollback",
                                                   "--healthy-deadline=2s", NULL});

    stage_rollout_until(s, r, "node3     check", RUN_LIMIT_MS);
    stage_fleet_expect_versions(f, "2211");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 8,
                         STAGE_SAYS("2 taken back", "1 failed, in rotation", "1 not begun",
                                    "the nodes that this rollout changed are taken back",
                                    "node2     check     way back: waits for the agent to say what runs"));
    stage_load_end_whole(s, load);
    stage_fleet_expect_versions(f, "1111");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void one_that_cannot_be_taken_back_is_out_and_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r = stage_fleet_start(
        f, (const char *const[]){"--release", ill_on(f, 1), "--failure-action=rollback", "--healthy-deadline=2s",
                                 "--request-timeout=2s", s->asan ? "--job-timeout=12s" : "--job-timeout=4s", NULL});

    stage_rollout_until(s, r, "node1     handover  way back", RUN_LIMIT_MS);
    stage_agent_stop(f->node[0].agent, SIGKILL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: OUT OF ROTATION", f->node[0].server->peer, "upstream app at lb1",
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_fleet_peer_state(f, 0, 1), "up");
    assert_string_equal(stage_fleet_peer_state(f, 0, 2), "up");
}

/* What cannot be taken back is not even taken out. */
static void one_whose_agent_has_lost_the_release_before_stays_in(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *before = installed(f, 0);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", ill_on(f, 2), "--failure-action=rollback",
                                                   "--healthy-deadline=2s", NULL});

    stage_rollout_until(s, r, "node3     check", RUN_LIMIT_MS);
    assert_int_equal(unlink(stage_text(s, "%s/app/releases/%s", f->node[0].agent->state_dir, before)), 0);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("1 taken back", "node1: failed, in rotation; in step stage",
                                    "its agent has not kept the release before"));
    stage_fleet_expect_versions(f, "211");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Killed on the way back, with one node out, one back and one still to go; the same command again, from an empty disk.
 */
static void kill_at(struct stage *s, const char *what)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    const char *const args[] = {
        "--release",      ill_on(f, 3), "--failure-action=rollback", "--healthy-deadline=2s", "--rollout-id=r-1",
        "--lease-ttl=1s", NULL};
    struct stage_rollout *r = stage_fleet_start(f, args);

    stage_rollout_until(s, r, what, RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    r = stage_fleet_run(f, RUN_LIMIT_MS, args);
    stage_rollout_expect(s, r, 8, NULL);
    stage_fleet_expect_versions(f, "1111");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_way_back_that_was_killed_before_a_job_goes_on(struct stage *s)
{
    kill_at(s, "node2     quiet     way back");
}

static void a_way_back_that_was_killed_behind_a_job_goes_on(struct stage *s)
{
    kill_at(s, "node2     health    way back");
}

static struct stage_rollout *resume(struct stage_fleet *f, const char *release)
{
    return stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"resume", "r-1", "--lease-ttl=1s", "--failure-action=rollback", release, NULL});
}

/* From an empty disk: what goes back is the release, so it must be known. */
static void a_way_back_that_was_killed_says_which_release_its_resume_needs(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    const char *release = stage_text(s, "--release=%s", ill_on(f, 3));
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){release, "--failure-action=rollback", "--healthy-deadline=2s",
                                                   "--rollout-id=r-1", "--lease-ttl=1s", NULL});
    struct stage_run hex =
        stage_run(s, 5000, (const char *const[]){"/usr/bin/sha256sum", release + strlen("--release="), NULL});
    const char *says = stage_text(s,
                                  "node2: rollout r-1 was taking it back from %.12s; to go on with that, name the file "
                                  "of %.12s by --release, and say --failure-action rollback",
                                  hex.out, hex.out);

    stage_rollout_until(s, r, "node2     quiet     way back", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    stage_rollout_expect(s, resume(f, NULL), 3,
                         STAGE_SAYS(says, "node2: out of rotation or its state unknown", "rollout repair --hosts"));
    stage_rollout_expect(s, resume(f, release), 8, NULL);
    stage_fleet_expect_versions(f, "1111");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    stage_rollout_expect(s, resume(f, NULL), 5, STAGE_SAYS(says));
}

static void a_restart_has_nothing_to_roll_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--failure-action=rollback", NULL});

    stage_rollout_expect(s, r, 78, STAGE_SAYS("a restart without --release FILE changes no release"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(what_was_upgraded_is_taken_back_and_no_client_feels_it),
        stage_test(one_that_cannot_be_taken_back_is_out_and_named),
        stage_test(one_whose_agent_has_lost_the_release_before_stays_in),
        stage_test(a_way_back_that_was_killed_before_a_job_goes_on),
        stage_test(a_way_back_that_was_killed_behind_a_job_goes_on),
        stage_test(a_way_back_that_was_killed_says_which_release_its_resume_needs),
        stage_test(a_restart_has_nothing_to_roll_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
