/* The bake on what nginx counts: what is counted, when a verdict falls, and what becomes of the node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/gate.h"
#include "controller/lb_view.h"
#include "controller/run_state.h"
#include "tests/sim/fake_plan.h"
#include "tests/unit/controller/small_plan.h"

/* ---- the rule */

static const struct plan_gate RULE = {
    .max_5xx_bp = 100, .max_fails_bp = 100, .max_slower_bp = 10000, .min_requests = 100};

/* All answers took the same time. */
static struct served served(uint32_t answers, uint32_t errors, uint32_t fails, uint32_t ms)
{
    return (struct served){
        .answers = answers, .errors = errors, .fails = fails, .timed = answers, .time_ms = (uint64_t)answers * ms};
}

static void a_node_is_held_against_the_others(void **state)
{
    static const struct {
        uint32_t own[4], others[4]; /* answers, 5xx, fails, ms */
        enum gate gate;
    } rows[] = {
        {{100, 0, 0, 5}, {100, 0, 0, 5}, GATE_GOOD},
        {{99, 0, 0, 5}, {100, 0, 0, 5}, GATE_THIN},
        {{100, 0, 0, 5}, {99, 0, 0, 5}, GATE_THIN},
        {{0, 0, 0, 0}, {100000, 0, 0, 5}, GATE_THIN},
        {{50, 50, 0, 5}, {100, 0, 0, 5}, GATE_THIN}, /* never enough by being bad */
        {{100, 1, 0, 5}, {100, 0, 0, 5}, GATE_GOOD}, /* 1 % may be */
        {{100, 2, 0, 5}, {100, 0, 0, 5}, GATE_BAD},
        {{100, 7, 0, 5}, {1000, 60, 0, 5}, GATE_GOOD}, /* all are ill: the node is no worse */
        {{100, 8, 0, 5}, {1000, 60, 0, 5}, GATE_BAD},
        {{99, 0, 1, 5}, {100, 0, 0, 5}, GATE_GOOD},
        {{98, 0, 2, 5}, {100, 0, 0, 5}, GATE_BAD},
        {{0, 0, 100, 0}, {100, 0, 0, 5}, GATE_BAD}, /* not one answer */
        {{98, 0, 2, 5}, {50, 0, 50, 5}, GATE_GOOD},
        {{100, 0, 0, 40}, {100, 0, 0, 20}, GATE_GOOD}, /* twice as long may be */
        {{100, 0, 0, 41}, {100, 0, 0, 20}, GATE_SLOW},
        {{100, 0, 0, 10}, {100, 0, 0, 0}, GATE_GOOD}, /* 10 ms always */
        {{100, 0, 0, 11}, {100, 0, 0, 0}, GATE_SLOW},
        {{100, 2, 0, 99}, {100, 0, 0, 0}, GATE_BAD},
        {{4000000000u, 39999999, 0, 5}, {4000000000u, 0, 0, 5}, GATE_GOOD},
        {{4000000000u, 40000001, 0, 5}, {4000000000u, 0, 0, 5}, GATE_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint32_t *a = rows[i].own, *b = rows[i].others;
        struct served own = served(a[0], a[1], a[2], a[3]), others = served(b[0], b[1], b[2], b[3]);
        char text[ANSWER_TEXT_MAX];
        enum gate gate = gate_judge(&RULE, &own, &others, text, sizeof text);

        if (gate != rows[i].gate)
            fail_msg("row %zu: %d, not %d: %s", i, gate, rows[i].gate, text);
        assert_true(text[0] != '\0');
    }
}

static void answers_without_a_time_say_nothing_about_it(void **state)
{
    struct served own = served(100, 0, 0, 0), others = served(100, 0, 0, 5);
    char text[ANSWER_TEXT_MAX];

    (void)state;
    own.timed = 1;
    own.time_ms = 5000;
    assert_int_equal(gate_judge(&RULE, &own, &others, text, sizeof text), GATE_SLOW);
    own.timed = 0;
    assert_int_equal(gate_judge(&RULE, &own, &others, text, sizeof text), GATE_GOOD);
}

/* ---- what is counted */

#define ROOM 16384

/* "SERVER answers 5xx fails ms [state]" each, of upstream app of lb1. */
static void show(struct lb_view *v, const char *const *peers)
{
    char list[ROOM] = "{\"app\":{\"peers\":[", *at = list + strlen(list);
    struct err err = {""};

    for (int i = 0; peers[i] != NULL; i++) {
        char server[32], more[32] = "up";
        unsigned answers, errors, fails, ms;

        assert_true(sscanf(peers[i], "%31s %u %u %u %u %31s", server, &answers, &errors, &fails, &ms, more) >= 5);
        at += snprintf(at, (size_t)(list + ROOM - at),
                       "%s{\"id\":%d,\"server\":\"%s\",\"state\":\"%s\",\"backup\":%s,\"active\":0,\"fails\":%u,"
                       "\"response_time\":%u,\"responses\":{\"5xx\":%u,\"total\":%u}}",
                       i > 0 ? "," : "", i, server, strcmp(more, "backup") == 0 ? "up" : more,
                       strcmp(more, "backup") == 0 ? "true" : "false", fails, ms, errors, answers);
    }
    (void)snprintf(at, (size_t)(list + ROOM - at), "]}}");
    if (!lb_view_fill(v, 0, list, strlen(list), &err))
        fail_msg("%s", err.text);
}
#define SHOW(v, ...) show(v, (const char *const[]){__VA_ARGS__, NULL})

static void assert_served(const struct served *s, uint32_t answers, uint32_t errors, uint32_t fails, uint64_t time_ms)
{
    assert_int_equal(s->answers, answers);
    assert_int_equal(s->errors, errors);
    assert_int_equal(s->fails, fails);
    assert_int_equal(s->time_ms, time_ms);
}

static struct lb_view *view_of(struct small_plan *s)
{
    static const int ports[2] = {1, 2};

    small_plan(s, ports, ports);
    s->plan.wait_ms[WAIT_BAKE] = 1000;
    s->plan.gate = RULE;
    return lb_view_new(&s->plan);
}

static void only_what_comes_between_two_lists_is_counted(void **state)
{
    struct small_plan s;
    struct lb_view *v = view_of(&s);

    (void)state;
    SHOW(v, "10.0.0.1:80 1000 50 7 3", "10.0.0.2:80 9 0 0 3", "10.0.0.9:80 500 0 0 3");
    assert_served(&v->peers[0].own, 0, 0, 0, 0);
    SHOW(v, "10.0.0.1:80 1010 52 8 30", "10.0.0.2:80 29 1 0 5", "10.0.0.9:80 540 0 2 2");
    assert_served(&v->peers[0].own, 10, 2, 1, 300);
    assert_served(&v->peers[0].others, 60, 1, 2, 180);
    assert_served(&v->peers[3].own, 20, 1, 0, 100);
    assert_served(&v->peers[3].others, 50, 2, 3, 380);
    lb_view_free(&v);
}

/* A restart of nginx, or a server that was out of its file: nothing is known of the time between. */
static void counters_that_fall_begin_anew(void **state)
{
    struct small_plan s;
    struct lb_view *v = view_of(&s);

    (void)state;
    SHOW(v, "10.0.0.1:80 100 5 0 3", "10.0.0.2:80 100 0 0 3");
    SHOW(v, "10.0.0.1:80 110 5 0 3", "10.0.0.2:80 120 0 0 3");
    SHOW(v, "10.0.0.1:80 4 4 0 3", "10.0.0.2:80 6 0 0 3");
    assert_served(&v->peers[0].own, 10, 0, 0, 30);
    assert_served(&v->peers[0].others, 20, 0, 0, 60);
    SHOW(v, "10.0.0.1:80 9 4 0 3", "10.0.0.2:80 7 1 0 3");
    assert_served(&v->peers[0].own, 15, 0, 0, 45);
    assert_served(&v->peers[0].others, 21, 1, 0, 63);
    SHOW(v, "10.0.0.2:80 9 1 0 3"); /* gone, and back with as much as it had */
    SHOW(v, "10.0.0.1:80 30 4 0 3", "10.0.0.2:80 9 1 0 3");
    assert_served(&v->peers[0].own, 15, 0, 0, 45);
    SHOW(v, "10.0.0.1:80 31 4 1 3", "10.0.0.2:80 9 1 0 3");
    assert_served(&v->peers[0].own, 16, 0, 1, 48);
    lb_view_free(&v);
}

static void only_peers_that_are_up_and_not_backup_are_compared_with(void **state)
{
    struct small_plan s;
    struct lb_view *v = view_of(&s);

    (void)state;
    SHOW(v, "10.0.0.1:80 0 0 0 3", "10.0.0.2:80 0 0 0 3", "10.0.0.8:80 0 0 0 3", "10.0.0.9:80 0 0 0 3 backup");
    SHOW(v, "10.0.0.1:80 1 1 1 3 unavail", "10.0.0.2:80 3 0 0 3", "10.0.0.8:80 5 5 5 3 unavail",
         "10.0.0.9:80 7 7 7 3 backup");
    assert_served(&v->peers[0].own, 1, 1, 1, 3); /* of the node itself all counts */
    assert_served(&v->peers[0].others, 3, 0, 0, 9);
    assert_served(&v->peers[3].others, 0, 0, 0, 0);
    lb_view_free(&v);
}

static void order_and_half_a_list_change_nothing(void **state)
{
    static const char half[] =
        "{\"app\":{\"peers\":[{\"id\":0,\"server\":\"10.0.0.1:80\",\"state\":\"up\",\"active\":0,"
        "\"fails\":0,\"responses\":{\"5xx\":0,\"total\":999}},";
    struct small_plan s;
    struct lb_view *v = view_of(&s);
    struct err err = {""};

    (void)state;
    SHOW(v, "10.0.0.1:80 1 0 0 3", "10.0.0.2:80 1 0 0 3", "10.0.0.9:80 1 0 0 3");
    assert_false(lb_view_fill(v, 0, half, strlen(half), &err));
    SHOW(v, "10.0.0.9:80 4 0 0 3", "10.0.0.2:80 3 0 0 3", "10.0.0.1:80 2 0 0 3");
    assert_served(&v->peers[0].own, 1, 0, 0, 3);
    assert_served(&v->peers[0].others, 5, 0, 0, 15);
    lb_view_free(&v);
}

/* Its other ports are no measure for a node; and they are not counted twice as others of others. */
static void a_nodes_own_ports_are_not_the_others(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 2, .ports = 2});
    struct lb_view *v;

    (void)state;
    p->wait_ms[WAIT_BAKE] = 1000;
    p->gate = RULE;
    v = lb_view_new(p);
    SHOW(v, "10.0.0.1:8000 0 0 0 1", "10.0.0.1:8001 0 0 0 1", "10.0.0.2:8000 0 0 0 1", "10.0.0.2:8001 0 0 0 1");
    SHOW(v, "10.0.0.1:8000 1 0 0 1", "10.0.0.1:8001 2 0 0 1", "10.0.0.2:8000 4 0 0 1", "10.0.0.2:8001 8 0 0 1");
    assert_served(&v->peers[0].others, 12, 0, 0, 12);
    assert_served(&v->peers[1].others, 0, 0, 0, 0);
    assert_served(&v->peers[2].others, 3, 0, 0, 3);
    lb_view_free(&v);
    plan_free(&p);
}

static void without_a_bake_nobody_counts(void **state)
{
    struct small_plan s;
    struct lb_view *v = view_of(&s);

    (void)state;
    lb_view_free(&v);
    s.plan.wait_ms[WAIT_BAKE] = 0;
    v = lb_view_new(&s.plan);
    assert_null(v->meter);
    lb_view_free(&v);
}

/* ---- a node that bakes */

struct baking {
    struct plan *plan;
    struct run *run;
    struct turn turn;
    struct seen_upstream upstream;
    struct seen_peer peers[2];
    bool answers; /* its health checks are answered in the next pass */
};

/* Node a of two entered its bake just now; `before` is what the counters showed then. */
static struct baking bake(bool pause)
{
    struct baking b = {.plan = fake_plan((struct fake_shape){.nodes = 2}), .answers = true};
    struct node *n;

    b.plan->wait_ms[WAIT_BAKE] = 10000;
    b.plan->gate = RULE;
    b.plan->gate.pause = pause;
    b.run = run_new(b.plan);
    b.run->phase = RUN_ROLLING;
    b.run->next = 1;
    b.run->n_begun = 1;
    state_begun(b.run)[0] = 0;
    n = state_node(b.run, 0);
    n->step = STEP_BAKE;
    n->job = ASK_JOB;
    n->peers_mask = 1;
    n->left_ms = 10000;
    n->next_ask_ms = 500;
    n->claim_fence = b.plan->fence;
    n->now = fake_plan_ident(0);
    b.upstream = (struct seen_upstream){.there = true, .configured = 2, .up = 2};
    for (int i = 0; i < 2; i++)
        b.peers[i] = (struct seen_peer){.state = PEER_UP, .own = served(70, 9, 9, 50), .others = served(80, 0, 0, 1)};
    *state_peer(b.run, 0) = b.peers[0];
    gate_begin(b.run, b.plan, 0);
    return b;
}

static void pass(struct baking *b, uint32_t ms, const struct served *own, const struct served *others)
{
    struct input in[] = {{.kind = IN_LB,
                          .answer = {.kind = ANS_OK},
                          .upstreams = &b->upstream,
                          .peers = b->peers,
                          .generation = 1,
                          .active_exact = true},
                         {.kind = IN_ANSWER, .answer = {.kind = ANS_OK, .healthy = true, .ident = fake_plan_ident(0)}}};

    turn_clear(&b->turn);
    served_add(&b->peers[0].own, own);
    served_add(&b->peers[0].others, others);
    state_lb(b->run, 0)->reading = false;
    run_turn(b->run, b->plan, ms, in, b->answers && run_node(b->run, 0)->asked ? 2 : 1, &b->turn);
}

static void end(struct baking *b)
{
    turn_free(&b->turn);
    run_free(&b->run);
    plan_free(&b->plan);
}

static const char *said(const struct baking *b)
{
    for (size_t i = 0; i < b->turn.n_events; i++)
        if (b->turn.events[i].kind == EVENT_STEP && b->turn.events[i].from == STEP_BAKE)
            return b->turn.events[i].text;
    return "";
}

static const struct served NOTHING;

static void assert_now(const struct baking *b, enum step step, enum why why, const char *text)
{
    const struct node *n = run_node(b->run, 0);

    if (n->step != step || n->why != why || strstr(said(b), text) == NULL)
        fail_msg("step %s, %s, '%s'", step_row((enum step)n->step)->name, why_phrase((enum why)n->why), said(b));
}

static void errors_end_the_bake_as_soon_as_they_are_many(void **state)
{
    struct baking b = bake(false);
    struct served few = served(90, 90, 0, 5), more = served(10, 10, 0, 5), good = served(100, 0, 0, 5);

    (void)state;
    pass(&b, 100, &few, &good); /* what was counted before the bake is not its own */
    assert_now(&b, STEP_BAKE, WHY_NONE, "");
    pass(&b, 100, &more, &NOTHING);
    assert_now(&b, STEP_UNCLAIM, WHY_TRAFFIC, "of its 100 requests 100 got a 5xx");
    assert_int_equal(b.run->stop, RUN_STOP_FAILURE); /* at once: the budget does not wait for its end */
    end(&b);
}

static void slowness_counts_at_the_end_alone(void **state)
{
    for (int warm = 0; warm < 2; warm++) {
        struct baking b = bake(false);
        struct served slow = served(100, 0, 0, 100), quick = served(9900, 0, 0, 1), good = served(10000, 0, 0, 5);

        (void)state;
        pass(&b, 100, &slow, &good);
        assert_now(&b, STEP_BAKE, WHY_NONE, "");
        pass(&b, 100, warm ? &quick : &NOTHING, &NOTHING);
        pass(&b, 9800, &NOTHING, &NOTHING);
        if (warm)
            assert_now(&b, STEP_UNCLAIM, WHY_NONE, "of its 10000 requests 0 got a 5xx");
        else
            assert_now(&b, STEP_UNCLAIM, WHY_TRAFFIC, "100 ms on average");
        end(&b);
    }
}

/* Never passed: it is said, and where a person is to decide nothing new begins. */
static void too_little_traffic_is_no_pass(void **state)
{
    for (int pause = 0; pause < 2; pause++) {
        struct baking b = bake(pause == 1);
        struct served few = served(99, 0, 0, 5), many = served(5000, 0, 0, 5);
        struct input gone = {.kind = IN_ANSWER, .answer = {.kind = ANS_OK}};

        (void)state;
        pass(&b, 5000, &few, &many);
        pass(&b, 5000, &NOTHING, &NOTHING);
        assert_now(&b, STEP_UNCLAIM, WHY_NONE, "inconclusive: 99 requests came to it and 5000 to the other peers");
        turn_clear(&b.turn);
        run_turn(b.run, b.plan, 10, &gone, 1, &b.turn);
        assert_int_equal(run_node(b.run, 0)->step, STEP_DONE);
        assert_int_equal(run_node(b.run, 0)->outcome, OUTCOME_UPGRADED);
        assert_int_equal(run_node(b.run, 0)->gate, GATE_THIN);
        assert_int_equal(b.run->stop, pause == 1 ? RUN_STOP_PAUSE : RUN_GOES);
        assert_int_equal(run_node(b.run, 1)->step, pause == 1 ? STEP_WAIT : STEP_CHECK);
        if (pause == 1)
            assert_int_equal(run_exit_code(b.run, 0), 7);
        end(&b);
    }
}

/* An answer under way is waited for, so that it does not find another step. */
static void a_health_check_under_way_is_awaited(void **state)
{
    struct baking b = bake(false);
    struct served bad = served(100, 100, 0, 5), good = served(100, 0, 0, 5);
    struct input health = {.kind = IN_ANSWER, .answer = {.kind = ANS_OK, .healthy = true, .ident = fake_plan_ident(0)}};

    (void)state;
    b.answers = false;
    pass(&b, 500, &NOTHING, &NOTHING);
    assert_true(run_node(b.run, 0)->asked);
    pass(&b, 10, &bad, &good);
    assert_now(&b, STEP_BAKE, WHY_NONE, "");
    turn_clear(&b.turn);
    run_turn(b.run, b.plan, 10, &health, 1, &b.turn);
    assert_now(&b, STEP_UNCLAIM, WHY_TRAFFIC, "100 got a 5xx");
    end(&b);
}

/* Once a second, while somebody bakes, although nobody waits to see a peer. */
static void a_baking_nodes_load_balancers_are_read(void **state)
{
    struct baking b = bake(false);

    (void)state;
    pass(&b, 10, &NOTHING, &NOTHING);
    assert_true(state_lb(b.run, 0)->reading);
    pass(&b, 400, &NOTHING, &NOTHING);
    assert_false(state_lb(b.run, 0)->reading);
    assert_true(run_wait_ms(b.run, b.plan) <= 600);
    pass(&b, 600, &NOTHING, &NOTHING);
    assert_true(state_lb(b.run, 0)->reading);
    b.plan->gate.min_requests = 0;
    pass(&b, 1000, &NOTHING, &NOTHING);
    assert_false(state_lb(b.run, 0)->reading);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_held_against_the_others),
        cmocka_unit_test(answers_without_a_time_say_nothing_about_it),
        cmocka_unit_test(only_what_comes_between_two_lists_is_counted),
        cmocka_unit_test(counters_that_fall_begin_anew),
        cmocka_unit_test(only_peers_that_are_up_and_not_backup_are_compared_with),
        cmocka_unit_test(order_and_half_a_list_change_nothing),
        cmocka_unit_test(a_nodes_own_ports_are_not_the_others),
        cmocka_unit_test(without_a_bake_nobody_counts),
        cmocka_unit_test(errors_end_the_bake_as_soon_as_they_are_many),
        cmocka_unit_test(slowness_counts_at_the_end_alone),
        cmocka_unit_test(too_little_traffic_is_no_pass),
        cmocka_unit_test(a_health_check_under_way_is_awaited),
        cmocka_unit_test(a_baking_nodes_load_balancers_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
