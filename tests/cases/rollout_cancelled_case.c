/* rollout_cancelled_case.c - a cancelled CI job, as deploy/ci has it: SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after
 * that; then the step that always runs, `rollout repair`; then the job again, with the same id. After the signals the
 * fleet is whole or named, after the repair it is whole, after the job it is at the target; no request is lost. */
#include "resume_steps.h"

#define CI_TERM_MS 7500
#define CI_KILL_MS 2500
#define GRACE_MS   5000 /* what the first signal leaves to a job that was sent */

struct ending {
    struct stage *s;
    struct stage_rollout *r;
};

static bool has_ended(void *ctx)
{
    const struct ending *e = ctx;

    return stage_proc_ended(e->s, e->r->proc);
}

/* What a CI system does with a job that somebody cancels. */
static void cancel(struct stage *s, struct stage_rollout *r, uint32_t term_ms, uint32_t kill_ms)
{
    struct ending e = {s, r};

    stage_proc_signal(s, r->proc, SIGINT);
    if (!stage_comes_true(s, has_ended, &e, term_ms)) {
        stage_proc_signal(s, r->proc, SIGTERM);
        if (!stage_comes_true(s, has_ended, &e, kill_ms))
            stage_proc_signal(s, r->proc, SIGKILL);
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
}

/* It says "in rotation", and so it is; or it names what is out and the command; or it was killed and could not. */
static void expect_whole_or_named(struct stage_fleet *f, const struct stage_rollout *r)
{
    if (r->exit_code == 128 + SIGINT || r->exit_code == 128 + SIGTERM)
        assert_true(stage_fleet_all_up(f));
    else if (r->exit_code != 128 + SIGKILL)
        stage_rollout_expect(f->stage, r, 3, STAGE_SAYS("node", "Act now: rollout repair --hosts"));
}

/* `if: always()`, after_script. */
static void always(struct stage_fleet *f)
{
    stage_rollout_expect(
        f->stage,
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--rollout-id", ID, "--lease-ttl=1s", NULL}),
        0, NULL);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void start_patient(struct stage_fleet *f, unsigned i)
{
    struct stage_node *node = &f->node[i];

    node->server = stage_server_start(f->stage, node->name, "v1");
    node->agent = stage_agent_start(f->stage, node->name, node->server, false, "ready-timeout = 15s\n");
}

/* As it is: the restart that is under way takes longer than the first signal's grace. */
static void a_restart_that_outlasts_the_first_signal_is_named_and_put_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet_of(s, 2, 2, start_patient);
    const char *late = stage_server_variant(s, "late");
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r;
    uint64_t asked_ms;

    (void)stage_write(s, stage_text(s, "%s/late", f->node[0].server->dir), "");
    r = run_again(f, late);
    stage_rollout_until(s, r, "node1     handover", RUN_LIMIT_MS);
    asked_ms = stage_now_ms();
    cancel(s, r, CI_TERM_MS, CI_KILL_MS);
    assert_in_range(stage_now_ms() - asked_ms, GRACE_MS, stage_limit_ms(s, CI_TERM_MS));
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: ", "not finished within 5 s after the stop", f->node[0].server->peer,
                                    "Act now: rollout repair --hosts"));
    always(f);
    r = run_again(f, late);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 already there", "1 upgraded"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
    expect_done(f, load);
}

/* The same at other steps and with shorter distances; 0: the next signal comes at once. */
static void cancelled_at_any_step_the_fleet_is_whole_and_the_job_goes_on(struct stage *s)
{
    static const struct {
        const char *step;
        uint32_t term_ms, kill_ms;
    } rows[] = {
        {"quiet", 20, 20},
        {"job", 0, 0},
        {"health", 0, 200},
        {"back", 20, 0},
    };
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load = stage_load_start_brief(f);
    struct stage_rollout *r;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        r = run_again(f, release);
        stage_rollout_until(s, r, stage_text(s, "  %-8s  waits for", rows[i].step), RUN_LIMIT_MS);
        cancel(s, r, rows[i].term_ms, rows[i].kill_ms);
        expect_whole_or_named(f, r);
        always(f);
    }
    r = run_again(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("4 nodes:"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 4);
    expect_done(f, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_restart_that_outlasts_the_first_signal_is_named_and_put_back),
        stage_test(cancelled_at_any_step_the_fleet_is_whole_and_the_job_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
