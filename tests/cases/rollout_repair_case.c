/* rollout_repair_case.c - repair where more than one thing is broken: several dead rollouts, a repair that died itself,
 * two repairs at once, and a node that runs what nobody knows. */
#include <signal.h>
#include <string.h>

#include "dead_steps.h"

#define RUN_LIMIT_MS 60000

#define REPAIR ((const char *const[]){"repair", "--lease-ttl=1s", NULL})

/* Of a rollout of one node with that id. release NULL: a restart. */
#define ONE_OF(id, node, release)                                                                                      \
    ((const char *const[]){"--rollout-id", id, "--limit", node, "--lease-ttl=1s", "--max-unavailable=2",               \
                           (release) != NULL ? "--release" : NULL, release, NULL})

/* Killed once the node is in `step`. */
static void die_at(struct stage_fleet *f, const char *id, const char *node, const char *step, const char *release)
{
    struct stage_rollout *r = stage_fleet_start(f, ONE_OF(id, node, release));

    stage_rollout_until(f->stage, r, stage_text(f->stage, "%-8s  %s ", node, step), RUN_LIMIT_MS);
    stage_proc_stop(f->stage, r->proc, SIGKILL, 5000);
}

static void die_first(struct stage_fleet *f, const char *release)
{
    (void)die_before_the_job(f, ONE_OF("dead-1", "node1", release));
}

struct other {
    struct stage_server *server;
    pid_t before;
};

static bool is_another(void *ctx)
{
    struct other *o = ctx;
    pid_t now = stage_server_pid(o->server);

    return now != 0 && now != o->before;
}

/* Somebody brings an executable by hand. */
static void bring_by_hand(struct stage_fleet *f, unsigned node, const char *variant)
{
    struct other o = {f->node[node].server, stage_server_pid(f->node[node].server)};

    stage_server_install(o.server, variant);
    assert_int_equal(kill(o.before, SIGUSR2), 0);
    stage_wait_until(f->stage, is_another, &o, 10000, "the process that was brought by hand");
}

static void expect_well(struct stage_fleet *f)
{
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void what_several_dead_rollouts_left_is_mended_in_one_go(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);

    die_first(f, NULL);
    stage_fleet_wait_lapse(f, 10000);
    die_at(f, "dead-2", "node2", "health", stage_server_variant(s, "v2"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, REPAIR), 0, STAGE_SAYS("2 nodes: 2 put back"));
    expect_well(f);
    assert_string_equal(stage_server_version(f->node[0].server), "1");
    assert_string_equal(stage_server_version(f->node[1].server), "2");
}

static void a_repair_that_died_is_repaired(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r;

    die_first(f, NULL);
    r = stage_fleet_start(f, (const char *const[]){"repair", "--lease-ttl=1s", "--min-healthy-time=5s", NULL});
    stage_rollout_until(s, r, "node1     rehealth ", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, REPAIR), 0, STAGE_SAYS("1 put back"));
    expect_well(f);
}

/* One has the leases; the other waits for it, finds nothing left to do, or says who is at work. */
static void of_two_repairs_at_once_one_works(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *a, *b;

    die_first(f, NULL);
    a = stage_fleet_start(f, REPAIR);
    b = stage_fleet_start(f, REPAIR);
    stage_rollout_end(s, a, RUN_LIMIT_MS);
    stage_rollout_end(s, b, RUN_LIMIT_MS);
    assert_true(a->exit_code == 0 || b->exit_code == 0);
    if (a->exit_code != 0)
        stage_rollout_expect(s, a, 6, NULL);
    if (b->exit_code != 0)
        stage_rollout_expect(s, b, 6, NULL);
    expect_well(f);
}

/* Somebody brings an executable by hand while it is out: neither what ran before nor what was wanted. */
static void what_nobody_knows_is_replaced_by_what_ran_before(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);

    stage_rollout_expect(
        s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v2"), NULL}), 0,
        NULL);
    die_first(f, stage_server_variant(s, "slow"));
    bring_by_hand(f, 0, "v1");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, REPAIR), 0,
                         STAGE_SAYS("node1     undo ", "node1     reverify ", "1 put back"));
    expect_well(f);
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
}

/* Another's release, and what ran before is not on the node any more: left out and named, and nothing is guessed. */
static void what_cannot_be_undone_is_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *releases = stage_text(s, "%s/app/releases", f->node[0].agent->state_dir);

    die_first(f, stage_server_variant(s, "slow"));
    bring_by_hand(f, 0, "v2");
    assert_int_equal(stage_run(s, 5000, (const char *const[]){"/bin/rm", "-r", releases, NULL}).exit_code, 0);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, REPAIR), 3,
                         STAGE_SAYS("node1: OUT OF ROTATION", "no_release", f->node[0].server->peer, "Act now"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_false(json_is_null(stage_fleet_claim(f, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(what_several_dead_rollouts_left_is_mended_in_one_go),
        stage_test(a_repair_that_died_is_repaired),
        stage_test(of_two_repairs_at_once_one_works),
        stage_test(what_nobody_knows_is_replaced_by_what_ran_before),
        stage_test(what_cannot_be_undone_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
