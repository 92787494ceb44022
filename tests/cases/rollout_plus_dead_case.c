/* rollout_plus_dead_case.c - behind NGINX Plus, where a majority of the agents is the lock: controllers that are
 * killed, and one that was stopped, taken over from, and wakes up. */
#include "clock_steps.h"
#include "resume_steps.h"
#include "tests/stage/plus.h"

/* Killed with a node in that step; its votes run out before the next one begins. */
static void is_resumed_behind_a_kill(struct stage *s, const char *step)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load;
    struct stage_rollout *r;

    (void)stage_plus_start(f, 0);
    load = stage_load_start_fleet(f);
    r = run_again(f, release);
    stage_rollout_until(s, r, stage_text(s, "node1     %s ", step), RUN_LIMIT_MS);
    kill_now(f, r);
    assert_string_equal(stage_json_string(s, stage_fleet_vote(f, 1), "rollout"), ID);
    delete_folder(s, r->state_dir);
    r = resume_by_fleet(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 upgraded"));
    expect_done(f, load);
}

static void a_killed_one_is_resumed_from_before_its_job(struct stage *s)
{
    is_resumed_behind_a_kill(s, "silent");
}

static void a_killed_one_is_resumed_from_behind_its_job(struct stage *s)
{
    is_resumed_behind_a_kill(s, "health");
}

/* By the journal: it knows who has a vote, also those that are limited out. */
static void a_killed_one_is_resumed_by_its_journal(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;

    (void)stage_plus_start(f, 0);
    r = stage_fleet_start(f, (const char *const[]){"--rollout-id", ID, KNOBS, "--limit=node1", NULL});
    stage_rollout_until(s, r, "node1     silent ", RUN_LIMIT_MS);
    kill_now(f, r);
    r = resume_by_journal(f, r->state_dir);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("a majority of the 3 agents is ours", "1 node: 1 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_int_equal(jobs_of(f, 1) + jobs_of(f, 2), 0);
}

static void what_a_killed_one_took_out_is_repaired(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;

    (void)stage_plus_start(f, 0);
    r = run_again(f, NULL);
    stage_rollout_until(s, r, "node1     silent ", RUN_LIMIT_MS);
    kill_now(f, r);
    assert_false(stage_fleet_all_up(f));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", NULL}),
                         0, STAGE_SAYS("a majority of the 3 agents is ours", "1 put back"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Stopped in its tracks with a node in that step, by a signal or with all of its machine, taken over from, and woken up
 * when all is over. */
static void wakes_up_behind_a_resume(struct stage *s, const char *step, bool suspended)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    const char *release = stage_server_variant(s, "v2"), *after;
    struct stage_load *load = stage_load_start_fleet(f);
    clock_shift *shift = suspended ? clock_of_all(s) : NULL;
    struct stage_rollout *old = run_again(f, release), *r;
    uint64_t began_ms;
    unsigned patches;

    stage_rollout_until(s, old, stage_text(s, "node1     %s ", step), RUN_LIMIT_MS);
    stage_proc_signal(s, old->proc, SIGSTOP);
    began_ms = stage_now_ms();
    r = resume_by_fleet(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 upgraded"));
    after = stage_fleet_picture(f);
    patches = atomic_load(&plus->patches);
    if (suspended)
        clock_slept(shift, began_ms);
    stage_proc_signal(s, old->proc, SIGCONT);
    stage_rollout_end(s, old, RUN_LIMIT_MS);
    stage_rollout_expect(s, old, 6, STAGE_SAYS("stopping", "node1     done      taken over by another run"));
    assert_string_equal(stage_fleet_picture(f), after);
    assert_int_equal(atomic_load(&plus->patches), patches); /* nginx would have taken it */
    expect_done(f, load);
}

static void a_holder_that_wakes_up_with_a_node_in_its_drain_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "quiet", false);
}

static void a_holder_that_wakes_up_before_the_job_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "silent", false);
}

static void a_holder_that_wakes_up_behind_the_job_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "health", false);
}

/* A laptop that was closed: the clock of its timers stood still, and the votes of the agents ran out. */
static void a_holder_whose_machine_was_suspended_has_no_effect(struct stage *s)
{
    wakes_up_behind_a_resume(s, "health", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_killed_one_is_resumed_from_before_its_job),
        stage_test(a_killed_one_is_resumed_from_behind_its_job),
        stage_test(a_killed_one_is_resumed_by_its_journal),
        stage_test(what_a_killed_one_took_out_is_repaired),
        stage_test(a_holder_that_wakes_up_with_a_node_in_its_drain_has_no_effect),
        stage_test(a_holder_that_wakes_up_before_the_job_has_no_effect),
        stage_test(a_holder_that_wakes_up_behind_the_job_has_no_effect),
        stage_test(a_holder_whose_machine_was_suspended_has_no_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
