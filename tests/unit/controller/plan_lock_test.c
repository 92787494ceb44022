/* Who has a vote where a load balancer is NGINX Plus, and when a majority of them can be had. */
#include "controller/plan_pack.h"
#include "scene.h"

#define OTHERS 3

static const char *const voting[] = {"claim", "restart", "upgrade", "rollback", "health", "release", "lock"};

struct polling {
    struct scene s;
    struct survey_node others[OTHERS]; /* c, d as they are; the rest of the scene is a and b */
};

/* lb2 is Plus; a and b are rolled, c and d limited out. */
static void set_up(struct polling *p)
{
    struct scene *s = &p->s;

    memset(p, 0, sizeof *p);
    scene_open(s, NULL);
    s->upstreams[1].lease = (struct lb_lease){0};
    for (uint32_t i = 0; i < SCENE_NODES; i++) {
        s->nodes[i].root.features = (const char **)(uintptr_t)voting;
        s->nodes[i].root.n_features = sizeof voting / sizeof *voting;
    }
    p->others[0] = s->nodes[2];
    p->others[1] = s->nodes[3];
    s->survey.n_nodes = 2;
    s->survey.others = p->others;
    s->survey.n_others = 2;
}

static void silent(struct survey_node *n)
{
    n->good = false;
    n->call = CALL_TIMEOUT;
    n->text = "no answer within 3s";
}

static void given_to_another(struct survey_node *n)
{
    n->status.lock = (struct agent_lock){.there = true, .rollout = "r9", .holder = "bob@ci", .left_s = 12};
}

static void all_hosts_of_the_service_have_a_vote_and_the_fence_is_above_what_they_have_seen(void **state)
{
    struct polling p;
    struct plan *again;
    struct err err = {""};
    char *text;

    (void)state;
    set_up(&p);
    p.others[1].status.fence = 40;
    scene_plan(&p.s);
    assert_non_null(p.s.plan);
    assert_int_equal(p.s.plan->fence, 41);
    assert_int_equal(p.s.plan->n_voters, 4);
    assert_int_equal(p.s.plan->n_groups, 1);
    assert_false(p.s.plan->upstreams[0].plus);
    assert_true(p.s.plan->upstreams[1].plus);
    text = plan_pack(p.s.plan);
    again = plan_unpack(text, &err);
    assert_non_null(again);
    assert_int_equal(again->n_groups, 1);
    assert_true(again->upstreams[1].plus);
    for (uint32_t i = 0; i < 4; i++) {
        const char name[] = {(char)('a' + i), '\0'};

        assert_string_equal(again->voters[i].host, name);
        assert_string_equal(again->voters[i].service, "app");
    }
    free(text);
    plan_free(&again);
    scene_close(&p.s);
}

static void without_plus_nobody_votes(void **state)
{
    struct polling p;

    (void)state;
    set_up(&p);
    p.s.upstreams[1].lease.known = true;
    scene_plan(&p.s);
    assert_int_equal(p.s.plan->n_voters, 0);
    scene_close(&p.s);
}

static void who_does_not_answer_is_asked_last(void **state)
{
    struct polling p;

    (void)state;
    set_up(&p);
    silent(&p.others[0]);
    scene_plan(&p.s);
    assert_non_null(p.s.plan);
    assert_string_equal(p.s.plan->voters[2].host, "d");
    assert_string_equal(p.s.plan->voters[3].host, "c");
    scene_close(&p.s);
}

static void too_few_that_answer_are_4(void **state)
{
    struct polling p;

    (void)state;
    set_up(&p);
    silent(&p.others[0]);
    silent(&p.others[1]);
    scene_plan(&p.s);
    assert_null(p.s.plan);
    assert_int_equal(p.s.complaints.exit_code, 4);
    assert_true(scene_complained(&p.s, "lb2 has no lease (NGINX Plus)"));
    assert_true(scene_complained(&p.s, "2 of 4 can: c: no answer within 3s"));
    scene_close(&p.s);
}

static void too_few_that_are_free_are_6_and_it_is_named_who_has_them(void **state)
{
    struct polling p;

    (void)state;
    set_up(&p);
    given_to_another(&p.others[0]);
    scene_plan(&p.s);
    assert_non_null(p.s.plan); /* three of four */
    scene_close(&p.s);
    set_up(&p);
    given_to_another(&p.others[0]);
    given_to_another(&p.others[1]);
    scene_plan(&p.s);
    assert_null(p.s.plan);
    assert_int_equal(p.s.complaints.exit_code, 6);
    assert_true(scene_complained(&p.s, "2 of 4 agents have given their votes to rollout r9 (bob@ci), 12 s left"));
    scene_close(&p.s);
}

static void votes_that_have_run_out_or_are_our_own_are_in_nobodys_way(void **state)
{
    struct polling p;

    (void)state;
    set_up(&p);
    given_to_another(&p.s.nodes[0]);
    p.s.nodes[0].status.lock.left_s = 0;
    given_to_another(&p.others[0]);
    given_to_another(&p.others[1]);
    p.others[0].status.lock.rollout = p.others[1].status.lock.rollout = "r1";
    p.others[0].status.lock.holder = p.others[1].status.lock.holder = "ann@ci";
    scene_plan(&p.s);
    assert_non_null(p.s.plan);
    scene_close(&p.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_hosts_of_the_service_have_a_vote_and_the_fence_is_above_what_they_have_seen),
        cmocka_unit_test(without_plus_nobody_votes),
        cmocka_unit_test(who_does_not_answer_is_asked_last),
        cmocka_unit_test(too_few_that_answer_are_4),
        cmocka_unit_test(too_few_that_are_free_are_6_and_it_is_named_who_has_them),
        cmocka_unit_test(votes_that_have_run_out_or_are_our_own_are_in_nobodys_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
