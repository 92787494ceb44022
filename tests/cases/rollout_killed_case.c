/* rollout_killed_case.c - the controller killed with SIGKILL while a node is out, its state folder deleted: repair,
 * from an empty disk, finds the node by its claim and puts it back. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "dead_steps.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

static struct stage_rollout *repair(struct stage_fleet *f)
{
    return stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", NULL});
}

static void delete_folder(struct stage *s, const struct stage_rollout *r)
{
    assert_int_equal(stage_run(s, 5000, (const char *const[]){"/bin/rm", "-r", r->state_dir, NULL}).exit_code, 0);
}

static struct stage_fleet *dead(struct stage_fleet *f, const struct stage_rollout *r)
{
    delete_folder(f->stage, r);
    assert_false(stage_fleet_all_up(f));
    assert_string_equal(stage_json_string(f->stage, stage_fleet_claim(f, 0), "rollout"), "dead-1");
    return f;
}

/* release NULL: a restart. What it waits for in `health` is longer than the way to the kill. */
#define DEAD_ARGS(release)                                                                                             \
    ((const char *const[]){"--rollout-id=dead-1", "--lease-ttl=2s", "--drain-timeout=20s", "--min-healthy-time=20s",   \
                           (release) != NULL ? "--release" : NULL, release, NULL})

/* A rollout of node1 and node2, killed once node1 is in `step`; its id is dead-1. */
static struct stage_fleet *killed_in(struct stage *s, const char *step, const char *release, struct stage_hold **hold)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r;

    if (hold != NULL)
        *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    r = stage_fleet_start(f, DEAD_ARGS(release));
    stage_rollout_until(s, r, stage_text(s, "node1     %s", step), RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    return dead(f, r);
}

static void expect_mended(struct stage_fleet *f, const char *version)
{
    stage_rollout_expect(f->stage, repair(f), 0, STAGE_SAYS("1 put back"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_string_equal(stage_server_version(f->node[0].server), version);
    assert_string_equal(stage_server_version(f->node[1].server), "1");
}

static void one_killed_while_a_node_drains_is_mended(struct stage *s)
{
    struct stage_hold *hold;
    struct stage_fleet *f = killed_in(s, "quiet", stage_server_variant(s, "v2"), &hold);
    struct stage_pids before = stage_fleet_pids(f);

    expect_mended(f, "1");
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
}

static void one_killed_with_a_node_down_is_mended(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);

    expect_mended(dead(f, die_before_the_job(f, DEAD_ARGS(NULL))), "1");
}

static void one_killed_while_the_job_runs_is_mended(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "handover", stage_server_variant(s, "hang"), NULL);

    expect_mended(f, "1");
}

static void one_killed_before_its_node_is_healthy_is_mended_to_the_release(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "v2"), NULL);

    expect_mended(f, "2");
}

/* What the dead rollout brought is sick: its agent brings the release before back. */
static void a_node_that_was_left_with_a_sick_release_gets_the_one_before(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "sick"), NULL);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", "--healthy-deadline=2s", NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("node1     undo ", "1 put back"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
}

/* And where that is not on the node any more it stays out, and is named. */
static void a_node_that_is_not_healthy_is_not_put_back(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "sick"), NULL);
    const char *releases = stage_text(s, "%s/app/releases", f->node[0].agent->state_dir);
    struct stage_rollout *r;

    assert_int_equal(stage_run(s, 5000, (const char *const[]){"/bin/rm", "-r", releases, NULL}).exit_code, 0);
    r = stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"repair", "--lease-ttl=2s", "--healthy-deadline=2s", NULL});
    stage_rollout_expect(s, r, 3, STAGE_SAYS("node1: OUT OF ROTATION", f->node[0].server->peer));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_fleet_peer_state(f, 1, 0), "down");
    assert_false(json_is_null(stage_fleet_claim(f, 0)));
}

/* First its lease is in the way, then what it left out. */
static void nothing_rolls_before_the_repair(struct stage *s)
{
    struct stage_hold *hold;
    struct stage_fleet *f = killed_in(s, "quiet", NULL, &hold);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, NULL);
    struct stage_pids before = stage_fleet_pids(f);

    if (r->exit_code != 5)
        stage_rollout_expect(s, r, 6, STAGE_SAYS("rollout dead-1"));
    else
        stage_rollout_expect(s, r, 5, STAGE_SAYS("rollout dead-1"));
    stage_fleet_wait_lapse(f, 10000);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 5,
                         STAGE_SAYS("node1: left out by rollout dead-1", "rollout repair", "nothing was changed"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    expect_mended(f, "1");
    stage_hold_release(hold);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 0, STAGE_SAYS("2 restarted"));
}

static void a_fleet_with_nothing_to_repair_is_left_alone(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);

    stage_rollout_expect(s, repair(f), 0, STAGE_SAYS("nothing to repair"));
    assert_string_equal(stage_fleet_picture(f), before);
}

static void lose_disk(struct stage_agent *a)
{
    stage_agent_stop(a, SIGKILL);
    assert_int_equal(stage_run(a->stage, 5000, (const char *const[]){"/bin/rm", "-r", a->state_dir, NULL}).exit_code,
                     0);
    assert_int_equal(mkdir(a->state_dir, 0755), 0);
    stage_agent_again(a);
}

/* The claim went with the agent's disk: nobody may say whose it is, but it is not passed over in silence. */
static void what_no_claim_tells_of_is_named(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", NULL, 0);
    const char *peer = f->node[0].server->peer;
    struct stage_rollout *r;

    lose_disk(f->node[0].agent);
    stage_rollout_expect(s, repair(f), 0,
                         STAGE_SAYS("nothing to repair",
                                    stage_text(s, "node1: %s of upstream app at lb1 is down", peer),
                                    stage_text(s, "node1: %s of upstream app at lb2 is down", peer)));
    stage_fleet_wait_lapse(f, 10000);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--limit=node1", NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 restarted", "node1: was out before", peer, "at lb1", "at lb2"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
}

/* Nor is that of a node that is mended elsewhere, or that the dead rollout found out already. */
static void what_somebody_else_took_out_is_named_by_the_repair(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;

    assert_int_equal(stage_http(s, "PATCH", stage_text(s, "%s/9/http/upstreams/app/servers/0", f->lb[0]->api), NULL,
                                "{\"down\":true}")
                         ->status,
                     200);
    r = stage_fleet_start(f, (const char *const[]){"--rollout-id=dead-1", "--lease-ttl=2s", "--min-healthy-time=20s",
                                                   "--limit=node1", "--max-unavailable=1", NULL});
    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    stage_rollout_expect(s, repair(f), 0,
                         STAGE_SAYS(stage_text(s, "node1: %s of upstream app at lb1 is down, and no claim says",
                                               f->node[0].server->peer)));
    assert_true(stage_fleet_is_free(f));
}

/* The journal knows what no agent can tell any more: the node is named by whatever goes on with that rollout. */
static void what_only_the_journal_tells_of_is_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_rollout *killed = stage_fleet_start(f, DEAD_ARGS(release));
    const char *const *const says =
        STAGE_SAYS("node1: out of rotation", f->node[0].server->peer, "at lb1", "nothing was changed");
    const char *const again[] = {"--rollout-id=dead-1", "--release",          release, "--max-unavailable=2", "--state",
                                 killed->state_dir,     "--limit=all:!node1", NULL};
    const char *resume[] = {
        "resume", "dead-1", "--max-unavailable=2", "--state", killed->state_dir, "--limit=all:!node1", NULL};

    stage_rollout_until(s, killed, "node1     health", RUN_LIMIT_MS);
    stage_proc_stop(s, killed->proc, SIGKILL, 5000);
    stage_fleet_wait_lapse(f, 10000);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, resume), 3, says);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, again), 3, says);
    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", "--limit=all:!node1", NULL}),
        0, STAGE_SAYS("nothing to repair", f->node[0].server->peer, "belongs to no node whose agent was asked"));
    stage_agent_stop(f->node[0].agent, SIGKILL);
    resume[5] = NULL;
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, resume), 3, says);
    stage_agent_again(f->node[0].agent);
    assert_int_equal(stage_fleet_at_version(f, "2"), 1);
    stage_rollout_expect(s, repair(f), 0, STAGE_SAYS("1 put back"));
    resume[5] = "--limit=all:!node1"; /* it is back, by whomever */
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, resume), 0, STAGE_SAYS("2 upgraded"));
    assert_true(stage_fleet_all_up(f));
}

/* Its agent has a new disk: what the agent cannot tell the journal does; and who
 * has no journal hears at least what is out, also where there is nothing to do. */
static void a_claim_that_went_with_the_agents_disk_is_told_by_the_journal(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *release = stage_server_variant(s, "v2"), *peer = f->node[0].server->peer;
    const char *url = stage_text(s, "%s/9/http/upstreams/app/servers/0", f->lb[0]->api);
    const char *unclaimed = stage_text(s, "node1: %s of upstream app at lb1 is down, and no claim says", peer);
    struct stage_rollout *killed = stage_fleet_start(f, DEAD_ARGS(release));
    const char *const resume[] = {"resume", "dead-1", "--max-unavailable=2", "--state", killed->state_dir, NULL};
    const char *const anew[] = {"--release", release, "--limit=node1", NULL};

    stage_rollout_until(s, killed, "node1     health", RUN_LIMIT_MS);
    stage_proc_stop(s, killed->proc, SIGKILL, 5000);
    lose_disk(f->node[0].agent);
    stage_fleet_wait_lapse(f, 10000);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, resume), 3,
                         STAGE_SAYS("node1: out of rotation", peer, "at lb1", "its agent knows of no claim any more"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, anew), 0, STAGE_SAYS("nothing to do", unclaimed));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--max-unavailable=1", NULL}), 5,
                         STAGE_SAYS("2 of 3 peers are up", unclaimed));
    assert_int_equal(stage_http(s, "PATCH", url, NULL, "{\"down\":false}")->status, 200);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, resume), 0, STAGE_SAYS("2 upgraded"));
    assert_true(stage_fleet_all_up(f));
}

/* No journal, and --limit leaves out the node that the dead run left out: its claim tells, of this very rollout. */
static void what_a_claim_beyond_the_limit_tells_of_is_named(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "v2"), NULL);
    const char *release = stage_server_variant(s, "v2");
    const char *const *const says = STAGE_SAYS("node1: out of rotation", "--limit does not name it now",
                                               "Act now: rollout repair --hosts", "nothing was changed");

    stage_rollout_expect(s,
                         stage_fleet_run(f, RUN_LIMIT_MS,
                                         (const char *const[]){"resume", "dead-1", "--lease-ttl=2s", "--release",
                                                               release, "--limit=node2", NULL}),
                         3, says);
    stage_rollout_expect(s,
                         stage_fleet_run(f, RUN_LIMIT_MS,
                                         (const char *const[]){"--rollout-id=dead-1", "--lease-ttl=2s", "--release",
                                                               release, "--limit=node2", NULL}),
                         3, says);
    assert_string_equal(stage_server_version(f->node[1].server), "1");
    expect_mended(f, "2");
}

/* Whoever goes on or repairs has no place for a journal: nothing can be begun, and the node that is out is named. */
static void what_is_out_is_named_where_no_journal_can_be_written(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "v2"), NULL);
    const char *broken = stage_mkdir(s, "broken");
    const char *const *const says =
        STAGE_SAYS("no place for the journal", "node1: out of rotation", "Act now: rollout repair --hosts");

    (void)stage_write(s, "broken/rollouts.db", stage_text(s, "%04096d", 0));
    stage_rollout_expect(s,
                         stage_fleet_run(f, RUN_LIMIT_MS,
                                         (const char *const[]){"resume", "dead-1", "--lease-ttl=2s", "--release",
                                                               stage_server_variant(s, "v2"), "--state", broken, NULL}),
                         3, says);
    stage_rollout_expect(
        s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", "--state", broken, NULL}),
        3, says);
    expect_mended(f, "2");
}

/* The hosts file has lost a load balancer: nothing is put back by halves, the code is that of a node that is out. */
static void a_node_that_cannot_be_repaired_for_want_of_a_load_balancer_is_out(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "v2"), NULL);
    const char *whole = f->hosts;

    f->n_lbs = 1;
    (void)stage_fleet_hosts(f, NULL);
    stage_rollout_expect(s, repair(f), 3,
                         STAGE_SAYS("node1: rollout dead-1 took", "which the hosts file does not name"));
    f->n_lbs = 2;
    f->hosts = whole;
    expect_mended(f, "2");
}

/* Not even the hosts file names it any more, and no journal: what is out is said beside the refusal. */
static void a_refusal_says_what_is_out(struct stage *s)
{
    struct stage_fleet *f = killed_in(s, "health", stage_server_variant(s, "v2"), NULL);
    const struct stage_node gone = f->node[0];
    const char *whole = f->hosts;

    f->node[0] = f->node[1];
    f->n_nodes = 1;
    (void)stage_fleet_hosts(f, NULL);
    stage_rollout_expect(s,
                         stage_fleet_run(f, RUN_LIMIT_MS,
                                         (const char *const[]){"resume", "dead-1", "--lease-ttl=2s", "--release",
                                                               stage_server_variant(s, "v2"), NULL}),
                         5, STAGE_SAYS(stage_text(s, "%s of upstream app at lb1 is down", gone.server->peer)));
    f->node[0] = gone;
    f->n_nodes = 2;
    f->hosts = whole;
    expect_mended(f, "2");
}

static void a_living_rollout_is_not_repaired(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *living = stage_fleet_start(
        f, (const char *const[]){"--rollout-id=living-1", "--lease-ttl=2s", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, living, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, repair(f), 6,
                         STAGE_SAYS("held by rollout living-1", "end it: rollout abort living-1 --hosts"));
    assert_false(stage_hold_answered(hold));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    assert_string_equal(stage_json_string(s, stage_fleet_claim(f, 0), "rollout"), "living-1");
    stage_hold_release(hold);
    stage_rollout_end(s, living, RUN_LIMIT_MS);
    stage_rollout_expect(s, living, 0, STAGE_SAYS("2 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(one_killed_while_a_node_drains_is_mended),
        stage_test(one_killed_with_a_node_down_is_mended),
        stage_test(one_killed_while_the_job_runs_is_mended),
        stage_test(one_killed_before_its_node_is_healthy_is_mended_to_the_release),
        stage_test(a_node_that_was_left_with_a_sick_release_gets_the_one_before),
        stage_test(a_node_that_is_not_healthy_is_not_put_back),
        stage_test(nothing_rolls_before_the_repair),
        stage_test(a_fleet_with_nothing_to_repair_is_left_alone),
        stage_test(what_no_claim_tells_of_is_named),
        stage_test(what_somebody_else_took_out_is_named_by_the_repair),
        stage_test(a_claim_that_went_with_the_agents_disk_is_told_by_the_journal),
        stage_test(what_only_the_journal_tells_of_is_named),
        stage_test(what_a_claim_beyond_the_limit_tells_of_is_named),
        stage_test(what_is_out_is_named_where_no_journal_can_be_written),
        stage_test(a_node_that_cannot_be_repaired_for_want_of_a_load_balancer_is_out),
        stage_test(a_refusal_says_what_is_out),
        stage_test(a_living_rollout_is_not_repaired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
