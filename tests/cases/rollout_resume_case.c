/* rollout_resume_case.c - the controller killed with SIGKILL at each of its steps and resumed, every second time from
 * an empty disk: the fleet gets to the target, no node is handed over twice, no request is lost. */
#include "resume_steps.h"

/* As soon as it says that a node has come to the step, whichever it is: the one before may be further than it was when
 * it was killed at. */
static void kill_at(struct stage_fleet *f, struct stage_rollout *r, const char *step)
{
    stage_rollout_until(f->stage, r, stage_text(f->stage, "  %-8s  waits for", step), RUN_LIMIT_MS);
    kill_now(f, r);
}

/* The k-th run after `before` was killed: every second time from an empty disk. */
static struct stage_rollout *go_on(struct stage_fleet *f, size_t k, struct stage_rollout *before, const char *release)
{
    if (k % 2 == 1)
        return resume_by_journal(f, before->state_dir);
    delete_folder(f->stage, before->state_dir);
    return k % 4 == 0 ? run_again(f, release) : resume_by_fleet(f, release);
}

static void killed_at_each_step_and_resumed_it_gets_to_the_target(struct stage *s)
{
    static const char *const steps[] = {"check",  "look",   "claim", "stage",  "floor", "drain",
                                        "quiet",  "down",   "empty", "silent", "job",   "handover",
                                        "verify", "health", "back",  "seen",   "bake",  "unclaim"};
    struct stage_fleet *f = stage_fleet(s, 14, 2);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r;

    r = run_again(f, release);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        kill_at(f, r, steps[i]);
        r = go_on(f, i + 1, r, release);
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("14 nodes:"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 14);
    expect_done(f, load);
}

/* A restart leaves no other executable to be known by: the agents' jobs tell who has had it. */
static void a_restart_that_is_resumed_restarts_no_node_twice(struct stage *s)
{
    static const char *const steps[] = {"silent", "handover", "health", "back", "claim"};
    struct stage_fleet *f = stage_fleet(s, 6, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = run_again(f, NULL);

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        kill_at(f, r, steps[i]);
        r = go_on(f, i + 1, r, NULL);
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("6 nodes:", "already there"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 0);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", ID, NULL}), 0,
                         STAGE_SAYS("has restarted all nodes already; nothing to do"));
    expect_done(f, load);
}

/* ---- two at once */

static void a_living_rollout_is_not_resumed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, 500);
    struct stage_rollout *living =
        stage_fleet_start(f, (const char *const[]){"--rollout-id", ID, "--lease-ttl=2s", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, living, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", ID, NULL}), 6,
                         STAGE_SAYS("held by rollout", ID, "it is alive", "nothing was changed",
                                    stage_text(s, "end it: rollout abort %s --hosts", ID)));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    stage_rollout_end(s, living, RUN_LIMIT_MS);
    stage_rollout_expect(s, living, 0, STAGE_SAYS("2 restarted"));
}

static void of_two_that_resume_at_once_one_works(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = run_again(f, NULL), *a, *b;

    kill_at(f, r, "handover");
    a = resume_by_fleet(f, NULL);
    b = resume_by_fleet(f, NULL);
    stage_rollout_end(s, a, RUN_LIMIT_MS);
    stage_rollout_end(s, b, RUN_LIMIT_MS);
    if (a->exit_code == 0 && b->exit_code == 0) /* the second began when the first had ended */
        stage_rollout_expect(s, b, 0, STAGE_SAYS("nothing to do"));
    else
        stage_rollout_expect(s, a->exit_code == 0 ? b : a, 6, STAGE_SAYS(ID));
    assert_true(a->exit_code == 0 || b->exit_code == 0);
    expect_done(f, load);
}

/* A signal while it waits for the dead one to run out: what is out is out, and is named. */
static void a_resume_that_is_stopped_while_it_waits_names_what_is_out(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--rollout-id", ID, NULL}); /* a ttl of 30 s */
    const char *const commands[] = {"resume", "repair"};

    kill_at(f, r, "silent");
    for (size_t i = 0; i < 2; i++) {
        r = stage_fleet_start(f, (const char *const[]){commands[i], i == 0 ? ID : NULL, NULL});
        stage_rollout_until(s, r, "waiting, at most", RUN_LIMIT_MS);
        stage_proc_signal(s, r->proc, SIGINT);
        stage_rollout_end(s, r, RUN_LIMIT_MS);
        stage_rollout_expect(
            s, r, 3, STAGE_SAYS("node1: out of rotation or its state unknown, as rollout", ID, "rollout repair"));
    }
}

/* ---- what it refuses */

static void what_nobody_knows_is_not_begun(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"resume", "nobody-1", NULL});

    stage_rollout_expect(s, r, 78, STAGE_SAYS("knows no rollout nobody-1: give --hosts FILE"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"resume", "nobody-1", NULL}), 5,
                         STAGE_SAYS("nothing in the fleet tells of rollout nobody-1", "nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

/* From an empty disk, an upgrade without its release: it is not taken for a restart, and what is out is named. */
static void an_upgrade_is_not_resumed_as_a_restart(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_rollout *r = run_again(f, release);

    kill_at(f, r, "health");
    delete_folder(s, r->state_dir);
    r = resume_by_fleet(f, NULL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS(stage_text(s, "node1: rollout %s is to release", ID), "name its file by --release",
                                    "node1: out of rotation or its state unknown", "rollout repair --hosts"));
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    r = resume_by_fleet(f, release);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 upgraded"));
    assert_true(stage_fleet_all_up(f));
    r = resume_by_fleet(f, NULL); /* all claims are gone: the jobs tell */
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 5,
                         STAGE_SAYS(stage_text(s, "node1: rollout %s is to release", ID), "nothing was changed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(killed_at_each_step_and_resumed_it_gets_to_the_target),
        stage_test(a_restart_that_is_resumed_restarts_no_node_twice),
        stage_test(a_living_rollout_is_not_resumed),
        stage_test(of_two_that_resume_at_once_one_works),
        stage_test(a_resume_that_is_stopped_while_it_waits_names_what_is_out),
        stage_test(what_nobody_knows_is_not_begun),
        stage_test(an_upgrade_is_not_resumed_as_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
