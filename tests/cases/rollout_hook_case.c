/* rollout_hook_case.c - commands of the user's own at their points: what the node is when they run, what they are told,
 * and what becomes of the node and the others when they fail, hang, or are run twice. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

/* "POINT=COMMAND": notes what it was told in files of the stage's folder, and waits as long as hold-POINT is there. */
static const char *hook(struct stage *s, const char *point)
{
    const char *script = stage_write(s, "hook.sh",
                                     "cd \"$1\"\n"
                                     "cat >\"$ROLLOUT_POINT-$ROLLOUT_NODE.json\"\n"
                                     "env | grep ^ROLLOUT_ >\"$ROLLOUT_POINT-$ROLLOUT_NODE.env\"\n"
                                     "echo \"$ROLLOUT_POINT $ROLLOUT_NODE $ROLLOUT_REVERSE$ROLLOUT_RESUMED\" >>ran\n"
                                     "while [ -e \"hold-$ROLLOUT_POINT\" ]; do sleep 0.02; done\n");

    return stage_text(s, "%s=sh %s %s", point, script, s->dir);
}

static void hold(struct stage *s, const char *point)
{
    (void)stage_write(s, stage_text(s, "hold-%s", point), "");
}

static void let_go(struct stage *s, const char *point)
{
    assert_int_equal(unlink(stage_text(s, "%s/hold-%s", s->dir, point)), 0);
}

static const char *ran(struct stage *s)
{
    return access(stage_text(s, "%s/ran", s->dir), R_OK) == 0 ? stage_read(s, "ran") : "";
}

struct wanted {
    struct stage *s;
    const char *text;
};

static bool has_run(void *ctx)
{
    const struct wanted *w = ctx;

    return strstr(ran(w->s), w->text) != NULL;
}

static void wait_for(struct stage *s, const char *text)
{
    stage_wait_until(s, has_run, &(struct wanted){s, text}, RUN_LIMIT_MS, text);
}

static json_t *told(struct stage *s, const char *name)
{
    json_t *o = json_loads(stage_read(s, name), 0, NULL);

    assert_non_null(o);
    return stage_keep(s, o, (void (*)(void *))json_decref);
}

static void expect_text(const json_t *o, const char *name, const char *value)
{
    assert_string_equal(json_string_value(json_object_get(o, name)), value);
}

static void expect_true(const json_t *o, const char *name, bool value)
{
    assert_true(json_is_boolean(json_object_get(o, name)));
    assert_int_equal(json_is_true(json_object_get(o, name)), value);
}

/* The same in the environment, and nothing of certificates and keys. */
static void expect_env(struct stage *s, const char *name, const char *const *lines)
{
    const char *env = stage_text(s, "\n%s", stage_read(s, name));

    for (; *lines != NULL; lines++)
        if (strstr(env, stage_text(s, "\n%s\n", *lines)) == NULL)
            stage_fail(s, "%s lacks %s:%s", name, *lines, env);
    assert_null(strstr(env, ".pem"));
    assert_null(strstr(env, "ROLLOUT_KEY"));
    assert_null(strstr(env, "ROLLOUT_HOOK="));
}

/* Each is waited for, so that what the node is meanwhile can be seen. */
static void they_run_at_their_points_and_are_told_the_facts(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r;
    const json_t *o;

    hold(s, "before-drain");
    hold(s, "after-handover");
    hold(s, "after-readd");
    r = stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--version", "2.0",
                                                   "--rollout-id", "pipeline-7", "--hook", hook(s, "before-drain"),
                                                   "--hook", hook(s, "after-handover"), "--hook",
                                                   hook(s, "after-readd"), "--hook", hook(s, "at-end"), NULL});
    wait_for(s, "before-drain node1 00\n");
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "up");
    stage_fleet_expect_versions(f, "11");
    let_go(s, "before-drain");
    wait_for(s, "after-handover node1 00\n");
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_string_equal(stage_fleet_peer_state(f, 1, 0), "down");
    stage_fleet_expect_versions(f, "21");
    let_go(s, "after-handover");
    wait_for(s, "after-readd node1 00\n");
    assert_true(stage_fleet_all_up(f));
    assert_false(stage_fleet_is_free(f));
    let_go(s, "after-readd");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 upgraded", "at-end    hook      ended well"));
    stage_load_end_whole(s, load);
    assert_string_equal(ran(s), "before-drain node1 00\nafter-handover node1 00\nafter-readd node1 00\n"
                                "before-drain node2 00\nafter-handover node2 00\nafter-readd node2 00\nat-end  \n");

    o = told(s, "after-handover-node1.json");
    expect_text(o, "point", "after-handover");
    expect_text(o, "id", "pipeline-7");
    expect_text(o, "kind", "roll");
    expect_text(o, "node", "node1");
    expect_text(o, "service", "app");
    expect_text(o, "version", "2.0");
    assert_int_equal(json_array_size(json_object_get(o, "peers")), 2);
    expect_true(o, "reverse", false);
    expect_true(o, "node_failed", false);
    assert_int_equal(json_integer_value(json_object_get(o, "pid")), stage_server_pid(f->node[0].server));
    assert_string_not_equal(json_string_value(json_object_get(o, "from")), json_string_value(json_object_get(o, "to")));
    expect_env(s, "after-handover-node1.env",
               STAGE_SAYS("ROLLOUT_POINT=after-handover", "ROLLOUT_ID=pipeline-7", "ROLLOUT_NODE=node1",
                          "ROLLOUT_UPSTREAMS=app", "ROLLOUT_LBS=lb1,lb2", "ROLLOUT_REVERSE=0", "ROLLOUT_VERSION=2.0",
                          stage_text(s, "ROLLOUT_PEERS=%s of app at lb1,%s of app at lb2", f->node[0].server->peer,
                                     f->node[0].server->peer)));
    o = told(s, "at-end-.json");
    assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 0);
    assert_int_equal(json_array_size(json_object_get(o, "nodes")), 2);
    expect_env(s, "at-end-.env",
               STAGE_SAYS("ROLLOUT_EXIT_CODE=0", "ROLLOUT_DONE=2", "ROLLOUT_OUTCOME=every node is at the target"));
}

static void a_before_drain_that_fails_leaves_the_node_as_it_is(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"--release", stage_server_variant(s, "v2"), "--hook", hook(s, "before-drain"), "--hook",
                              "before-drain=echo the pager is down >&2; exit 3", "--hook", hook(s, "after-handover"),
                              "--hook", hook(s, "after-readd"), "--hook", hook(s, "at-end"), NULL});

    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("node1     hook      | the pager is down",
                                    "node1: failed, in rotation; in step before-drain: its hook failed (exit code 3: "
                                    "the pager is down)",
                                    "1 not begun"));
    /* The first of the two has done something, which is to be taken back. */
    assert_string_equal(ran(s), "before-drain node1 00\nafter-readd node1 00\nat-end  \n");
    expect_env(s, "after-readd-node1.env", STAGE_SAYS("ROLLOUT_NODE_FAILED=1", "ROLLOUT_WHY=its hook failed"));
    expect_env(s, "at-end-.env", STAGE_SAYS("ROLLOUT_EXIT_CODE=1", "ROLLOUT_FAILED_NODES=node1"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_null(strstr(r->out, "drain     waits"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void an_after_handover_that_fails_brings_the_release_before_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--release", stage_server_variant(s, "v2"), "--hook",
                                              "after-handover=test $ROLLOUT_REVERSE = 1", NULL});

    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: failed, in rotation; in step after-handover: its hook failed"));
    stage_load_end_whole(s, load);
    stage_fleet_expect_versions(f, "11");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void an_after_readd_that_fails_leaves_it_in_rotation_and_a_way_back_is_told_to_hooks(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--release", stage_server_variant(s, "v2"), "--failure-action",
                                              "rollback", "--hook", hook(s, "after-readd"), "--hook",
                                              "after-readd=test $ROLLOUT_NODE$ROLLOUT_REVERSE != node20", NULL});

    stage_rollout_expect(s, r, 8, STAGE_SAYS("failed its hook, in rotation as it is", "2 taken back"));
    assert_string_equal(ran(s), "after-readd node1 00\nafter-readd node2 00\nafter-readd node2 10\n"
                                "after-readd node1 10\n");
    stage_fleet_expect_versions(f, "11");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* node1's hook ignores SIGTERM and lasts longer than leases and claims do. */
static void a_hook_that_hangs_holds_up_nobody_else(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){
            "--release", stage_server_variant(s, "v2"), "--batch", "2", "--canary", "0", "--max-failures", "1",
            "--max-unavailable", "2", "--lease-ttl", "1s", "--hook-timeout", "500ms", "--hook",
            "after-handover=test $ROLLOUT_NODE != node1 || { trap '' TERM; echo hangs; while :; do sleep 9; done; }",
            NULL});
    const char *out = r->out, *hangs = strstr(out, "hook      | hangs"), *late = strstr(out, "it did not end in time"),
               *other = strstr(out, "node2     done"), *last = strstr(out, "node3     done");

    stage_rollout_expect(s, r, 1, STAGE_SAYS("2 upgraded", "node1: failed, in rotation; in step after-handover"));
    assert_true(hangs != NULL && late != NULL && other != NULL && last != NULL);
    assert_true(hangs < late && other < late && last < late);
    stage_fleet_expect_versions(f, "122");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void what_a_killed_rollout_left_in_a_hook_goes_on_with_it_again(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r;

    hold(s, "after-handover");
    r = stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--rollout-id", "p-7",
                                                   "--lease-ttl", "1s", "--hook", hook(s, "before-drain"), "--hook",
                                                   hook(s, "after-handover"), NULL});
    wait_for(s, "after-handover node1 00\n");
    stage_proc_signal(s, r->proc, SIGKILL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    let_go(s, "after-handover");
    r = stage_rollout_start(s, r->state_dir, (const char *const[]){"resume", "p-7", NULL});
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, NULL);
    assert_string_equal(ran(s), "before-drain node1 00\nafter-handover node1 00\nafter-handover node1 01\n"
                                "before-drain node2 00\nafter-handover node2 00\n");
    stage_load_end_whole(s, load);
    stage_fleet_expect_versions(f, "22");
    assert_true(stage_fleet_is_free(f));
}

static void an_at_end_that_fails_makes_a_success_exit_with_1(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS, (const char *const[]){"--hook", "at-end=echo $ROLLOUT_EXIT_CODE; false", NULL});
    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("2 restarted", "at-end    hook      | 0",
                                    "the hook at-end failed: echo $ROLLOUT_EXIT_CODE; false: exit code 1: 0"));
    assert_true(stage_fleet_is_free(f));
}

/* It is ended with the rollout: the stage finds whoever is left. */
static void a_second_signal_ends_the_hook_too(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--hook", "after-readd=echo pid $$.; exec sleep 1000", NULL});
    const char *said;
    pid_t pid;

    stage_rollout_until(s, r, "hook      | pid ", RUN_LIMIT_MS);
    said = stage_rollout_said(s, r);
    pid = (pid_t)strtol(strstr(said, "| pid ") + strlen("| pid "), NULL, 10);
    assert_true(pid > 0 && kill(pid, 0) == 0);
    stage_proc_signal(s, r->proc, SIGINT);
    stage_rollout_until(s, r, "SIGINT came", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGINT);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3, STAGE_SAYS("node1: left in mid-motion; in step after-readd"));
    assert_int_not_equal(kill(pid, 0), 0);
    assert_true(stage_fleet_all_up(f));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0, NULL);
}

/* A typing error in the environment is said; what a hook is told is none, also where a hook runs this program. */
static void a_variable_that_sets_nothing_is_warned_of_but_no_fact_within_a_hook(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *hosts = stage_text(s, "%s/rollout hosts --hosts %s", s->build, f->hosts);
    static const char warning[] = "rollout: warning: the environment has unknown settings, passed over: ROLLOUT_BACTH "
                                  "(did you mean ROLLOUT_BATCH?)\n";
    struct stage_run r = stage_run(
        s, RUN_LIMIT_MS, (const char *const[]){"/bin/sh", "-c", stage_text(s, "ROLLOUT_BACTH=3 %s", hosts), NULL});

    assert_int_equal(r.exit_code, 0);
    assert_string_equal(r.out, "node1\nnode2\n");
    assert_string_equal(r.err, warning);
    stage_rollout_expect(
        s,
        stage_fleet_run(
            f, RUN_LIMIT_MS,
            (const char *const[]){stage_text(s, "--hook=at-end=%s 2>%s/facts", hosts, s->dir),
                                  stage_text(s, "--hook=at-end=ROLLOUT_BACTH=3 %s 2>%s/typed", hosts, s->dir), NULL}),
        0, STAGE_SAYS("node2"));
    assert_string_equal(stage_read(s, stage_text(s, "%s/facts", s->dir)), "");
    assert_string_equal(stage_read(s, stage_text(s, "%s/typed", s->dir)), warning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(they_run_at_their_points_and_are_told_the_facts),
        stage_test(a_before_drain_that_fails_leaves_the_node_as_it_is),
        stage_test(an_after_handover_that_fails_brings_the_release_before_back),
        stage_test(an_after_readd_that_fails_leaves_it_in_rotation_and_a_way_back_is_told_to_hooks),
        stage_test(a_hook_that_hangs_holds_up_nobody_else),
        stage_test(what_a_killed_rollout_left_in_a_hook_goes_on_with_it_again),
        stage_test(an_at_end_that_fails_makes_a_success_exit_with_1),
        stage_test(a_second_signal_ends_the_hook_too),
        stage_test(a_variable_that_sets_nothing_is_warned_of_but_no_fact_within_a_hook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
