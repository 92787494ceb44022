/* In which order nodes are rolled, and that zones never mix. */
#include "story.h"

#include "controller/plan_order.h"

static struct fleet *fleet_of(const char *hosts)
{
    struct fleet *f;
    struct err err = {""};

    if (!fleet_parse("h", hosts, strlen(hosts), &f, &err))
        fail_msg("%s", err.text);
    return f;
}

static void zones_follow_each_other_as_the_file_names_them(void **state)
{
    struct fleet *f = fleet_of("a rollout_zone=y\nb rollout_zone=x\nc rollout_zone=y\nd rollout_zone=z\n"
                               "e rollout_zone=x\nf rollout_zone=y\n");
    uint32_t nodes[] = {0, 1, 2, 3, 4, 5};
    static const uint32_t wanted[] = {0, 2, 5, 1, 4, 3};
    struct err err = {""};

    (void)state;
    assert_true(plan_order_by_zone(f, nodes, 6, &err));
    assert_memory_equal(nodes, wanted, sizeof wanted);
    assert_true(plan_order_by_zone(f, nodes, 0, &err));
    fleet_free(&f);
}

static void a_node_without_a_zone_is_refused(void **state)
{
    struct fleet *f = fleet_of("a rollout_zone=y\nb\n");
    uint32_t nodes[] = {0, 1};
    struct err err = {""};

    (void)state;
    assert_false(plan_order_by_zone(f, nodes, 2, &err));
    assert_string_equal(err.text, "h: --order zone, and b has no rollout_zone");
    fleet_free(&f);
}

static struct plan *zones(const char *letters, uint32_t at_a_time)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = (uint32_t)strlen(letters), .lbs = 2});

    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const char zone[] = {letters[i], '\0'};

        p->nodes[i].zone = plan_keep(p, zone);
    }
    p->by_zone = true;
    p->batches[0] = p->max_unavailable = at_a_time;
    return p;
}

/* Two at a time, but the last of a zone goes alone. */
static void never_two_zones_in_motion(void **state)
{
    struct story s = story_of(zones("xxxyyy", 2));

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "BBBBBB", -1);
    story_before(&s, "b claim", "a unclaimed");
    story_before(&s, "c unclaimed", "d claim");
    story_before(&s, "e claim", "d unclaimed");
    story_end(&s);
}

/* The way back has zones as well: y, then x. */
static void nor_on_the_way_back(void **state)
{
    struct plan *p = zones("xxyyy", 2);
    struct story s;

    (void)state;
    p->rolls_back = true;
    s = story_of(p);
    s.fleet->agents[4].fate = FATE_ILL;
    story_roll(&s);
    story_ends(&s, 8, "AAAAA", -1);
    story_before(&s, "d job r1/d/job/2", "b job r1/b/job/2");
    assert_true(story_when(&s, "d unclaimed") < story_when(&s, "b at lb1/app: drain"));
    assert_true(story_when(&s, "a job r1/a/job/2") < story_when(&s, "b unclaimed"));
    story_end(&s);
}

/* Without it zones mean nothing. */
static void in_inventory_order_zones_mix(void **state)
{
    struct plan *p = zones("xyxy", 2);
    struct story s;

    (void)state;
    p->by_zone = false;
    s = story_of(p);
    story_roll(&s);
    story_ends(&s, 0, "BBBB", -1);
    story_before(&s, "b claim", "a unclaimed");
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_follow_each_other_as_the_file_names_them),
        cmocka_unit_test(a_node_without_a_zone_is_refused),
        cmocka_unit_test(never_two_zones_in_motion),
        cmocka_unit_test(nor_on_the_way_back),
        cmocka_unit_test(in_inventory_order_zones_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
