/* rollout_stopped_case.c - SIGINT and SIGTERM: what is under way is undone or finished, nothing else begins; a second
 * signal ends at once and names what is left. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

struct stopped {
    struct stage_fleet *fleet;
    struct stage_pids before;
    struct stage_hold *hold;
    struct stage_rollout *rollout;
};

/* A rollout whose node1 waits for a request to end. */
static struct stopped draining(struct stage *s)
{
    struct stopped t = {.fleet = stage_fleet(s, 2, 2)};

    t.before = stage_fleet_pids(t.fleet);
    t.hold = stage_hold_start(t.fleet, 0, 0, HOLD_MS);
    t.rollout = stage_fleet_start(t.fleet, (const char *const[]){"--drain-timeout=30s", "--lease-ttl=2s", NULL});
    stage_rollout_until(s, t.rollout, "node1     quiet", RUN_LIMIT_MS);
    return t;
}

static void expect_undone(struct stopped *t, int signal)
{
    struct stage *s = t->fleet->stage;

    stage_proc_signal(s, t->rollout->proc, signal);
    stage_rollout_end(s, t->rollout, RUN_LIMIT_MS);
    assert_false(stage_hold_answered(t->hold));
    stage_rollout_expect(s, t->rollout, 128 + signal, STAGE_SAYS("1 stopped, in rotation", "1 not begun"));
    assert_int_equal(stage_fleet_same_pids(t->fleet, &t->before), 2);
    assert_true(stage_fleet_all_up(t->fleet));
    assert_true(stage_fleet_is_free(t->fleet));
    stage_hold_release(t->hold);
    stage_rollout_expect(s, stage_fleet_run(t->fleet, RUN_LIMIT_MS, NULL), 0, STAGE_SAYS("2 restarted"));
}

static void sigint_puts_a_draining_node_back_and_ends_with_130(struct stage *s)
{
    struct stopped t = draining(s);

    expect_undone(&t, SIGINT);
}

static void sigterm_puts_a_draining_node_back_and_ends_with_143(struct stage *s)
{
    struct stopped t = draining(s);

    expect_undone(&t, SIGTERM);
}

static void a_job_that_runs_is_finished_first(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = stage_fleet_start(
        f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--min-healthy-time=500ms", NULL});

    stage_rollout_until(s, r, "node1     job", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGINT);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 130, STAGE_SAYS("1 upgraded", "1 not begun"));
    assert_string_equal(stage_server_version(f->node[0].server), "2");
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Stopped, it accepts connections and never answers. */
static void pause_agent(const struct stage_agent *a, int signal)
{
    (void)kill(a->proc->pid, signal);
}

/* The agent does not answer, so that the first stop cannot be carried out. */
static void a_second_signal_ends_at_once_and_names_the_node(struct stage *s)
{
    struct stopped t = draining(s);
    struct stage_fleet *f = t.fleet;
    uint64_t asked_ms;

    pause_agent(f->node[0].agent, SIGSTOP);
    stage_proc_signal(s, t.rollout->proc, SIGINT);
    stage_rollout_until(s, t.rollout, "node1     return", RUN_LIMIT_MS);
    stage_proc_signal(s, t.rollout->proc, SIGINT);
    asked_ms = stage_now_ms();
    stage_rollout_end(s, t.rollout, RUN_LIMIT_MS);
    assert_true(stage_now_ms() - asked_ms < stage_limit_ms(s, 2000));
    pause_agent(f->node[0].agent, SIGCONT);
    stage_rollout_expect(s, t.rollout, 3,
                         STAGE_SAYS("node1: left in mid-motion", f->node[0].server->peer,
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    assert_int_equal(stage_fleet_same_pids(f, &t.before), 2);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0, NULL);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static bool catches_sigterm(void *ctx)
{
    const struct stage_rollout *r = ctx;
    char path[64], line[256];
    unsigned long long caught = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", r->proc->pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "SigCgt:", 7) == 0)
            caught = strtoull(line + 7, NULL, 16);
    if (f != NULL)
        (void)fclose(f);
    return (caught >> (SIGTERM - 1) & 1) != 0;
}

static void a_signal_before_anything_was_changed_changes_nothing(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r;

    pause_agent(f->node[0].agent, SIGSTOP);
    r = stage_fleet_start(f, NULL);
    stage_wait_until(s, catches_sigterm, r, RUN_LIMIT_MS, "the rollout to catch SIGTERM");
    stage_proc_signal(s, r->proc, SIGTERM);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    pause_agent(f->node[0].agent, SIGCONT);
    stage_rollout_expect(s, r, 143, STAGE_SAYS("before anything was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

/* A rollout that was killed while node1 was out, and whoever goes on, stopped before an agent that hangs has answered.
 */
static struct stage_rollout *stopped_unread(struct stage_fleet *f, const char *state, const char *const *args)
{
    struct stage *s = f->stage;
    struct stage_rollout *r;

    pause_agent(f->node[1].agent, SIGSTOP);
    r = state != NULL ? stage_rollout_start(s, state, args) : stage_fleet_start(f, args);
    stage_wait_until(s, catches_sigterm, r, RUN_LIMIT_MS, "the command to catch SIGTERM");
    stage_proc_signal(s, r->proc, SIGTERM);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    pause_agent(f->node[1].agent, SIGCONT);
    return r;
}

static void a_signal_before_the_fleet_was_read_hides_no_node_that_is_out(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--rollout-id=r1", "--lease-ttl=1s", NULL});
    const char *state = r->state_dir, *peer = f->node[0].server->peer;

    stage_rollout_until(s, r, "node1     silent", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);

    r = stopped_unread(f, state, (const char *const[]){"resume", "r1", NULL});
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("stopped by SIGTERM", "node1: out of rotation or its state unknown", peer,
                                    "Act now: rollout repair"));
    r = stopped_unread(f, NULL, (const char *const[]){"resume", "r1", NULL});
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("whether a node is out of rotation is unknown", "Act now: rollout repair"));
    r = stopped_unread(f, NULL, (const char *const[]){"--rollout-id=r1", NULL});
    stage_rollout_expect(s, r, 143, STAGE_SAYS("whether an earlier run of rollout r1 left a node out is unknown"));
    r = stopped_unread(f, NULL, (const char *const[]){"repair", NULL});
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("whether a node is out of rotation is unknown", "Act now: rollout repair"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0, NULL);
    assert_true(stage_fleet_all_up(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(sigint_puts_a_draining_node_back_and_ends_with_130),
        stage_test(sigterm_puts_a_draining_node_back_and_ends_with_143),
        stage_test(a_job_that_runs_is_finished_first),
        stage_test(a_second_signal_ends_at_once_and_names_the_node),
        stage_test(a_signal_before_anything_was_changed_changes_nothing),
        stage_test(a_signal_before_the_fleet_was_read_hides_no_node_that_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
