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

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(killed_at_each_step_and_resumed_it_gets_to_the_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
