/* rollout_lb_case.c - load balancers that die: before the start nothing is changed; between drain and put-back the
 * others have the node back, it is named with exit 3, and `rollout repair` mends it once all are there again. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define SHORT_WAITS  "--request-timeout=1s", "--lease-ttl=1s", "--healthy-deadline=10s"

#define WORKERS_MAX 16
#define HOLD_MS     0 /* it is never released */

static void signal_nginx(struct stage_nginx *n, int signal)
{
    pid_t pids[WORKERS_MAX];
    unsigned count = stage_nginx_workers(n, pids, WORKERS_MAX);

    (void)kill(n->proc->pid, signal);
    for (unsigned i = 0; i < count && i < WORKERS_MAX; i++)
        (void)kill(pids[i], signal);
}

static void expect_repair(struct stage_fleet *f)
{
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", SHORT_WAITS, NULL});

    stage_rollout_expect(f->stage, r, 0, NULL);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void one_that_is_down_before_the_start_ends_it_with_4(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    const char *const commands[] = {"roll", "plan", "repair"};
    const char *before;

    stage_nginx_stop(f->lb[1], SIGTERM);
    f->n_lbs = 1; /* the hosts file names both; this one can still be looked at */
    before = stage_fleet_picture(f);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct stage_rollout *r =
            stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){commands[i], SHORT_WAITS, NULL});

        stage_rollout_expect(s, r, 4, STAGE_SAYS("load balancer lb2"));
        assert_string_equal(stage_fleet_picture(f), before);
    }
}

/* What is stopped accepts connections and never answers. */
static void one_that_hangs_before_the_start_ends_it_with_4(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r;
    const char *before;

    signal_nginx(f->lb[1], SIGSTOP);
    f->n_lbs = 1;
    before = stage_fleet_picture(f);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){SHORT_WAITS, NULL});
    signal_nginx(f->lb[1], SIGCONT);
    stage_rollout_expect(s, r, 4, STAGE_SAYS("load balancer lb2", "nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

/* ---- between drain and put-back */

struct broken {
    struct stage_fleet *fleet;
    struct stage_rollout *rollout;
    struct stage_pids before;
};

/* A rollout whose node1 is in `step`; there a request through lb1 holds it where the step is quiet. */
static struct broken roll_until(struct stage *s, const char *step)
{
    struct broken b = {.fleet = stage_fleet(s, 2, 2)};

    b.before = stage_fleet_pids(b.fleet);
    if (strcmp(step, "quiet") == 0)
        (void)stage_hold_start(b.fleet, 0, 0, HOLD_MS);
    b.rollout = stage_fleet_start(
        b.fleet, (const char *const[]){"--min-healthy-time=500ms", "--drain-timeout=2s", SHORT_WAITS, NULL});
    stage_rollout_until(s, b.rollout, stage_text(s, "node1     %s", step), RUN_LIMIT_MS);
    return b;
}

static void expect_named(const struct broken *b)
{
    struct stage_fleet *f = b->fleet;
    struct stage *s = f->stage;

    stage_rollout_end(s, b->rollout, RUN_LIMIT_MS);
    stage_rollout_expect(s, b->rollout, 3,
                         STAGE_SAYS("node1: OUT OF ROTATION", "of upstream app at lb2",
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    if (strstr(b->rollout->out, "of upstream app at lb1") != NULL)
        stage_fail(s, "lb1 has node1 back, yet the rollout says otherwise:\n%s", b->rollout->out);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "up");
    assert_string_equal(stage_fleet_peer_state(f, 0, 1), "up");
    assert_int_equal(stage_server_pid(f->node[1].server), b->before.pid[1]);
    assert_false(json_is_null(stage_fleet_claim(f, 0)));
    assert_true(json_is_null(stage_fleet_claim(f, 1)));
}

static void one_killed_while_a_node_drains(struct stage *s)
{
    struct broken b = roll_until(s, "quiet");

    stage_nginx_stop(b.fleet->lb[1], SIGKILL);
    expect_named(&b);
    assert_int_equal(stage_fleet_same_pids(b.fleet, &b.before), 2);
    stage_nginx_again(b.fleet->lb[1]);
    expect_repair(b.fleet);
}

static void one_killed_while_a_node_is_out(struct stage *s)
{
    struct broken b = roll_until(s, "health");

    stage_nginx_stop(b.fleet->lb[1], SIGKILL);
    expect_named(&b);
    stage_nginx_again(b.fleet->lb[1]);
    expect_repair(b.fleet);
}

static void one_that_hangs_while_a_node_drains(struct stage *s)
{
    struct broken b = roll_until(s, "quiet");

    signal_nginx(b.fleet->lb[1], SIGSTOP);
    expect_named(&b);
    signal_nginx(b.fleet->lb[1], SIGCONT);
    expect_repair(b.fleet);
    assert_int_equal(stage_fleet_same_pids(b.fleet, &b.before), 2);
}

static void one_that_hangs_while_a_node_is_out(struct stage *s)
{
    struct broken b = roll_until(s, "health");

    signal_nginx(b.fleet->lb[1], SIGSTOP);
    expect_named(&b);
    signal_nginx(b.fleet->lb[1], SIGCONT);
    expect_repair(b.fleet);
}

/* It is back before the limit: nobody has to be told. */
static void one_that_hangs_for_a_moment_costs_nothing(struct stage *s)
{
    struct broken b = roll_until(s, "health");

    signal_nginx(b.fleet->lb[1], SIGSTOP);
    stage_rollout_until(s, b.rollout, "node1     back", RUN_LIMIT_MS);
    signal_nginx(b.fleet->lb[1], SIGCONT);
    stage_rollout_end(s, b.rollout, RUN_LIMIT_MS);
    stage_rollout_expect(s, b.rollout, 0, STAGE_SAYS("2 restarted"));
    assert_true(stage_fleet_all_up(b.fleet));
    assert_true(stage_fleet_is_free(b.fleet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(one_that_is_down_before_the_start_ends_it_with_4),
        stage_test(one_that_hangs_before_the_start_ends_it_with_4),
        stage_test(one_killed_while_a_node_drains),
        stage_test(one_killed_while_a_node_is_out),
        stage_test(one_that_hangs_while_a_node_drains),
        stage_test(one_that_hangs_while_a_node_is_out),
        stage_test(one_that_hangs_for_a_moment_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
