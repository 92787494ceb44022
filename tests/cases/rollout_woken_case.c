/* rollout_woken_case.c - a controller that was stopped in its tracks is taken for dead and resumed by another; when it
 * wakes up it has no effect, and says so. */
#include "resume_steps.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_holder_that_wakes_up_with_a_node_in_its_drain_has_no_effect),
        stage_test(a_holder_that_wakes_up_before_the_job_has_no_effect),
        stage_test(a_holder_that_wakes_up_behind_the_job_has_no_effect),
        stage_test(a_holder_that_wakes_up_beside_the_resume_has_no_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
