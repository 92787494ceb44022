/* Several services a node: each is a node of the plan, with a status, a claim, a job and peers of its own. */
#include "controller/agent_api.h"
#include "controller/plan_pack.h"
#include "scene.h"
#include "story.h"

static void names_are_read_one_by_one(void **state)
{
    char name[OPTION_NAME_MAX + 1];
    union option_value v;
    struct err err = {""};

    (void)state;
    assert_true(option_read(&option_rows[OPT_service], "app,jobs,x", &v, &err));
    assert_int_equal(option_names_count("app,jobs,x"), 3);
    assert_true(option_name_at("app,jobs,x", 0, name));
    assert_string_equal(name, "app");
    assert_true(option_name_at("app,jobs,x", 2, name));
    assert_string_equal(name, "x");
    assert_false(option_name_at("app,jobs,x", 3, name));
    assert_int_equal(option_names_count("app"), 1);
}

static void what_is_no_list_of_names_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {{"app,", "\"app,\" has a comma without a name beside it"},
                {",app", "has a comma without a name beside it"},
                {"a,,b", "has a comma without a name beside it"},
                {"a, b", "\" b\" is no name"},
                {"a,b,a", "\"a\" is named twice"},
                {"a,b/c", "\"b/c\" is no name"}};
    union option_value v;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};

        assert_false(option_read(&option_rows[OPT_service], rows[i].text, &v, &err));
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].text, err.text);
    }
}

/* Two hosts with two services each: a/app, a/jobs, b/app, b/jobs. */
static void open_two(struct scene *s)
{
    static const char *const services[] = {"app", "jobs"}, *const names[] = {"a/app", "a/jobs", "b/app", "b/jobs"};

    scene_open(s, NULL);
    for (uint32_t i = 0; i < SCENE_NODES; i++) {
        s->nodes[i].host = (uint32_t)fleet_find_host(s->fleet, i < 2 ? "a" : "b");
        s->nodes[i].root.node = i < 2 ? "a" : "b";
        s->nodes[i].service = services[i % 2];
        s->nodes[i].name = names[i];
    }
}

static void each_is_a_node_of_the_plan(void **state)
{
    struct scene s;
    struct err err = {""};
    struct plan *back;
    char *text;

    (void)state;
    open_two(&s);
    scene_plan(&s);
    assert_non_null(s.plan);
    text = plan_pack(s.plan);
    back = plan_unpack(text, &err);
    assert_non_null(back);
    for (uint16_t i = 0; i < SCENE_NODES; i++) {
        char *url = agent_api_url_jobs(back, i);

        assert_string_equal(back->nodes[i].name, s.nodes[i].name);
        assert_string_equal(plan_node_host(back, i), i < 2 ? "a" : "b");
        assert_string_equal(plan_node_service(back, i), i % 2 == 0 ? "app" : "jobs");
        assert_non_null(strstr(url, i % 2 == 0 ? "/v1/services/app/jobs" : "/v1/services/jobs/jobs"));
        free(url);
    }
    free(text);
    plan_free(&back);
    scene_close(&s);
}

static void what_is_wrong_names_the_service(void **state)
{
    struct scene s;

    (void)state;
    open_two(&s);
    s.nodes[1].status.ident.pid = 0;
    s.nodes[1].status.service = "jobs";
    s.nodes[3].status.claim =
        (struct agent_claim){.there = true, .rollout = "r0", .holder = "bob@ci", .fence = 3, .ttl_s = 30, .left_s = 20};
    scene_plan(&s);
    assert_null(s.plan);
    assert_true(scene_complained(&s, "a/jobs: no process of service jobs runs there"));
    assert_true(scene_complained(&s, "b/jobs: claimed by rollout r0"));
    scene_close(&s);
}

/* One service of a host is a node like another to the floor: both in one upstream of three are not out together. */
static void two_of_one_host_are_out_together_only_above_the_floor(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        s.plan->nodes[i].host = "a";
        s.plan->nodes[i].service = i == 0 ? "app" : "jobs";
    }
    s.plan->batches[0] = 2;
    story_roll(&s);
    story_ends(&s, 0, "BBB", -1);
    assert_true(story_when(&s, "a at lb2/app: open") <= story_when(&s, "b at lb1/app: drain"));
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_one_by_one),
        cmocka_unit_test(what_is_no_list_of_names_is_refused),
        cmocka_unit_test(each_is_a_node_of_the_plan),
        cmocka_unit_test(what_is_wrong_names_the_service),
        cmocka_unit_test(two_of_one_host_are_out_together_only_above_the_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
