/* What a plan says of failures. */
#include "scene.h"

/* Who asks to go on without saying how far goes on to the end; who says how far means it. */
static void how_many_may_fail(void **state)
{
    static const struct {
        const char *args[5];
        uint32_t max_failures;
    } rows[] = {{{NULL}, 0},
                {{"--max-failures", "3", NULL}, 3},
                {{"--failure-action", "continue", NULL}, UINT32_MAX},
                {{"--failure-action", "continue", "--max-failures", "0", NULL}, 0},
                {{"--failure-action", "continue", "--max-failures", "2", NULL}, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;

        scene_open(&s, rows[i].args);
        scene_plan(&s);
        assert_non_null(s.plan);
        assert_int_equal(s.plan->max_failures, rows[i].max_failures);
        scene_close(&s);
    }
}

/* ---- rollout rollback */

static void open_rollback(struct scene *s)
{
    scene_open(s, NULL);
    s->request.rollback = true;
    s->request.has_release = false;
    for (uint32_t i = 0; i < SCENE_NODES; i++) {
        s->nodes[i].status.has_previous = true;
        s->nodes[i].status.previous[0] = (uint8_t)('U' + i);
    }
}

static void each_node_goes_back_to_its_own_release_before(void **state)
{
    struct scene s;

    (void)state;
    open_rollback(&s);
    scene_plan(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.plan->kind, PLAN_ROLLBACK);
    assert_false(s.plan->has_release);
    for (uint32_t i = 0; i < SCENE_NODES; i++) {
        assert_true(s.plan->nodes[i].has_target);
        assert_int_equal(s.plan->nodes[i].target_sha256[0], 'U' + i);
        assert_false(s.plan->nodes[i].at_target);
    }
    scene_close(&s);
}

static void a_node_without_a_release_before_is_refused_and_named(void **state)
{
    struct scene s;

    (void)state;
    open_rollback(&s);
    s.nodes[2].status.has_previous = false;
    scene_plan(&s);
    assert_null(s.plan);
    assert_int_equal(s.complaints.exit_code, 5);
    assert_true(scene_complained(&s, "c: its agent knows no release before 410000000000, which runs there; bring one "
                                     "with --release, or take the host out with --limit"));
    scene_close(&s);
}

static void an_agent_that_cannot_tell_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_rollback(&s);
    s.nodes[1].root.n_features = 6;
    scene_plan(&s);
    assert_null(s.plan);
    assert_true(scene_complained(&s, "b: its agent (rollout-agent 0.1.0) cannot do previous; upgrade the agent"));
    scene_close(&s);
}

static struct agent_job job_of(const char *rollout, const char *action, enum job_state job_state, char after)
{
    struct agent_job job = {.id = "ID", .rollout = rollout, .action = action, .state = job_state};

    job.after.pid = 200;
    job.after.sha256[0] = (uint8_t)after;
    return job;
}

/* Run again with the same id: a node that it has taken back is not taken one further. */
static void what_this_rollout_took_back_is_done(void **state)
{
    struct scene s;

    (void)state;
    open_rollback(&s);
    s.nodes[0].status.job = job_of("r1", "rollback", JOB_DONE, 'A');
    s.nodes[1].status.job = job_of("r0", "rollback", JOB_DONE, 'A');   /* another's */
    s.nodes[2].status.job = job_of("r1", "rollback", JOB_FAILED, 'A'); /* it is still to be done */
    s.nodes[3].status.job = job_of("r1", "rollback", JOB_DONE, 'C');   /* and then somebody brought A */
    scene_plan(&s);
    assert_non_null(s.plan);
    assert_true(s.plan->nodes[0].at_target);
    for (uint32_t i = 1; i < SCENE_NODES; i++)
        assert_false(s.plan->nodes[i].at_target);
    scene_close(&s);
}

/* The rest of the way back is not known from here: which nodes had been changed, and to what. */
static void what_was_left_on_the_way_back_is_refused(void **state)
{
    struct scene s;
    struct agent_claim *claim;

    (void)state;
    scene_open(&s, NULL);
    claim = &s.nodes[1].status.claim;
    *claim = (struct agent_claim){
        .there = true, .rollout = "r1", .holder = "h", .fence = 3, .ttl_s = 30, .has_target = true};
    claim->before.pid = 101;
    claim->before.sha256[0] = 'B';
    claim->target[0] = 'A';
    scene_plan(&s);
    assert_null(s.plan);
    assert_int_equal(s.complaints.exit_code, 5);
    assert_true(scene_complained(&s,
                                 "b: rollout r1 was taking it back to 410000000000 when it was broken off; put it back "
                                 "first: rollout repair"));
    scene_close(&s);
}

/* A rollback that is run again finds its own claim, which says where the node goes; by now the agent may know one
 * release less. */
static void a_rollback_goes_where_its_claim_says(void **state)
{
    struct scene s;
    struct agent_claim *claim;

    (void)state;
    open_rollback(&s);
    claim = &s.nodes[1].status.claim;
    *claim = (struct agent_claim){
        .there = true, .rollout = "r1", .holder = "h", .fence = 3, .ttl_s = 30, .has_target = true};
    claim->before.pid = 101;
    claim->before.sha256[0] = 'B';
    claim->target[0] = 'A';
    s.nodes[1].status.job = job_of("r1", "rollback", JOB_DONE, 'A');
    scene_plan(&s);
    assert_non_null(s.plan);
    assert_true(s.plan->nodes[1].resumed);
    assert_int_equal(s.plan->nodes[1].target_sha256[0], 'A');
    scene_close(&s);

    open_rollback(&s); /* the claim of an upgrade with that id */
    s.nodes[1].status.claim = (struct agent_claim){
        .there = true, .rollout = "r1", .holder = "h", .fence = 3, .ttl_s = 30, .has_target = true};
    s.nodes[1].status.claim.target[0] = 'B';
    scene_plan(&s);
    assert_null(s.plan);
    assert_true(
        scene_complained(&s, "b: rollout r1 has claimed it, and is no rollback; go on with that by rollout resume"));
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_many_may_fail),
        cmocka_unit_test(each_node_goes_back_to_its_own_release_before),
        cmocka_unit_test(a_node_without_a_release_before_is_refused_and_named),
        cmocka_unit_test(an_agent_that_cannot_tell_is_refused),
        cmocka_unit_test(what_this_rollout_took_back_is_done),
        cmocka_unit_test(what_was_left_on_the_way_back_is_refused),
        cmocka_unit_test(a_rollback_goes_where_its_claim_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
