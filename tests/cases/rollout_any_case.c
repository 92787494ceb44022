/* rollout_any_case.c - services that are not ours go from one release to the next, through agents as they are, behind
 * nginx and under load: the seed's program, nginx itself, and one that cannot hand over at all. */
#include "tests/cases/any_service.h"
#include "tests/stage/load.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define NODES        2

static void start_grace(struct stage_fleet *f, unsigned i)
{
    f->node[i].server = grace_start(f->stage, f->node[i].name);
    f->node[i].agent = stage_agent_start_for(f->stage, f->node[i].name, false, grace_config(f->node[i].server));
}

static void start_proxy(struct stage_fleet *f, unsigned i)
{
    f->node[i].server = proxy_start(f->stage, f->node[i].name);
    f->node[i].agent = stage_agent_start_for(f->stage, f->node[i].name, false, proxy_config(f->node[i].server));
}

static void start_plain(struct stage_fleet *f, unsigned i)
{
    f->node[i].server = plain_start(f->stage, f->node[i].name);
    f->node[i].agent = stage_agent_start_for(f->stage, f->node[i].name, false, plain_config(f->node[i].server));
}

static json_t *runs(struct stage_fleet *f, unsigned i)
{
    return stage_json(f->stage, stage_agent_http(f->node[i].agent, "GET", "/v1/services/app", NULL)->json, "ident");
}

/* Two rollouts, to the release and a restart, and back: every process is another one each time, none of a request is
 * lost. */
static void rolled_whole(struct stage *s, stage_node_fn *start, const char *release)
{
    struct stage_fleet *f = stage_fleet_of(s, NODES, 2, start);
    struct stage_load *load = stage_load_start_brief(f);
    const char *const upgrade[] = {"--release", release, NULL};
    const char *old = stage_json_string(s, runs(f, 0), "sha256");
    json_int_t pids[NODES];

    for (unsigned i = 0; i < NODES; i++)
        pids[i] = stage_json_int(s, runs(f, i), "pid");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, upgrade), 0, STAGE_SAYS("2 nodes: 2 upgraded"));
    for (unsigned i = 0; i < NODES; i++) {
        assert_string_not_equal(stage_json_string(s, runs(f, i), "sha256"), old);
        assert_int_not_equal(stage_json_int(s, runs(f, i), "pid"), pids[i]);
        pids[i] = stage_json_int(s, runs(f, i), "pid");
    }
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 0, STAGE_SAYS("2 nodes: 2 restarted"));
    for (unsigned i = 0; i < NODES; i++)
        assert_int_not_equal(stage_json_int(s, runs(f, i), "pid"), pids[i]);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"rollback", NULL}), 0, NULL);
    for (unsigned i = 0; i < NODES; i++)
        assert_string_equal(stage_json_string(s, runs(f, i), "sha256"), old);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    stage_load_end_whole(s, load);
}

static void the_seeds_program_is_rolled_without_losing_a_request(struct stage *s)
{
    rolled_whole(s, start_grace, grace_release(s, 2));
}

static void nginx_as_a_service_is_rolled_without_losing_a_request(struct stage *s)
{
    rolled_whole(s, start_proxy, proxy_release(s, 2));
}

static void a_service_without_handover_is_rolled_without_losing_a_request(struct stage *s)
{
    rolled_whole(s, start_plain, stage_server_variant(s, "v2"));
}

/* Its agent has ended the process before: it starts the release before again, and the rollout puts the node back. */
static void a_release_that_does_not_start_is_told_by_its_name_and_its_node_is_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet_of(s, NODES, 1, start_plain);
    struct stage_load *load = stage_load_start_brief(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "exit"), NULL});

    stage_rollout_expect(
        s, r, 1, STAGE_SAYS("not_started: the new process ended with exit code 1", "the release before was started"));
    stage_fleet_expect_versions(f, "11");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    stage_load_end_whole(s, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_seeds_program_is_rolled_without_losing_a_request),
        stage_test(nginx_as_a_service_is_rolled_without_losing_a_request),
        stage_test(a_service_without_handover_is_rolled_without_losing_a_request),
        stage_test(a_release_that_does_not_start_is_told_by_its_name_and_its_node_is_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
