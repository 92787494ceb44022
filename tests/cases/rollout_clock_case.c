/* rollout_clock_case.c - somebody sets the clock of all machines in mid-rollout: leases, claims and limits go by the
 * time that has passed, and people are told how long things took. */
#include <signal.h>
#include <string.h>

#include "clock_steps.h"
#include "tests/stage/prom.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      2500 /* once released: leases of 1 s must be renewed meanwhile */
#define HOUR_MS      (3600LL * 1000)
#define DAY_MS       (24 * HOUR_MS)

/* "took 1.234s", "after 250ms", "for 2s": less than a minute, each of them. */
static void expect_short(struct stage *s, const char *said, const char *before)
{
    unsigned n = 0;

    for (const char *at = said; (at = strstr(at, before)) != NULL; n++) {
        at += strlen(before);
        at += strspn(at, " "); /* of a column */
        if (strspn(at, "0123456789.ms") != strcspn(at, ";: ,\n") || strspn(at, "0123456789.") > 6)
            stage_fail(s, "what took seconds is said to have taken \"%.40s\":\n%s", at, said);
    }
    if (n == 0)
        stage_fail(s, "nothing says \"%s\":\n%s", before, said);
}

/* The clocks say `before` when it begins, and `after` from its first drain on. */
static void set_in_mid_rollout(struct stage *s, int64_t before_ms, int64_t after_ms)
{
    clock_shift *shift = clock_of_all(s);
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *state = stage_text(s, "--state=%s/state", s->dir);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r;

    shift->set_ms = before_ms;
    r = stage_fleet_start(
        f, (const char *const[]){"--rollout-id=one", state, "--lease-ttl=1s", "--drain-timeout=30s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    shift->set_ms = after_ms;
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 restarted; took "));
    expect_short(s, r->out, "restarted after ");
    expect_short(s, r->out, "; took ");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"history", state, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("one", "exit code 0"));
    expect_short(s, r->out, "  one  ");
}

static void clocks_that_are_set_back_change_nothing(struct stage *s)
{
    set_in_mid_rollout(s, 2 * DAY_MS, 0);
}

static void clocks_that_are_set_forward_change_nothing(struct stage *s)
{
    set_in_mid_rollout(s, 0, 3 * DAY_MS);
}

static long long out_s(struct stage_agent *a)
{
    struct stage_answer *r = stage_agent_http(a, "GET", "/metrics", NULL);

    return prom_value(r->body, "rollout_node_out_seconds{service=\"app\"}");
}

static bool is_long_out(void *agent)
{
    return out_s(agent) >= 3;
}

/* What it held runs out, its agent tells for how long the node is out, and the resume goes on: by clocks that nobody
 * sets, also over a restart of the agent. */
static void a_rollout_killed_before_the_clocks_were_set_back_is_resumed(struct stage *s)
{
    clock_shift *shift = clock_of_all(s);
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *state = stage_text(s, "--state=%s/state", s->dir);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, 0);
    struct stage_rollout *r;

    shift->set_ms = 2 * DAY_MS;
    r = stage_fleet_start(
        f, (const char *const[]){"--rollout-id=one", state, "--lease-ttl=2s", "--drain-timeout=30s", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    shift->set_ms = 0;
    stage_wait_until(s, is_long_out, f->node[0].agent, 10000, "3 s of being out");
    stage_agent_stop(f->node[0].agent, SIGTERM);
    stage_agent_again(f->node[0].agent);
    assert_in_range(out_s(f->node[0].agent), 3, 60);
    stage_hold_release(hold);
    r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"resume", "one", state, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 restarted; took "));
    expect_short(s, r->out, "; took ");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"history", state, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("  one                              -  ", "exit code 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(clocks_that_are_set_back_change_nothing),
        stage_test(clocks_that_are_set_forward_change_nothing),
        stage_test(a_rollout_killed_before_the_clocks_were_set_back_is_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
