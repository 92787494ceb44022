/* dead_steps.h - how cases kill a rollout at a place where it certainly is. */
#ifndef CASES_DEAD_STEPS_H
#define CASES_DEAD_STEPS_H

#include <signal.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define DEAD_LIMIT_MS 60000

/* A rollout (ARGS as stage_fleet_start has them) that is killed while node1 is down and has no job yet. It is held
 * there for certain: a request holds it in `quiet`, and then its agent, asked what runs, does not answer. */
static inline struct stage_rollout *die_before_the_job(struct stage_fleet *f, const char *const *args)
{
    struct stage_hold *hold = stage_hold_start(f, 0, 0, 100);
    struct stage_rollout *r = stage_fleet_start(f, args);
    pid_t agent = f->node[0].agent->proc->pid;

    stage_rollout_until(f->stage, r, "node1     quiet ", DEAD_LIMIT_MS);
    assert_int_equal(kill(agent, SIGSTOP), 0);
    stage_hold_release(hold);
    stage_rollout_until(f->stage, r, "node1     empty ", DEAD_LIMIT_MS);
    stage_proc_stop(f->stage, r->proc, SIGKILL, 5000);
    assert_int_equal(kill(agent, SIGCONT), 0);
    (void)stage_hold_end(hold);
    return r;
}

#endif
