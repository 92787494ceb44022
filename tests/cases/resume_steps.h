/* resume_steps.h - what the cases of a resume share: the runs of one rollout, and what must hold when it is through. */
#ifndef CASES_RESUME_STEPS_H
#define CASES_RESUME_STEPS_H

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define ID           "pipeline-7"

/* Jobs that the agent of a node has been given so far. */
static inline size_t jobs_of(struct stage_fleet *f, unsigned node)
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

static inline void delete_folder(struct stage *s, const char *folder)
{
    assert_int_equal(stage_run(s, 5000, (const char *const[]){"/bin/rm", "-r", folder, NULL}).exit_code, 0);
}

#define KNOBS "--lease-ttl=1s", "--bake=200ms"

/* The same command again. release NULL: a restart. */
static inline struct stage_rollout *run_again(struct stage_fleet *f, const char *release)
{
    return stage_fleet_start(
        f, (const char *const[]){"--rollout-id=" ID, KNOBS, release != NULL ? "--release" : NULL, release, NULL});
}

/* `rollout resume` by the fleet alone. */
static inline struct stage_rollout *resume_by_fleet(struct stage_fleet *f, const char *release)
{
    return stage_fleet_start(
        f, (const char *const[]){"resume", ID, KNOBS, release != NULL ? "--release" : NULL, release, NULL});
}

/* `rollout resume` by the journal: no hosts file, no certificate, no release is named. */
static inline struct stage_rollout *resume_by_journal(struct stage_fleet *f, const char *state_dir)
{
    return stage_rollout_start(f->stage, state_dir, (const char *const[]){"resume", ID, NULL});
}

static inline void kill_now(struct stage_fleet *f, struct stage_rollout *r)
{
    stage_proc_stop(f->stage, r->proc, SIGKILL, 5000);
}

static inline void expect_done(struct stage_fleet *f, struct stage_load *load)
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

#endif
