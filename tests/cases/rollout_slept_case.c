/* rollout_slept_case.c - a controller that is not on a processor for longer than its leases and claims live, and whom
 * nobody has replaced meanwhile, takes them again and goes on: nothing is lost, done twice or given up. */
#include "clock_steps.h"
#include "resume_steps.h"

/* shift: its machine's, which is suspended; NULL: the rollout alone stands still. */
static void sleep_in(struct stage_fleet *f, struct stage_rollout *r, unsigned node, const char *step,
                     clock_shift *shift)
{
    uint64_t began_ms;

    stage_rollout_until(f->stage, r, stage_text(f->stage, "%-8s  %s ", f->node[node].name, step), RUN_LIMIT_MS);
    stage_proc_signal(f->stage, r->proc, SIGSTOP);
    began_ms = stage_now_ms();
    stage_fleet_wait_lapse(f, 10000);
    if (shift != NULL)
        clock_slept(shift, began_ms);
    stage_proc_signal(f->stage, r->proc, SIGCONT);
}

static void sleeps_in_each(struct stage *s, const char *const *steps, unsigned n, const char *release, bool suspended)
{
    struct stage_fleet *f = stage_fleet(s, n, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    clock_shift *shift = suspended ? clock_of_all(s) : NULL;
    struct stage_rollout *r = run_again(f, release);

    for (unsigned i = 0; i < n; i++)
        sleep_in(f, r, i, steps[i], shift);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0,
                         STAGE_SAYS(stage_text(s, "%u nodes: %u %s", n, n, release ? "upgraded" : "restarted")));
    expect_done(f, load);
}

static void who_sleeps_with_a_node_on_its_way_out_goes_on(struct stage *s)
{
    static const char *const steps[] = {"check", "claim", "stage", "drain", "quiet", "down"};

    sleeps_in_each(s, steps, 6, stage_server_variant(s, "v2"), false);
}

static void who_sleeps_with_a_node_out_goes_on(struct stage *s)
{
    static const char *const steps[] = {"empty", "silent", "job", "handover", "health"};

    sleeps_in_each(s, steps, 5, stage_server_variant(s, "v2"), false);
}

static void who_sleeps_with_a_node_on_its_way_back_goes_on(struct stage *s)
{
    static const char *const steps[] = {"back", "bake", "unclaim"};

    sleeps_in_each(s, steps, 3, NULL, false);
}

static void whose_machine_is_suspended_goes_on(struct stage *s)
{
    static const char *const steps[] = {"quiet", "health", "bake"};

    sleeps_in_each(s, steps, 3, stage_server_variant(s, "v2"), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(who_sleeps_with_a_node_on_its_way_out_goes_on),
        stage_test(who_sleeps_with_a_node_out_goes_on),
        stage_test(who_sleeps_with_a_node_on_its_way_back_goes_on),
        stage_test(whose_machine_is_suspended_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
