/* rollout_plan_case.c - what reads and changes nothing: plan, --explain, version, help. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

static void plan_reads_everything_and_changes_nothing(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    const char *before = stage_fleet_picture(f);
    const char *v1 = stage_server_variant(s, "v1"), *v2 = stage_server_variant(s, "v2");

    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--release", v2, NULL}), 0,
                         STAGE_SAYS("node1: upgrade", "node2: upgrade", f->node[0].server->peer,
                                    "upstream app at lb1: 2 of 2 peers up, the floor is 1", "upstream app at lb2",
                                    "2 of 2 nodes to upgrade", "nothing was changed"));
    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--release", v2, "--detailed-exitcode", NULL}),
        2, STAGE_SAYS("2 of 2 nodes to upgrade"));
    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--release", v1, "--detailed-exitcode", NULL}),
        0, STAGE_SAYS("node1: runs", "0 of 2 nodes to upgrade"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--limit=node2", NULL}), 0,
                         STAGE_SAYS("node2: restart", "1 of 1 nodes to restart"));
    assert_string_equal(stage_fleet_picture(f), before);
}

static void plan_needs_every_agent(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    stage_agent_stop(f->node[1].agent, SIGTERM);
    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"plan", "--detailed-exitcode", "--request-timeout=1s", NULL}),
        4, STAGE_SAYS("node node2"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 4, STAGE_SAYS("node node2", "nothing was changed"));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--limit=node1", NULL}), 0,
                         STAGE_SAYS("node1: restart"));
}

static void plan_is_refused_what_roll_would_be_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"plan", "--min-healthy-time=10s", "--healthy-deadline=10s", NULL}),
        5, STAGE_SAYS("no node can be healthy by --healthy-deadline"));
    stage_server_kill(f->node[1].server, SIGKILL);
    stage_rollout_expect(s,
                         stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--detailed-exitcode", NULL}),
                         5, STAGE_SAYS("node2: no process of service app runs there"));
}

static void the_program_explains_itself(struct stage *s)
{
    static const struct {
        const char *args[4];
        int exit_code;
        const char *text;
    } rows[] = {
        {{"--explain"}, 0, "quiet"},
        {{"version"}, 0, "rollout 0."},
        {{"help"}, 0, "rollout resume ID"},
        {{"--help"}, 0, "rollout help options"},
        {{"help", "options"}, 0, "--max-unavailable"},
        {{"help", "repair"}, 0, "--lease-ttl"},
        {{"plan", "--help"}, 0, "--detailed-exitcode"},
        {{"--drain-timout", "1s"}, 64, "did you mean --drain-timeout"},
        {{"pln"}, 64, "did you mean plan"},
        {{"--detailed-exitcode"}, 64, "--detailed-exitcode"},
        {{NULL}, 64, "--hosts"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        stage_rollout_expect(s, stage_rollout(s, RUN_LIMIT_MS, rows[i].args), rows[i].exit_code,
                             STAGE_SAYS(rows[i].text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(plan_reads_everything_and_changes_nothing),
        stage_test(plan_needs_every_agent),
        stage_test(plan_is_refused_what_roll_would_be_refused),
        stage_test(the_program_explains_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
