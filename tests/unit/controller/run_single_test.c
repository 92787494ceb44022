/* Looks at single servers (Prefer: wait): when one is asked for, how long it is held, what a late answer does, and how
 * many there are at once. Driven by hand, input after input; what a real load balancer does is world_net_test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/run_state.h"
#include "tests/sim/fake_plan.h"

#define HELD_MAX 128 /* run_single.c's */

struct test {
    struct plan *p;
    struct run *r;
    struct turn t;
    struct seen_peer peers[512], looked[PLAN_NODE_PEERS_MAX];
    struct seen_upstream upstreams[8];
    bool no_singles;
};

static struct test begin(uint32_t nodes, uint32_t lbs)
{
    struct test t = {.p = fake_plan((struct fake_shape){.nodes = nodes, .lbs = lbs})};

    t.p->batches[0] = t.p->max_unavailable = nodes;
    t.r = run_new(t.p);
    for (uint32_t i = 0; i < t.p->n_peers; i++)
        t.peers[i] = (struct seen_peer){.state = PEER_UP, .active = 1};
    for (uint32_t i = 0; i < t.p->n_upstreams; i++)
        t.upstreams[i] = (struct seen_upstream){.there = true, .configured = nodes + 5, .up = nodes + 5};
    return t;
}

static void end(struct test *t)
{
    turn_free(&t->t);
    run_free(&t->r);
    plan_free(&t->p);
}

static struct input answer_to(struct test *t, const struct action *a)
{
    static const enum input_kind kinds[] = {[ACT_ASK] = IN_ANSWER,
                                            [ACT_READ_LB] = IN_LB,
                                            [ACT_LEASE] = IN_LEASE,
                                            [ACT_RENEW] = IN_RENEW,
                                            [ACT_LOOK] = IN_LOOK};
    struct input in = {.kind = kinds[a->kind], .node = a->node, .lb = a->lb, .upstream = a->upstream};

    in.answer.ident = t->p->nodes[a->node].surveyed;
    in.answer.ok_mask = a->mask;
    in.upstreams = t->upstreams;
    in.peers = t->peers;
    in.active_exact = true;
    in.one_by_one = !t->no_singles;
    in.looked = t->looked;
    in.mask = a->mask;
    in.look = a->look;
    in.hold_s = a->hold_s;
    return in;
}

static void turn(struct test *t, uint32_t elapsed_ms, const struct input *in, size_t n)
{
    turn_clear(&t->t);
    run_turn(t->r, t->p, elapsed_ms, in, n, &t->t);
}

/* Answer all that is asked, but looks at single servers, until nothing else is asked; these are kept. */
static size_t run_on(struct test *t, struct action *looks, size_t max)
{
    struct input in[512];
    size_t n = 0, n_in = 0;

    for (int i = 0; i < 60; i++) {
        turn(t, 1, in, n_in);
        n_in = 0;
        for (size_t k = 0; k < t->t.n_actions; k++)
            if (t->t.actions[k].kind == ACT_LOOK && n < max)
                looks[n++] = t->t.actions[k];
            else if (t->t.actions[k].kind != ACT_LOOK)
                in[n_in++] = answer_to(t, &t->t.actions[k]);
    }
    return n;
}

/* The looks of FLOOR are answered with "up", and what is asked next is kept. */
static size_t drain_all(struct test *t, struct action *looks, size_t max)
{
    struct action floor[512];
    struct input in[512];
    size_t n = run_on(t, floor, 512), more;

    for (uint32_t i = 0; i < PLAN_NODE_PEERS_MAX; i++)
        t->looked[i] = (struct seen_peer){.state = PEER_UP, .exact = true, .active = 1};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(floor[i].hold_s, 0); /* what is to be known now is not held */
        in[i] = answer_to(t, &floor[i]);
    }
    turn(t, 1, in, n);
    n = 0;
    for (size_t i = 0; i < t->t.n_actions; i++)
        in[n++] = answer_to(t, &t->t.actions[i]);
    turn(t, 1, in, n);
    for (n = 0, more = 0; more < t->t.n_actions; more++)
        if (t->t.actions[more].kind == ACT_LOOK && n < max)
            looks[n++] = t->t.actions[more];
    return n;
}

static size_t asked(const struct test *t, enum action_kind kind, enum ask ask)
{
    size_t n = 0;

    for (size_t i = 0; i < t->t.n_actions; i++)
        n += t->t.actions[i].kind == kind && (kind != ACT_ASK || t->t.actions[i].ask == ask) ? 1 : 0;
    return n;
}

static void shows(struct test *t, enum peer_state state, uint32_t active)
{
    for (uint32_t i = 0; i < PLAN_NODE_PEERS_MAX; i++)
        t->looked[i] = (struct seen_peer){.state = (uint8_t)state, .exact = true, .active = active};
}

static void quiet_is_confirmed_at_once_and_leads_on(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;

    (void)state;
    assert_int_equal(drain_all(&t, look, 4), 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_QUIET);
    assert_true(look[0].hold_s > 0);
    shows(&t, PEER_DRAINING, 0);
    in = answer_to(&t, &look[0]);
    turn(&t, 90, &in, 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_QUIET); /* quiet is shown twice */
    assert_int_equal(asked(&t, ACT_LOOK, ASK_NONE), 1);   /* in the very turn */
    assert_int_equal(t.t.actions[0].hold_s, 0);
    in = answer_to(&t, &t.t.actions[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_DOWN);
    end(&t);
}

static void one_that_is_busy_again_begins_anew(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;

    (void)state;
    (void)drain_all(&t, look, 4);
    shows(&t, PEER_DRAINING, 0);
    in = answer_to(&t, &look[0]);
    turn(&t, 1, &in, 1);
    shows(&t, PEER_DRAINING, 1); /* a sticky session came */
    in = answer_to(&t, &t.t.actions[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_QUIET);
    assert_int_equal(run_node(t.r, 0)->streak, 0);
    end(&t);
}

static void both_load_balancers_must_be_quiet(void **state)
{
    struct test t = begin(1, 2);
    struct action look[4];
    struct input in;

    (void)state;
    assert_int_equal(drain_all(&t, look, 4), 2); /* each with an answer of its own */
    shows(&t, PEER_DRAINING, 0);
    in = answer_to(&t, &look[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->streak, 0);
    assert_int_equal(asked(&t, ACT_LOOK, ASK_NONE), 0);
    in = answer_to(&t, &look[1]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->streak, 1);
    end(&t);
}

/* A list that was begun now, for another node. */
static void list_comes(struct test *t, uint32_t active)
{
    struct input in;

    state_lb(t->r, 0)->began_turn = t->r->turn;
    t->peers[0] = (struct seen_peer){.state = PEER_DRAINING, .active = active};
    in = answer_to(t, &(struct action){.kind = ACT_READ_LB});
    turn(t, 1, &in, 1);
}

/* A list that another node needed says "busy" meanwhile: a pause behind it would outlast the request that is awaited.
 */
static void a_list_read_meanwhile_ends_no_look_that_is_held(void **state)
{
    struct test t = begin(1, 1);
    struct action looks[4];
    struct input in;

    (void)state;
    (void)drain_all(&t, looks, 4);
    list_comes(&t, 1);
    shows(&t, PEER_DRAINING, 0);
    in = answer_to(&t, &looks[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->streak, 1);
    assert_int_equal(asked(&t, ACT_LOOK, ASK_NONE), 1); /* to confirm it */
    end(&t);
}

/* But where it says "quiet", that is that. */
static void a_list_that_shows_it_quiet_is_enough(void **state)
{
    struct test t = begin(1, 1);
    struct action looks[4];

    (void)state;
    (void)drain_all(&t, looks, 4);
    list_comes(&t, 0);
    assert_int_equal(run_node(t.r, 0)->streak, 1);
    end(&t);
}

static bool gives_job(const struct test *t)
{
    for (size_t i = 0; i < t->t.n_actions; i++)
        if (t->t.actions[i].kind == ACT_ASK && t->t.actions[i].ask == ASK_JOB)
            return true;
    return false;
}

/* I2: in which other upstreams its server stands by now, a look at one server does not tell. */
static void before_a_job_no_list_is_old(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct test t = begin(1, 1);
        struct action looks[8];
        struct node *n;
        struct input in;

        assert_int_equal(drain_all(&t, looks, 8), 1);
        n = state_node(t.r, 0);
        n->step = STEP_SILENT;
        state_lb(t.r, 0)->read_age_ms = old == 1 ? 10000 : 500;
        t.looked[0] = (struct seen_peer){.state = PEER_DOWN, .exact = true};
        for (int i = 0; i < 2; i++) { /* confirmed once */
            in = answer_to(&t, &looks[0]);
            turn(&t, 1, &in, 1);
            for (size_t k = 0; k < t.t.n_actions; k++)
                looks[0] = t.t.actions[k].kind == ACT_LOOK ? t.t.actions[k] : looks[0];
        }
        assert_int_equal(gives_job(&t), old == 0);
        for (int i = 0; i < 20 && old == 1 && asked(&t, ACT_READ_LB, ASK_NONE) == 0; i++)
            turn(&t, 50, NULL, 0);
        assert_int_equal(asked(&t, ACT_READ_LB, ASK_NONE), old); /* that is what it waits for */
        end(&t);
    }
}

static void a_list_that_was_begun_before_undoes_no_look(void **state)
{
    struct test t = begin(1, 2);
    struct action look[4];
    struct input in[2];

    (void)state;
    assert_int_equal(drain_all(&t, look, 4), 2);
    shows(&t, PEER_DRAINING, 0);
    in[0] = answer_to(&t, &look[0]);
    in[1] = answer_to(&t, &(struct action){.kind = ACT_READ_LB, .lb = look[0].lb}); /* shows one request yet */
    turn(&t, 1, in, 2);
    in[0] = answer_to(&t, &look[1]);
    turn(&t, 1, in, 1);
    assert_int_equal(run_node(t.r, 0)->streak, 1);
    end(&t);
}

/* What it shows no more, the list's sum still counts: I1 goes by both. */
static void nor_does_it_raise_what_counts_for_the_floor(void **state)
{
    struct test t = begin(1, 2);
    struct action look[4];
    struct input in[2];
    uint32_t up;

    (void)state;
    (void)drain_all(&t, look, 4);
    up = t.upstreams[0].up;
    shows(&t, PEER_DRAINING, 1);
    in[0] = answer_to(&t, &look[0]);
    in[1] = answer_to(&t, &(struct action){.kind = ACT_READ_LB, .lb = look[0].lb});
    turn(&t, 1, in, 2);
    assert_int_equal(run_peer(t.r, 0)->state, PEER_DRAINING);
    assert_int_equal(run_upstream(t.r, 0)->up, up - 1);
    end(&t);
}

static void an_answer_that_comes_after_its_node_has_moved_on_does_nothing(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;

    (void)state;
    (void)drain_all(&t, look, 4);
    turn(&t, t.p->wait_ms[WAIT_DRAIN], NULL, 0); /* the drain's limit: it goes back */
    assert_int_equal(run_node(t.r, 0)->step, STEP_RETURN);
    shows(&t, PEER_DRAINING, 0);
    in = answer_to(&t, &look[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_RETURN);
    assert_int_equal(run_lb(t.r, 0)->n_held, 0);
    end(&t);
}

static void no_more_are_held_than_the_bound_the_rest_waits_for_the_list(void **state)
{
    enum { NODES = 26 };
    struct test t = begin(NODES, 1);
    struct action look[256];
    size_t held = 0;

    (void)state;
    t.p->drain_proceed = true;
    /* The bound is above what one small fleet can have in its drains: some that nobody answered any more are there. */
    held = drain_all(&t, look, 256);
    assert_int_equal(held, NODES);
    assert_int_equal(run_lb(t.r, 0)->n_held, NODES);
    ((struct run_lb *)(uintptr_t)run_lb(t.r, 0))->n_held = HELD_MAX;
    for (size_t i = 0; i < held; i++) {
        struct input in = answer_to(&t, &look[i]);

        shows(&t, PEER_DRAINING, 1);
        turn(&t, 0, &in, 1);
        ((struct run_lb *)(uintptr_t)run_lb(t.r, 0))->n_held = HELD_MAX;
    }
    turn(&t, t.p->wait_ms[WAIT_DRAIN_POLL], NULL, 0);
    assert_int_equal(asked(&t, ACT_LOOK, ASK_NONE), 0);
    assert_int_equal(asked(&t, ACT_READ_LB, ASK_NONE), 1); /* one for all of them */
    end(&t);
}

static void a_load_balancer_that_shows_no_single_server_is_read_by_its_list(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;

    (void)state;
    (void)drain_all(&t, look, 4);
    shows(&t, PEER_UNKNOWN, 0);
    in = answer_to(&t, &look[0]);
    turn(&t, t.p->wait_ms[WAIT_DRAIN_POLL], &in, 1);
    assert_int_equal(asked(&t, ACT_READ_LB, ASK_NONE), 1);
    assert_int_equal(run_node(t.r, 0)->step, STEP_QUIET);
    assert_int_equal(run_node(t.r, 0)->streak, 0);
    end(&t);
}

static void what_an_old_worker_may_hold_is_not_taken_for_quiet(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;

    (void)state;
    (void)drain_all(&t, look, 4);
    shows(&t, PEER_DRAINING, 0);
    t.looked[0].exact = false;
    in = answer_to(&t, &look[0]);
    turn(&t, t.p->wait_ms[WAIT_DRAIN_POLL], &in, 1);
    assert_int_equal(run_node(t.r, 0)->streak, 0);
    assert_int_equal(asked(&t, ACT_READ_LB, ASK_NONE), 1);
    end(&t);
}

static void what_one_look_shows_counts_for_the_floor(void **state)
{
    struct test t = begin(1, 1);
    struct action look[4];
    struct input in;
    uint32_t up;

    (void)state;
    (void)drain_all(&t, look, 4);
    up = run_upstream(t.r, 0)->up; /* it is known to be out */
    shows(&t, PEER_UP, 1);         /* somebody has put it back */
    in = answer_to(&t, &look[0]);
    turn(&t, 1, &in, 1);
    assert_int_equal(run_upstream(t.r, 0)->up, up + 1);
    end(&t);
}

static void nor_more_by_all_load_balancers_together(void **state)
{
    struct test t = begin(1, 4);
    struct action look[8];

    (void)state;
    t.r->n_held = 256 - 3;
    assert_int_equal(drain_all(&t, look, 8), 3); /* the fourth by its list */
    assert_int_equal(t.r->n_held, 256);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_is_confirmed_at_once_and_leads_on),
        cmocka_unit_test(one_that_is_busy_again_begins_anew),
        cmocka_unit_test(both_load_balancers_must_be_quiet),
        cmocka_unit_test(a_list_read_meanwhile_ends_no_look_that_is_held),
        cmocka_unit_test(a_list_that_shows_it_quiet_is_enough),
        cmocka_unit_test(a_list_that_was_begun_before_undoes_no_look),
        cmocka_unit_test(nor_does_it_raise_what_counts_for_the_floor),
        cmocka_unit_test(before_a_job_no_list_is_old),
        cmocka_unit_test(an_answer_that_comes_after_its_node_has_moved_on_does_nothing),
        cmocka_unit_test(no_more_are_held_than_the_bound_the_rest_waits_for_the_list),
        cmocka_unit_test(nor_more_by_all_load_balancers_together),
        cmocka_unit_test(a_load_balancer_that_shows_no_single_server_is_read_by_its_list),
        cmocka_unit_test(what_an_old_worker_may_hold_is_not_taken_for_quiet),
        cmocka_unit_test(what_one_look_shows_counts_for_the_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
