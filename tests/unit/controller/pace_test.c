/* How many may be out, and who may go next: tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/pace.h"
#include "controller/run_state.h"
#include "tests/sim/fake_plan.h"

static void the_floor_is_what_may_not_be_out_and_at_least_1(void **state)
{
    static const struct {
        uint32_t max_unavailable;
        bool percent;
        uint32_t configured, floor;
    } rows[] = {
        {1, false, 0, 1},   {1, false, 1, 1},       {1, false, 2, 1},
        {1, false, 3, 2},   {1, false, 40, 39},     {2, false, 4, 2},
        {5, false, 4, 1},   {1000000, false, 9, 1}, {25, true, 4, 3},
        {25, true, 8, 6},   {25, true, 7, 6}, /* 1.75: rounded down */
        {25, true, 3, 2},                     /* 0.75: at least 1 may be out */
        {1, true, 99, 98},  {1, true, 200, 198},    {50, true, 2, 1},
        {100, true, 10, 1}, {300, true, 10, 1},     {99, true, 4294967295u, 42949673},
    };
    struct plan *p = fake_plan((struct fake_shape){0});

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        p->max_unavailable = rows[i].max_unavailable;
        p->max_unavailable_percent = rows[i].percent;
        if (pace_floor(p, rows[i].configured) != rows[i].floor)
            fail_msg("row %zu: %u", i, pace_floor(p, rows[i].configured));
    }
    plan_free(&p);
}

/* 1,5,20%% of 40: the first alone, then 5 at once until 6 are done, then 8; the last repeats. */
static void batches_follow_one_another_and_the_last_repeats(void **state)
{
    static const uint32_t rows[][2] = {{0, 1}, {1, 5}, {5, 5}, {6, 8}, {13, 8}, {14, 8}, {39, 8}};
    struct plan *p = fake_plan((struct fake_shape){0});

    (void)state;
    p->n_batches = 3;
    p->batches[0] = 1;
    p->batches[1] = 5;
    p->batches[2] = 8;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(pace_batch(p, rows[i][0]), rows[i][1]);
    p->n_batches = 1;
    assert_int_equal(pace_batch(p, 0), 1);
    assert_int_equal(pace_batch(p, 1000), 1);
    plan_free(&p);
}

/* Four nodes a to d behind one load balancer. `peers`: how each is shown: u up, b up and backup, x unavail, d down,
 * ? not listed; `ours`: whom we took out, o, as far as we know; `age` of the list; may a go? */
static const struct {
    const char *name, *peers, *ours;
    uint32_t max_unavailable, age_ms;
    bool may;
    const char *says;
} drains[] = {
    {"all up", "uuuu", "----", 1, 0, true, ""},
    {"a list of exactly a second", "uuuu", "----", 1, 1000, true, ""},
    {"an older one", "uuuu", "----", 1, 1001, false, "lb1 has not shown upstream app within the last second"},
    {"one is dead", "uxuu", "----", 1, 0, false,
     "upstream app at lb1: 3 of 4 peers up, 2 would be left, the floor is 3"},
    {"one is dead, and two may be out", "uxuu", "----", 2, 0, true, ""},
    {"one was taken out by others", "uduu", "----", 1, 0, false, "3 of 4 peers up, 2 would be left"},
    {"one is unknown", "u?uu", "----", 1, 0, false, "3 of 4 peers up"},
    {"one of ours, not yet shown", "uuuu", "-o--", 1, 0, false, "4 of 4 peers up, 2 would be left"},
    {"one of ours, shown", "uduu", "-o--", 1, 0, false, "3 of 4 peers up, 2 would be left"},
    {"one of ours, shown, and two may be out", "uduu", "-o--", 2, 0, true, ""},
    {"one of ours, not yet shown, and two may be out", "uuuu", "-o--", 2, 0, true, ""},
    {"two of ours, and two may be out", "uduu", "-oo-", 2, 0, false, "3 of 4 peers up, 1 would be left"},
    {"a backup is no peer that serves", "uuub", "----", 1, 0, true, ""}, /* 3 configured, 2 left */
    {"a backup does not stand in", "uxub", "----", 1, 0, false, "2 of 3 peers up, 1 would be left, the floor is 2"},
    {"it is dead itself: nothing is taken away", "xuuu", "----", 1, 0, true, ""},
    {"it is dead itself, and another too", "xxuu", "----", 1, 0, false, "2 of 4 peers up, 2 would be left"},
    {"it is the backup", "buuu", "----", 1, 0, true, ""},
    {"it is the backup: nothing that counts is taken away", "bxuu", "----", 1, 0, true, ""},
};

static void the_floor_holds_just_before_each_drain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drains / sizeof *drains; i++) {
        struct plan *p = fake_plan((struct fake_shape){.nodes = 4});
        struct run *r;
        char text[ANSWER_TEXT_MAX] = "";
        bool may;

        p->max_unavailable = drains[i].max_unavailable;
        r = run_new(p);
        r->n_begun = 4;
        state_lb(r, 0)->read_age_ms = drains[i].age_ms;
        state_upstream(r, 0)->there = true;
        for (uint16_t k = 0; k < 4; k++) {
            char c = drains[i].peers[k];

            *state_peer(r, k) = (struct seen_peer){.backup = c == 'b',
                                                   .state = c == 'u' || c == 'b' ? PEER_UP
                                                            : c == 'x'           ? PEER_UNAVAIL
                                                            : c == 'd'           ? PEER_DOWN
                                                                                 : PEER_UNKNOWN};
            state_upstream(r, 0)->configured += c != 'b' ? 1 : 0;
            state_upstream(r, 0)->up += c == 'u' ? 1 : 0;
            state_begun(r)[k] = k;
            state_node(r, k)->peers_mask = 1;
            state_node(r, k)->out_mask = drains[i].ours[k] == 'o' ? 1 : 0;
        }
        may = run_may_drain(r, p, 0, text, sizeof text);
        if (may != drains[i].may || strstr(text, drains[i].says) == NULL || (may && text[0] != '\0'))
            fail_msg("%s: %s, '%s'", drains[i].name, may ? "may" : "may not", text);
        run_free(&r);
        plan_free(&p);
    }
}

/* a was draining before us, and its nginx has forgotten that: it is taken down again and goes back to its drain. What
 * showed it up is older than both. */
static void what_goes_back_to_a_drain_does_not_count_as_up(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 4});
    struct run *r = run_new(p);
    struct turn t = {0};
    struct seen_peer up[4] = {{.state = PEER_UP}, {.state = PEER_UP}, {.state = PEER_UP}, {.state = PEER_UP}};
    const struct seen_upstream all = {.there = true, .configured = 4, .up = 4};
    const struct input list = {.kind = IN_LB, .peers = up, .upstreams = &all};
    char text[ANSWER_TEXT_MAX];

    (void)state;
    state_lb(r, 0)->began_turn = 5;
    state_lb(r, 0)->began_ms = 0;
    look_input(r, p, &list, &t);
    r->turn = 6;
    state_lb(r, 0)->began_turn = 5; /* one more, that is still on its way */
    drift_taken(r, p, 0, 1);
    assert_int_equal(run_upstream(r, 0)->up, 3);
    look_input(r, p, &list, &t);
    assert_int_equal(run_upstream(r, 0)->up, 3);
    for (uint16_t k = 0; k < 4; k++)
        state_node(r, k)->peers_mask = 1;
    assert_false(run_may_drain(r, p, 1, text, sizeof text)); /* its own BACK is done, so nothing of ours is out */
    assert_non_null(strstr(text, "3 of 4 peers up, 2 would be left, the floor is 3"));
    state_lb(r, 0)->began_turn = 7;
    look_input(r, p, &list, &t);
    assert_true(run_may_drain(r, p, 1, text, sizeof text));
    turn_free(&t);
    run_free(&r);
    plan_free(&p);
}

/* a and b are what an earlier run left, of two zones; c and d wait for their turn. */
static void a_zone_begins_when_nothing_of_any_other_is_in_motion(void **state)
{
    static const char *const zones[] = {"east", "west", "east", "west"};
    struct plan *p = fake_plan((struct fake_shape){.nodes = 4});
    struct run *r;

    (void)state;
    p->by_zone = true;
    for (uint32_t i = 0; i < 4; i++)
        p->nodes[i].zone = zones[i];
    r = run_new(p);
    r->n_begun = 2;
    for (uint16_t i = 0; i < 2; i++) {
        state_begun(r)[i] = i;
        state_node(r, i)->step = STEP_MEND;
    }
    assert_false(pace_zone_is_free(r, p, 2));
    assert_false(pace_zone_is_free(r, p, 3));
    state_node(r, 1)->step = STEP_OUT; /* it does not move any more */
    assert_true(pace_zone_is_free(r, p, 2));
    assert_false(pace_zone_is_free(r, p, 3));
    run_free(&r);
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_is_what_may_not_be_out_and_at_least_1),
        cmocka_unit_test(batches_follow_one_another_and_the_last_repeats),
        cmocka_unit_test(the_floor_holds_just_before_each_drain),
        cmocka_unit_test(what_goes_back_to_a_drain_does_not_count_as_up),
        cmocka_unit_test(a_zone_begins_when_nothing_of_any_other_is_in_motion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
