/* --in-place: who is handed over without a drain, and how. */
#include "controller/judge.h"
#include "scene.h"
#include "story.h"

/* Only node a is at lb2. */
static void open_alone(struct scene *s, const char *option)
{
    const char *args[] = {option, NULL};

    scene_open(s, args);
    s->upstreams[1].n_peers = 1;
}

static void one_that_is_alone_needs_it_and_is_told_so(void **state)
{
    struct scene s;

    (void)state;
    open_alone(&s, NULL);
    scene_plan(&s);
    assert_null(s.plan);
    assert_int_equal(s.complaints.exit_code, 5);
    assert_true(
        scene_complained(&s, "upstream app at lb2: 1 of 1 peers are up and the floor is 1, so none may be taken out "
                             "(a node has 1 there); add a second node, or accept a handover without a drain by "
                             "--in-place"));
    scene_close(&s);
}

static void with_it_only_the_one_that_is_alone_is_not_drained(void **state)
{
    struct scene s;

    (void)state;
    open_alone(&s, "--in-place");
    scene_plan(&s);
    assert_non_null(s.plan);
    assert_true(s.plan->nodes[0].in_place);
    for (uint32_t i = 1; i < SCENE_NODES; i++)
        assert_false(s.plan->nodes[i].in_place);
    scene_close(&s);
}

static void where_another_could_answer_it_changes_nothing(void **state)
{
    struct scene s;

    (void)state;
    open_alone(&s, "--in-place");
    s.upstreams[1].n_peers = 2;
    s.peers[1][1].state = PEER_DOWN; /* that one should be brought up: the floor says so */
    scene_plan(&s);
    assert_null(s.plan);
    assert_true(scene_complained(&s, "bring peers up or raise --max-unavailable"));
    scene_close(&s);
}

static void a_backup_is_no_company(void **state)
{
    struct scene s;

    (void)state;
    open_alone(&s, "--in-place");
    s.upstreams[1].n_peers = 2;
    s.peers[1][1].backup = true;
    scene_plan(&s);
    assert_non_null(s.plan);
    assert_true(s.plan->nodes[0].in_place);
    scene_close(&s);
}

/* ---- the way of such a node */

static struct story alone(bool rolls_back)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1, .lbs = 2});

    p->nodes[0].in_place = true;
    p->rolls_back = rolls_back;
    return story_of(p);
}

static void nothing_is_taken_out(void **state)
{
    struct story s = alone(false);

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "B", -1);
    assert_int_equal(story_logged(&s, "a at "), 0);
    assert_int_equal(s.fleet->agents[0].claim.mask, 0);
    story_before(&s, "a claim", "a job r1/a/job/1");
    story_before(&s, "a job ends: runs B", "a unclaimed");
    story_says(&s, "to release 420000000000, 1 in place, without a drain");
    story_says(&s, "a         health    waits for enough health checks in a row from the new process");
    assert_null(strstr(s.lines, "was out before"));
    story_end(&s);
}

static void a_bad_release_is_undone_in_place(void **state)
{
    struct story s = alone(true);

    (void)state;
    s.fleet->agents[0].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "A", -1);
    assert_int_equal(story_logged(&s, "a at "), 0);
    assert_int_equal(story_logged(&s, "a job r1/a/undo/2"), 1);
    story_all_back_but(&s, -1);
    story_end(&s);
}

/* Nothing was taken out, and yet a person is needed now. */
static void one_that_cannot_be_undone_is_named(void **state)
{
    struct story s = alone(false);

    (void)state;
    s.fleet->agents[0].fate = FATE_ILL;
    s.fleet->agents[0].undo_fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 3, "B", 0);
    story_says(&s, "a: NOT WELL, IN ROTATION; in step health: it did not get healthy");
    story_says(&s, "Act now: rollout repair --hosts FILE");
    story_end(&s);
}

static void it_goes_back_in_place_too(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 2});
    struct story s;

    (void)state;
    p->nodes[0].in_place = p->rolls_back = true;
    s = story_of(p);
    s.fleet->agents[2].fate = FATE_KEPT;
    story_roll(&s);
    story_ends(&s, 8, "AAA", -1);
    assert_int_equal(story_logged(&s, "a at "), 0);
    assert_int_equal(story_logged(&s, "a job r1/a/job/2"), 1);
    assert_int_equal(story_logged(&s, "b at lb2/app: drain"), 2);
    story_end(&s);
}

/* Node 0, which a run of before has handed over in place, is in `step` now; `before`: what ran until then. Its agent's
 * answer. */
static struct answer brought_by_a_killed_run(struct plan *p, struct node *n, enum step step, const struct ident *before)
{
    struct answer a = {.kind = ANS_OK, .job_of = ASK_JOB, .job = JOB_DONE, .attempt = 1};

    p->nodes[0].in_place = p->nodes[0].resumed = true;
    node_init(n, 0, p);
    n->step = (uint8_t)step;
    a.job_before = a.ident = *before;
    a.ident.pid += 50;
    a.ident.sha256[0] = FAKE_NEW;
    a.job_after = a.ident;
    return a;
}

/* Nothing of it is out, as with one that is back already; but its health was never seen. */
static void one_killed_behind_its_job_is_checked_before_it_is_done(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct node n;
    struct answer a = brought_by_a_killed_run(p, &n, STEP_RESUME, &p->nodes[0].before);
    struct verdict v = judge(&n, p, &a);

    (void)state;
    assert_int_equal(v.kind, VERDICT_GOTO);
    assert_int_equal(v.to, STEP_HEALTH);
    plan_free(&p);
}

/* What was there before runs again, but as a process that its undo has brought. */
static void one_killed_behind_its_undo_is_checked_before_it_is_done(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct node n;
    struct answer a = brought_by_a_killed_run(p, &n, STEP_RESUME, &p->nodes[0].before);
    struct verdict v;

    (void)state;
    a.job_of = ASK_UNDO;
    a.ident.sha256[0] = n.before.sha256[0];
    a.job_after = a.ident;
    v = judge(&n, p, &a);
    assert_int_equal(v.kind, VERDICT_GOTO);
    assert_int_equal(v.to, STEP_REHEALTH);
    plan_free(&p);
}

/* A repair has ended what a killed run left, behind our plan: what that run brought is still ours to take back. */
static void one_whose_claim_a_repair_has_dropped_goes_back_with_the_others(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct node n;
    struct answer a = brought_by_a_killed_run(p, &n, STEP_CHECK, &p->nodes[0].surveyed);
    struct verdict v = judge(&n, p, &a);

    (void)state;
    assert_int_equal(v.kind, VERDICT_GOTO);
    assert_int_equal(v.to, STEP_DONE);
    n.step = STEP_DONE;
    assert_true(node_was_changed(&n));
    plan_free(&p);
}

/* It was in rotation all the time; what the dead run brought may be ill, and the claim is the last that tells of it. */
static void a_repair_says_nothing_is_well_that_nobody_saw(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct node n;
    struct answer a = {.kind = ANS_OK, .job_of = ASK_NONE};
    struct verdict v;

    (void)state;
    p->kind = PLAN_REPAIR;
    p->nodes[0].in_place = true;
    node_init(&n, 0, p);
    n.step = STEP_RESUME;
    a.ident = n.before;
    v = judge(&n, p, &a);
    assert_int_equal(v.to, STEP_UNCLAIM); /* the job never was */
    a.ident.pid += 50;
    v = judge(&n, p, &a);
    assert_int_equal(v.kind, VERDICT_GOTO);
    assert_int_equal(v.to, STEP_REHEALTH);
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_alone_needs_it_and_is_told_so),
        cmocka_unit_test(with_it_only_the_one_that_is_alone_is_not_drained),
        cmocka_unit_test(where_another_could_answer_it_changes_nothing),
        cmocka_unit_test(a_backup_is_no_company),
        cmocka_unit_test(nothing_is_taken_out),
        cmocka_unit_test(a_bad_release_is_undone_in_place),
        cmocka_unit_test(one_that_cannot_be_undone_is_named),
        cmocka_unit_test(it_goes_back_in_place_too),
        cmocka_unit_test(one_killed_behind_its_job_is_checked_before_it_is_done),
        cmocka_unit_test(one_killed_behind_its_undo_is_checked_before_it_is_done),
        cmocka_unit_test(a_repair_says_nothing_is_well_that_nobody_saw),
        cmocka_unit_test(one_whose_claim_a_repair_has_dropped_goes_back_with_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
