/* rollout_rollback_case.c - `rollout rollback`: each node goes back to the release before, which its agent has kept. */
#include <signal.h>
#include <string.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 90000

static void upgrade(struct stage_fleet *f, const char *variant)
{
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(f->stage, variant), NULL});

    stage_rollout_expect(f->stage, r, 0, NULL);
}

static struct stage_rollout *rollback(struct stage_fleet *f, const char *id, const char *limit)
{
    return stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"rollback", "--rollout-id", id, limit, NULL});
}

/* No file is named, no byte is brought; the agents were stopped and started since. */
static void the_fleet_goes_back_and_no_client_feels_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_load *load;
    struct stage_rollout *r;
    struct stage_pids before;

    upgrade(f, "v2");
    for (unsigned i = 0; i < f->n_nodes; i++) {
        stage_agent_stop(f->node[i].agent, SIGTERM);
        stage_agent_again(f->node[i].agent);
    }
    load = stage_load_start_fleet(f);
    r = rollback(f, "back-1", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 taken back", "node1: back "));
    stage_load_end_whole(s, load);
    r = stage_rollout(s, RUN_LIMIT_MS,
                      (const char *const[]){"history", stage_text(s, "--state=%s", r->state_dir), NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("rollback of app on 3 nodes"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 3);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));

    before = stage_fleet_pids(f);
    r = rollback(f, "back-1", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes were taken back by back-1 already; nothing to do"));
    r = rollback(f, "back-2", NULL); /* version 1 was installed by hand: there is nothing before it */
    stage_rollout_expect(s, r, 5, STAGE_SAYS("node1: its agent knows no release before", "nothing was changed"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 3);
}

/* Of three releases each run goes back one; a run that is repeated goes on with what is left, and takes none too far.
 */
static void a_second_run_of_the_same_id_goes_on_with_what_is_left(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;

    upgrade(f, "v2");
    upgrade(f, "fickle");
    r = rollback(f, "back-1", "--limit=node1");
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 taken back"));
    r = rollback(f, "back-1", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 taken back", "1 already there"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
    r = rollback(f, "back-2", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 taken back"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_node_that_knows_no_release_before_is_refused_and_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *picture;
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"--limit=node1", "--release", stage_server_variant(s, "v2"), NULL});

    stage_rollout_expect(s, r, 0, NULL);
    picture = stage_fleet_picture(f);
    r = rollback(f, "back-1", NULL);
    stage_rollout_expect(s, r, 5,
                         STAGE_SAYS("node2: its agent knows no release before", "take the host out with --limit"));
    assert_string_equal(stage_fleet_picture(f), picture);
    r = rollback(f, "back-1", "--limit=node1");
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 taken back"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
}

/* Killed, and run again from an empty disk: it puts the node that was out back where it belongs, and goes on. */
static void kill_at(struct stage *s, const char *step)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *const args[] = {"rollback", "--rollout-id=back-1", "--lease-ttl=1s", NULL};
    struct stage_rollout *r;

    upgrade(f, "v2");
    r = stage_fleet_start(f, args);
    stage_rollout_until(s, r, stage_text(s, "node1     %s ", step), RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    r = stage_fleet_run(f, RUN_LIMIT_MS, args);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 taken back"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void one_killed_before_its_job_goes_on_when_it_is_run_again(struct stage *s)
{
    kill_at(s, "quiet");
}

static void one_killed_behind_its_job_goes_on_when_it_is_run_again(struct stage *s)
{
    kill_at(s, "health");
}

/* As the last lines say, and without a hosts file: the journal knows that it was a rollback. */
static void one_stopped_or_killed_goes_on_by_resume(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *const args[] = {"rollback", "--rollout-id=back-1", "--lease-ttl=1s", "--min-healthy-time=2s", NULL};
    const char *const again[] = {"resume", "back-1", NULL};
    struct stage_rollout *r;
    struct stage_hold *h;

    upgrade(f, "v2");
    h = stage_hold_start(f, 0, 0, 0); /* else it may have been quiet, and gone back, before the signal comes */
    r = stage_fleet_start(f, args);
    stage_rollout_until(s, r, "node1     quiet ", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGTERM);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    (void)stage_hold_end(h);
    stage_rollout_expect(s, r, 143, STAGE_SAYS("next: rollout resume back-1"));
    r = stage_rollout_start(s, r->state_dir, again);
    stage_rollout_until(s, r, "node1     health ", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    r = stage_rollout_start(s, r->state_dir, again);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 taken back"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void it_takes_no_release(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"rollback", "--release", stage_server_variant(s, "v2"), NULL});

    stage_rollout_expect(s, r, 64, STAGE_SAYS("--release is not for `rollout rollback`"));
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"rollback", "--failure-action=rollback", NULL});
    stage_rollout_expect(s, r, 78, STAGE_SAYS("a rollback is not taken back"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_fleet_goes_back_and_no_client_feels_it),
        stage_test(a_second_run_of_the_same_id_goes_on_with_what_is_left),
        stage_test(a_node_that_knows_no_release_before_is_refused_and_named),
        stage_test(one_killed_before_its_job_goes_on_when_it_is_run_again),
        stage_test(one_killed_behind_its_job_goes_on_when_it_is_run_again),
        stage_test(one_stopped_or_killed_goes_on_by_resume),
        stage_test(it_takes_no_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
