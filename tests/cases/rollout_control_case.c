/* rollout_control_case.c - a rollout watched and steered from outside: what the journal tells of it while it is at
 * work, when it was killed, and in the end. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

/* ---- what the journal tells */

/* `rollout ARGS` with the state folder of that rollout, to its end. */
static struct stage_rollout *ask(struct stage *s, const struct stage_rollout *of, const char *const *args)
{
    struct stage_rollout *r = stage_rollout_start(s, of->state_dir, args);

    stage_rollout_end(s, r, RUN_LIMIT_MS);
    return r;
}
#define ASK(s, of, ...) ask(s, of, (const char *const[]){__VA_ARGS__, NULL})

struct telling {
    struct stage *s;
    const struct stage_rollout *of;
    const char *text;
};

static bool is_told(void *ctx)
{
    const struct telling *t = ctx;

    return strstr(ASK(t->s, t->of, "status")->out, t->text) != NULL;
}

/* What is seen is in the journal some milliseconds later. */
static void until_told(struct stage *s, const struct stage_rollout *of, const char *text)
{
    stage_wait_until(s, is_told, &(struct telling){s, of, text}, RUN_LIMIT_MS,
                     stage_text(s, "the status \"%s\"", text));
}

static json_t *ask_json(struct stage *s, const struct stage_rollout *of, const char *command, const char *id)
{
    struct stage_rollout *r = ASK(s, of, command, "--output=json", id);
    json_t *o = json_loads(r->out, 0, NULL);

    stage_rollout_expect(s, r, 0, NULL);
    if (o == NULL)
        stage_fail(s, "%s --output json is no JSON: %s", command, r->out);
    return stage_keep(s, o, (void (*)(void *))json_decref);
}

static void the_journal_is_told_while_the_rollout_writes_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    until_told(s, r, "node1: in motion in step quiet");
    stage_rollout_expect(s, ASK(s, r, "status"), 0,
                         STAGE_SAYS("rollout one, fence 1: service app, restart of 2 nodes", "at work",
                                    "1 in motion, 1 not begun", "node1: in motion in step quiet",
                                    f->node[0].server->peer));
    stage_rollout_expect(s, ASK(s, r, "history"), 0, STAGE_SAYS("one", "restart of app on 2 nodes; at work"));
    assert_string_equal(stage_json_string(s, ask_json(s, r, "status", "one"), "standing"), "at_work");
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted"));
    stage_rollout_expect(s, ASK(s, r, "status"), 0,
                         STAGE_SAYS("with exit code 0: every node is at the target", "2 nodes: 2 restarted"));
    assert_int_equal(stage_json_int(s, ask_json(s, r, "status", "one"), "exit_code"), 0);
    assert_string_equal(stage_json_string(s, ask_json(s, r, "history", NULL), "rollouts.0.standing"), "ended");
}

/* What a person saw, line by line, is what `show` tells afterwards. */
static void show_tells_every_line_again(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--rollout-id=one", NULL});
    struct stage_rollout *told = ASK(s, r, "show", "one");
    const char *end = strstr(r->out, "2 nodes: ");
    json_t *events = stage_json(s, ask_json(s, r, "show", "one"), "events");

    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted"));
    stage_rollout_expect(s, told, 0, STAGE_SAYS("ended     with exit code 0", "all leases are given back"));
    if (end == NULL || strstr(told->out, stage_text(s, "%.*s", (int)(end - r->out), r->out)) == NULL)
        stage_fail(s, "told otherwise:\n%s\nthan it was:\n%s", told->out, r->out);
    assert_string_equal(stage_json_string(s, json_array_get(events, 0), "event"), "began");
    assert_string_equal(stage_json_string(s, json_array_get(events, json_array_size(events) - 1), "event"), "ended");
}

static void a_killed_rollout_is_told_as_broken_off(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_start(
        f, (const char *const[]){"--rollout-id=one", "--lease-ttl=5s", "--min-healthy-time=30s", NULL});

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    until_told(s, r, "node1: in motion in step health");
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    stage_rollout_expect(s, ASK(s, r, "status"), 0,
                         STAGE_SAYS("broken off", "node1: left in mid-motion in step health", f->node[0].server->peer,
                                    "what to do: rollout resume one"));
    stage_rollout_expect(s, ASK(s, r, "history"), 0, STAGE_SAYS("BROKEN OFF"));
    assert_string_equal(stage_json_string(s, ask_json(s, r, "status", NULL), "nodes.0.state"), "left in mid-motion");
    assert_string_equal(stage_json_string(s, ask_json(s, r, "status", NULL), "to_do"), "rollout resume one");
}

static void where_nothing_was_rolled_that_is_said(struct stage *s)
{
    struct stage_rollout *r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"status", NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("no rollout has kept a journal in", r->state_dir));
    stage_rollout_expect(s, ASK(s, r, "history"), 0, STAGE_SAYS("no rollout has kept a journal in"));
    assert_true(json_is_null(stage_json(s, ask_json(s, r, "status", NULL), "rollout")));
    assert_int_equal(json_array_size(stage_json(s, ask_json(s, r, "history", NULL), "rollouts")), 0);
    stage_rollout_expect(s, ASK(s, r, "show", "one"), 0, STAGE_SAYS("no rollout has kept a journal in"));
}

static void an_unknown_rollout_is_a_wrong_argument(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--rollout-id=one", NULL});

    stage_rollout_expect(s, ASK(s, r, "show", "two"), 64, STAGE_SAYS("knows no rollout two", "rollout history"));
    stage_rollout_expect(s, ASK(s, r, "status", "two"), 64, STAGE_SAYS("knows no rollout two"));
}

/* ---- signals */

/* It runs the release already, but would have to be watched for longer than a stop waits. */
static void a_stop_waits_5_s_for_a_restarted_node_and_then_names_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--rollout-id=one",
                                                   "--min-healthy-time=60s", "--lease-ttl=5s", NULL});
    uint64_t asked_ms, took_ms;

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGTERM);
    asked_ms = stage_now_ms();
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    took_ms = stage_now_ms() - asked_ms;
    assert_in_range(took_ms, 4900, stage_limit_ms(s, 12000));
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("node1: OUT OF ROTATION; in step health: the rollout was stopped",
                                    f->node[0].server->peer, "1 not begun",
                                    stage_text(s, "Act now: rollout repair --hosts %s", f->hosts)));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_json_string(s, stage_fleet_claim(f, 0), "rollout"), "one");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0,
                         STAGE_SAYS("1 put back"));
    assert_true(stage_fleet_all_up(f));
    assert_string_equal(stage_server_version(f->node[0].server), "2");
}

static void sigusr1_finishes_the_node_at_hand_and_ends_with_7(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGUSR1);
    stage_rollout_until(s, r, "stopping  paused by SIGUSR1", RUN_LIMIT_MS);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 7, STAGE_SAYS("3 nodes: 1 restarted, 2 not begun", "rollout resume one"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    stage_rollout_expect(s, ASK(s, r, "status"), 0, STAGE_SAYS("exit code 7: paused", "rollout resume one"));
}

/* All would go at once, but for the canary; then it waits, its leases renewed, for SIGUSR2. */
static void the_canary_goes_alone_and_sigusr2_lets_the_rest_follow(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--batch=4", "--max-unavailable=3",
                                                   "--lease-ttl=10s", "--pause-after=canary", NULL});

    stage_rollout_until(s, r, "held      after the canary", RUN_LIMIT_MS);
    assert_int_equal(stage_fleet_same_pids(f, &before), 3);
    assert_int_not_equal(stage_server_pid(f->node[0].server), before.pid[0]);
    assert_true(stage_fleet_all_up(f));
    until_told(s, r, "waits: after the canary");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 6, STAGE_SAYS("held by rollout one"));
    stage_proc_signal(s, r->proc, SIGUSR2);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("promoted  by SIGUSR2", "4 restarted"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 0);
}

/* Killed before it came to its pause, it waits there when it is resumed; killed while it waits, it goes on. */
static void a_resume_waits_where_nobody_has_let_it_go_on(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *dead =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--lease-ttl=1s", "--pause-after=canary",
                                                   "--min-healthy-time=1s", NULL});
    const char *const resume[] = {"resume", "one", NULL};
    struct stage_rollout *r;

    stage_rollout_until(s, dead, "node1     health", RUN_LIMIT_MS);
    stage_proc_stop(s, dead->proc, SIGKILL, 5000);
    r = stage_rollout_start(s, dead->state_dir, resume);
    stage_rollout_until(s, r, "held      after the canary", RUN_LIMIT_MS);
    stage_proc_stop(s, r->proc, SIGKILL, 5000);
    r = stage_rollout_start(s, dead->state_dir, resume);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 already there, 2 restarted"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_journal_is_told_while_the_rollout_writes_it),
        stage_test(show_tells_every_line_again),
        stage_test(a_killed_rollout_is_told_as_broken_off),
        stage_test(where_nothing_was_rolled_that_is_said),
        stage_test(an_unknown_rollout_is_a_wrong_argument),
        stage_test(a_stop_waits_5_s_for_a_restarted_node_and_then_names_it),
        stage_test(sigusr1_finishes_the_node_at_hand_and_ends_with_7),
        stage_test(the_canary_goes_alone_and_sigusr2_lets_the_rest_follow),
        stage_test(a_resume_waits_where_nobody_has_let_it_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
