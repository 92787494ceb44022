/* rollout_resume_case.c - the controller killed with SIGKILL at each of its steps and resumed, every second time from
 * an empty disk: the fleet gets to the target, no node is handed over twice, no request is lost. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define ID           "pipeline-7"

/* Jobs that the agent of a node has been given so far. */
static size_t jobs_of(struct stage_fleet *f, unsigned node)
{
    const char *path = stage_text(f->stage, "%s/app/jobs.json", f->node[node].agent->state_dir);
    struct stat there;
    json_t *root;
    size_t n;

    if (stat(path, &there) != 0)
        return 0;
    root = json_loads(stage_read(f->stage, path), 0, NULL);
    n = json_array_size(json_object_get(root, "jobs"));
    json_decref(root);
    return n;
}

static void delete_folder(struct stage *s, const char *folder)
{
    assert_int_equal(stage_run(s, 5000, (const char *const[]){"/bin/rm", "-r", folder, NULL}).exit_code, 0);
}

#define KNOBS "--lease-ttl=1s", "--bake=200ms"

/* The same command again. release NULL: a restart. */
static struct stage_rollout *run_again(struct stage_fleet *f, const char *release)
{
    return stage_fleet_start(
        f, (const char *const[]){"--rollout-id=" ID, KNOBS, release != NULL ? "--release" : NULL, release, NULL});
}

/* `rollout resume` by the fleet alone. */
static struct stage_rollout *resume_by_fleet(struct stage_fleet *f, const char *release)
{
    return stage_fleet_start(
        f, (const char *const[]){"resume", ID, KNOBS, release != NULL ? "--release" : NULL, release, NULL});
}

/* `rollout resume` by the journal: no hosts file, no certificate, no release is named. */
static struct stage_rollout *resume_by_journal(struct stage_fleet *f, const char *state_dir)
{
    return stage_rollout_start(f->stage, state_dir, (const char *const[]){"resume", ID, NULL});
}

static void kill_now(struct stage_fleet *f, struct stage_rollout *r)
{
    stage_proc_stop(f->stage, r->proc, SIGKILL, 5000);
}

/* As soon as it says that the node has come to the step. */
static void kill_at(struct stage_fleet *f, struct stage_rollout *r, const char *node, const char *step)
{
    stage_rollout_until(f->stage, r, stage_text(f->stage, "%-8s  %s ", node, step), RUN_LIMIT_MS);
    kill_now(f, r);
}

/* The k-th run after `before` was killed: every second time from an empty disk. */
static struct stage_rollout *go_on(struct stage_fleet *f, size_t k, struct stage_rollout *before, const char *release)
{
    if (k % 2 == 1)
        return resume_by_journal(f, before->state_dir);
    delete_folder(f->stage, before->state_dir);
    return k % 4 == 0 ? run_again(f, release) : resume_by_fleet(f, release);
}

static void expect_done(struct stage_fleet *f, struct stage_load *load)
{
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (jobs_of(f, i) != 1)
            stage_fail(f->stage, "%s was handed over %zu times", f->node[i].name, jobs_of(f, i));
    stage_load_end(f->stage, load);
    if (load->failed != 0)
        stage_fail(f->stage, "%lu of %lu requests failed:\n%s", load->failed, load->sent,
                   stage_load_failures(f->stage, load));
}

static void killed_at_each_step_and_resumed_it_gets_to_the_target(struct stage *s)
{
    static const struct {
        const char *node, *step;
    } kills[] = {
        {"node1", "check"}, {"node1", "look"},     {"node1", "claim"},   {"node1", "stage"},  {"node1", "floor"},
        {"node1", "drain"}, {"node1", "quiet"},    {"node1", "down"},    {"node1", "empty"},  {"node1", "silent"},
        {"node1", "job"},   {"node2", "handover"}, {"node3", "verify"},  {"node4", "health"}, {"node5", "back"},
        {"node6", "seen"},  {"node7", "bake"},     {"node8", "unclaim"},
    };
    struct stage_fleet *f = stage_fleet(s, 9, 2);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r;

    r = run_again(f, release);
    for (size_t i = 0; i < sizeof kills / sizeof *kills; i++) {
        kill_at(f, r, kills[i].node, kills[i].step);
        r = go_on(f, i + 1, r, release);
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("9 nodes:"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 9);
    expect_done(f, load);
}

/* A restart leaves no other executable to be known by: the agents' jobs tell who has had it. */
static void a_restart_that_is_resumed_restarts_no_node_twice(struct stage *s)
{
    static const struct {
        const char *node, *step;
    } kills[] = {{"node1", "silent"}, {"node1", "handover"}, {"node2", "health"}, {"node3", "back"}, {"node4", "done"}};
    struct stage_fleet *f = stage_fleet(s, 5, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = run_again(f, NULL);

    for (size_t i = 0; i < sizeof kills / sizeof *kills; i++) {
        kill_at(f, r, kills[i].node, kills[i].step);
        r = go_on(f, i + 1, r, NULL);
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("5 nodes:", "already there"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 0);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", ID, NULL}), 0,
                         STAGE_SAYS("rollout " ID " has restarted all nodes already; nothing to do"));
    expect_done(f, load);
}

/* ---- a holder that was taken for dead */

/* Stopped in its tracks with a node in that step, taken over from, and woken up when all is over. */
static void wakes_up_behind_a_resume(struct stage *s, const char *step)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    const char *release = stage_server_variant(s, "v2"), *after;
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *old = run_again(f, release), *r;

    stage_rollout_until(s, old, stage_text(s, "node1     %s ", step), RUN_LIMIT_MS);
    stage_proc_signal(s, old->proc, SIGSTOP);
    r = resume_by_fleet(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 upgraded"));
    after = stage_fleet_picture(f);
    stage_proc_signal(s, old->proc, SIGCONT);
    stage_rollout_end(s, old, RUN_LIMIT_MS);
    stage_rollout_expect(s, old, 6, STAGE_SAYS("stopping", "node1     done      taken over by another run"));
    assert_string_equal(stage_fleet_picture(f), after);
    expect_done(f, load);
}

static void a_holder_that_wakes_up_with_a_node_in_its_drain_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "drain");
}

static void a_holder_that_wakes_up_before_the_job_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "silent");
}

static void a_holder_that_wakes_up_behind_the_job_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "health");
}

/* It wakes up while the other is at work: the other goes on, and it gives up. */
static void a_holder_that_wakes_up_beside_the_resume_has_no_effect(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *old = run_again(f, release), *r;

    stage_rollout_until(s, old, "node1     silent ", RUN_LIMIT_MS);
    stage_proc_signal(s, old->proc, SIGSTOP);
    r = resume_by_fleet(f, release);
    stage_rollout_until(s, r, "node1     reclaim ", RUN_LIMIT_MS);
    stage_proc_signal(s, old->proc, SIGCONT);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 upgraded"));
    stage_rollout_end(s, old, RUN_LIMIT_MS);
    if (old->exit_code != 3)
        stage_rollout_expect(s, old, 6, STAGE_SAYS("stopping"));
    expect_done(f, load);
}

/* ---- two at once */

static void a_living_rollout_is_not_resumed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, 500);
    struct stage_rollout *living =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=" ID, "--lease-ttl=2s", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, living, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", ID, NULL}), 6,
                         STAGE_SAYS("held by rollout " ID, "it is alive", "nothing was changed"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    stage_rollout_end(s, living, RUN_LIMIT_MS);
    stage_rollout_expect(s, living, 0, STAGE_SAYS("2 restarted"));
}

static void of_two_that_resume_at_once_one_works(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = run_again(f, NULL), *a, *b;

    kill_at(f, r, "node1", "handover");
    a = resume_by_fleet(f, NULL);
    b = resume_by_fleet(f, NULL);
    stage_rollout_end(s, a, RUN_LIMIT_MS);
    stage_rollout_end(s, b, RUN_LIMIT_MS);
    if (a->exit_code == 0 && b->exit_code == 0) /* the second began when the first had ended */
        stage_rollout_expect(s, b, 0, STAGE_SAYS("nothing to do"));
    else
        stage_rollout_expect(s, a->exit_code == 0 ? b : a, 6, STAGE_SAYS(ID));
    assert_true(a->exit_code == 0 || b->exit_code == 0);
    expect_done(f, load);
}

/* ---- what it refuses */

static void what_nobody_knows_is_not_begun(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"resume", "nobody-1", NULL});

    stage_rollout_expect(s, r, 78, STAGE_SAYS("knows no rollout nobody-1: give --hosts FILE"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", "nobody-1", NULL}), 5,
                         STAGE_SAYS("nothing in the fleet tells of rollout nobody-1", "nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

/* From an empty disk, an upgrade without its release: it is not taken for a restart, and what is out is named. */
static void an_upgrade_is_not_resumed_as_a_restart(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_rollout *r = run_again(f, release);

    kill_at(f, r, "node1", "health");
    delete_folder(s, r->state_dir);
    r = resume_by_fleet(f, NULL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: rollout " ID " is to release", "name its file by --release",
                                    "node1: out of rotation or its state unknown", "rollout repair --hosts"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    r = resume_by_fleet(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 upgraded"));
    assert_true(stage_fleet_all_up(f));
    r = resume_by_fleet(f, NULL); /* all claims are gone: the jobs tell */
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 5, STAGE_SAYS("node1: rollout " ID " is to release", "nothing was changed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(killed_at_each_step_and_resumed_it_gets_to_the_target),
        stage_test(a_restart_that_is_resumed_restarts_no_node_twice),
        stage_test(a_holder_that_wakes_up_with_a_node_in_its_drain_has_no_effect),
        stage_test(a_holder_that_wakes_up_before_the_job_has_no_effect),
        stage_test(a_holder_that_wakes_up_behind_the_job_has_no_effect),
        stage_test(a_holder_that_wakes_up_beside_the_resume_has_no_effect),
        stage_test(a_living_rollout_is_not_resumed),
        stage_test(of_two_that_resume_at_once_one_works),
        stage_test(what_nobody_knows_is_not_begun),
        stage_test(an_upgrade_is_not_resumed_as_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
