/* rollout_upgrade_case.c - the main job on the real parts: a small fleet goes from one release to the next. */
#include <signal.h>
#include <string.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define OLD_ENDS_MS  10000

static bool is_alone(void *ctx)
{
    return stage_server_count(ctx) == 1;
}

/* Each node is served by one process, another than then; the one before has ended once its connections are at rest. */
static void assert_all_new(struct stage_fleet *f, const struct stage_pids *then)
{
    assert_int_equal(stage_fleet_same_pids(f, then), 0);
    for (unsigned i = 0; i < f->n_nodes; i++) {
        assert_int_not_equal(stage_server_pid(f->node[i].server), 0);
        stage_wait_until(f->stage, is_alone, f->node[i].server, OLD_ENDS_MS, "the process before to end");
    }
}

/* What the clients sent is what the servers answered, and none failed. */
static void assert_nothing_lost(struct stage_fleet *f, struct stage_load *l)
{
    uint64_t answered = 0;

    stage_load_end(f->stage, l);
    if (l->failed != 0)
        stage_fail(f->stage, "%lu of %lu requests failed:\n%s", l->failed, l->sent, stage_load_failures(f->stage, l));
    for (unsigned i = 0; i < f->n_nodes; i++) {
        stage_server_kill(f->node[i].server, SIGTERM);
        answered += stage_server_answered(f->node[i].server);
    }
    assert_int_equal(l->answered, l->sent);
    assert_int_equal(answered, l->sent);
}

static void a_fleet_under_load_is_upgraded_without_losing_a_request(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v2"), NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 upgraded"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 3);
    assert_all_new(f, &before);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_nothing_lost(f, load);
}

static void a_restart_under_load_renews_every_process_and_keeps_the_executable(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, NULL);

    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 restarted"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_all_new(f, &before);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    assert_nothing_lost(f, load);
}

static void a_fleet_that_runs_the_release_is_left_alone(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v1"), NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("nothing to do"));
    assert_string_equal(stage_fleet_picture(f), before);
}

static void the_same_upgrade_again_touches_only_what_is_not_there_yet(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", release, "--limit", "node1", NULL});
    struct stage_pids before;

    stage_rollout_expect(s, r, 0, NULL);
    assert_string_equal(stage_server_version(f->node[0].server), "2");
    assert_string_equal(stage_server_version(f->node[1].server), "1");
    before = stage_fleet_pids(f);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", release, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 upgraded", "1 already there"));
    assert_int_equal(stage_server_pid(f->node[0].server), before.pid[0]);
    assert_int_not_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
    assert_true(stage_fleet_all_up(f));
}

static void only_the_nodes_of_limit_are_touched(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = stage_fleet_run(
        f, RUN_LIMIT_MS,
        (const char *const[]){"--release", stage_server_variant(s, "v2"), "--limit", "node3,node1", NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 nodes: 2 upgraded"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_int_equal(stage_fleet_same_pids(f, &before), 1);
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
}

/* ---- pace */

struct sampling {
    struct stage_fleet *fleet;
    struct stage_rollout *rollout;
    unsigned least; /* peers up in any look */
};

static bool has_ended(void *ctx)
{
    struct sampling *w = ctx;
    unsigned up = 0;
    json_t *peer;
    size_t i;
    struct stage *s = w->fleet->stage;
    struct stage_answer *a =
        stage_http(s, "GET", stage_text(s, "%s/9/http/upstreams/app", w->fleet->lb[0]->api), NULL, NULL);

    json_array_foreach(stage_json(s, a->json, "peers"), i, peer) up +=
        strcmp(stage_json_string(s, peer, "state"), "up") == 0;
    w->least = up < w->least ? up : w->least;
    return stage_proc_ended(s, w->rollout->proc);
}

static unsigned least_up(struct stage_fleet *f, const char *const *args)
{
    struct sampling w = {f, stage_fleet_start(f, args), f->n_nodes};

    stage_wait_until(f->stage, has_ended, &w, RUN_LIMIT_MS, "the rollout to end");
    stage_rollout_end(f->stage, w.rollout, 1000);
    stage_rollout_expect(f->stage, w.rollout, 0, NULL);
    return w.least;
}

static void one_node_after_another_is_out_by_default(struct stage *s)
{
    assert_int_equal(least_up(stage_fleet(s, 3, 1), NULL), 2);
}

static void a_batch_of_two_is_out_at_once_and_no_more(struct stage *s)
{
    assert_int_equal(
        least_up(stage_fleet(s, 4, 1), (const char *const[]){"--batch", "2", "--max-unavailable", "2", NULL}), 2);
}

static void a_batch_waits_where_the_floor_forbids_it(struct stage *s)
{
    assert_int_equal(
        least_up(stage_fleet(s, 4, 1), (const char *const[]){"--batch", "3", "--max-unavailable", "1", NULL}), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_fleet_under_load_is_upgraded_without_losing_a_request),
        stage_test(a_restart_under_load_renews_every_process_and_keeps_the_executable),
        stage_test(a_fleet_that_runs_the_release_is_left_alone),
        stage_test(the_same_upgrade_again_touches_only_what_is_not_there_yet),
        stage_test(only_the_nodes_of_limit_are_touched),
        stage_test(one_node_after_another_is_out_by_default),
        stage_test(a_batch_of_two_is_out_at_once_and_no_more),
        stage_test(a_batch_waits_where_the_floor_forbids_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
