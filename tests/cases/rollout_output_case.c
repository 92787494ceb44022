/* rollout_output_case.c - a terminal that goes away, a full disk behind stdout, closed descriptors: no node is left out
 * for it, and what is to be said is said where it can be. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

static void a_hangup_stops_like_sigterm_and_twice_is_once(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGHUP);
    stage_rollout_until(s, r, "SIGHUP came", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGHUP); /* the kernel's and the shell's */
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    assert_false(stage_hold_answered(hold));
    stage_rollout_expect(s, r, 128 + SIGHUP,
                         STAGE_SAYS("1 stopped, in rotation", "1 not begun", "stopped: SIGHUP came"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* A rollout of the fleet, its descriptors arranged by a shell. */
static struct stage_run run_with(struct stage_fleet *f, const char *redirections, const char *limit)
{
    struct stage *s = f->stage;

    return stage_run(s, RUN_LIMIT_MS,
                     (const char *const[]){"/bin/sh",
                                           "-c",
                                           stage_text(s, "exec \"$@\" %s", redirections),
                                           "sh",
                                           stage_text(s, "%s/rollout", s->build),
                                           "--hosts",
                                           f->hosts,
                                           "--cert",
                                           f->controller->cert,
                                           "--key",
                                           f->controller->key,
                                           "--cacert",
                                           f->controller->ca,
                                           "--min-healthy-time=100ms",
                                           "--health-interval=50ms",
                                           "--state",
                                           stage_text(s, "%s/state-%s", s->dir, limit),
                                           "--limit",
                                           limit,
                                           NULL});
}

static void where_stdout_takes_nothing_the_last_lines_go_to_stderr(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_run r = run_with(f, ">/dev/full", "node1");

    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.err, "1 node: 1 restarted"));
    assert_non_null(strstr(r.err, "the standard output took not all"));
    assert_int_not_equal(stage_server_pid(f->node[0].server), before.pid[0]);
}

static void closed_descriptors_are_given_to_nobody(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);

    assert_int_equal(run_with(f, "<&- >&- 2>&-", "node1").exit_code, 0);
    assert_int_not_equal(stage_server_pid(f->node[0].server), before.pid[0]);
    assert_true(stage_fleet_all_up(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_hangup_stops_like_sigterm_and_twice_is_once),
        stage_test(where_stdout_takes_nothing_the_last_lines_go_to_stderr),
        stage_test(closed_descriptors_are_given_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
