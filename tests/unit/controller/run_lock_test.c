/* The lock of a rollout whose load balancers know no lease: whom it asks for votes, and what it may do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/run_state.h"
#include "small_plan.h"

#define TTL    30000
#define VOTERS 6

struct vote_scene {
    struct small_plan small;
    struct plan_voter voters[VOTERS];
    struct run *run;
    struct turn turn;
};

/* lb1 is Plus, lb2 our module's where `leased`, else Plus as well. Of the voters the last `second` are of another
 * service. */
static void set_up(struct vote_scene *s, uint32_t n_voters, uint32_t second, bool leased)
{
    static const int ports[2] = {1, 2};
    struct plan *p = &s->small.plan;

    memset(s, 0, sizeof *s);
    small_plan(&s->small, ports, ports);
    p->lease_ttl_ms = TTL;
    p->n_batches = 1;
    p->batches[0] = 1;
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        s->small.upstreams[i].plus = !leased || s->small.upstreams[i].lb == 0;
    p->voters = s->voters;
    p->n_voters = n_voters;
    p->n_groups = second > 0 ? 2 : 1;
    for (uint32_t i = 0; i < n_voters; i++)
        s->voters[i] = (struct plan_voter){.host = "web",
                                           .service = "app",
                                           .agent = "a",
                                           .address = "b",
                                           .group = i + second >= n_voters && second > 0};
    s->run = run_new(p);
}

static void tear_down(struct vote_scene *s)
{
    run_free(&s->run);
    turn_free(&s->turn);
}

static void turn(struct vote_scene *s, uint32_t elapsed_ms, const struct input *in, size_t n)
{
    turn_clear(&s->turn);
    run_turn(s->run, &s->small.plan, elapsed_ms, in, n, &s->turn);
}

static void answered(struct vote_scene *s, uint32_t voter, enum answer_kind kind)
{
    struct input in = {.kind = IN_LOCK, .voter = voter, .answer = {.kind = kind, .text = "rollout r-2 has it"}};

    turn(s, 0, &in, 1);
}

/* Which votes the turn asks for, or gives back: a bit a voter. */
static unsigned asked(const struct vote_scene *s, bool back)
{
    unsigned mask = 0;

    for (size_t i = 0; i < s->turn.n_actions; i++)
        if (s->turn.actions[i].kind == ACT_LOCK && (s->turn.actions[i].ttl_ms == 0) == back)
            mask |= 1u << s->turn.actions[i].voter;
    return mask;
}

static bool told(const struct vote_scene *s, enum event_kind kind)
{
    for (size_t i = 0; i < s->turn.n_events; i++)
        if (s->turn.events[i].kind == kind)
            return true;
    return false;
}

/* All of them ours. */
static void take_all(struct vote_scene *s)
{
    turn(s, 0, NULL, 0);
    for (uint32_t i = 0; i < s->small.plan.n_voters; i++)
        answered(s, i, ANS_OK);
    assert_int_equal(s->run->phase, RUN_ROLLING);
}

static bool lets(struct vote_scene *s, uint16_t node, uint64_t mask, struct action *a, struct answer *instead)
{
    *a = (struct action){.kind = ACT_ASK, .ask = ASK_DRAIN, .node = node, .mask = mask};
    return lock_lets(s->run, &s->small.plan, a, instead);
}

static void the_first_voter_is_asked_alone_then_all_and_a_majority_begins(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 5, 0, false);
    turn(&s, 0, NULL, 0);
    assert_int_equal(asked(&s, false), 0x01);
    answered(&s, 0, ANS_OK);
    assert_int_equal(asked(&s, false), 0x1e);
    answered(&s, 3, ANS_OK);
    assert_int_equal(s.run->phase, RUN_LEASING);
    answered(&s, 4, ANS_OK);
    assert_true(told(&s, EVENT_LOCKED));
    assert_int_equal(s.run->phase, RUN_ROLLING);
    tear_down(&s);
}

static void two_of_four_are_no_majority(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 4, 0, false);
    turn(&s, 0, NULL, 0);
    answered(&s, 0, ANS_OK);
    answered(&s, 1, ANS_OK);
    assert_int_equal(s.run->phase, RUN_LEASING);
    answered(&s, 2, ANS_FENCED);
    assert_int_equal(s.run->stop, RUN_GOES); /* the fourth may still be ours */
    answered(&s, 3, ANS_FENCED);
    assert_int_equal(s.run->stop, RUN_STOP_HELD);
    assert_int_equal(asked(&s, true), 0x3);
    tear_down(&s);
}

static void leases_come_first(void **state)
{
    struct vote_scene s;
    struct input in = {.kind = IN_LEASE, .upstream = 2, .answer = {.kind = ANS_OK}};

    (void)state;
    set_up(&s, 3, 0, true);
    turn(&s, 0, NULL, 0);
    assert_int_equal(asked(&s, false), 0);
    assert_int_equal(s.turn.n_actions, 1);
    assert_int_equal(s.turn.actions[0].kind, ACT_LEASE);
    assert_int_equal(s.turn.actions[0].upstream, 2); /* the others have none */
    turn(&s, 0, &in, 1);
    assert_int_equal(asked(&s, false), 0x1);
    tear_down(&s);
}

static void where_the_first_voter_is_anothers_no_other_is_asked(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 5, 0, false);
    turn(&s, 0, NULL, 0);
    answered(&s, 0, ANS_FENCED);
    assert_int_equal(asked(&s, false), 0);
    assert_true(told(&s, EVENT_LEASE_REFUSED));
    assert_int_equal(s.run->phase, RUN_OVER);
    assert_int_equal(run_exit_code(s.run, 0), 6);
    tear_down(&s);
}

static void where_the_first_voter_is_silent_the_next_decides(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 3, 0, false);
    turn(&s, 0, NULL, 0);
    answered(&s, 0, ANS_TIMEOUT);
    assert_int_equal(asked(&s, false), 0x2);
    answered(&s, 1, ANS_OK);
    assert_int_equal(asked(&s, false), 0x4); /* the first again after a pause */
    answered(&s, 2, ANS_OK);
    assert_int_equal(s.run->phase, RUN_ROLLING);
    tear_down(&s);
}

static void without_answers_it_ends_with_4(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 3, 0, false);
    turn(&s, 0, NULL, 0);
    for (unsigned i = 0; i < 60 && s.run->phase == RUN_LEASING; i++) {
        for (uint32_t v = 0; v < 3; v++)
            if (run_vote(s.run, v)->asked)
                answered(&s, v, ANS_TIMEOUT);
        turn(&s, 500, NULL, 0);
    }
    assert_int_equal(s.run->stop, RUN_STOP_UNREACHABLE);
    assert_int_equal(run_exit_code(s.run, 0), 4);
    tear_down(&s);
}

static void each_service_needs_a_majority_of_its_own(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 6, 3, false);
    turn(&s, 0, NULL, 0);
    for (uint32_t i = 0; i < 4; i++)
        answered(&s, i, ANS_OK);
    assert_int_equal(s.run->phase, RUN_LEASING);
    answered(&s, 4, ANS_OK);
    assert_int_equal(s.run->phase, RUN_ROLLING);
    tear_down(&s);
}

/* What a PATCH may count on: half of the votes' time since a majority confirmed, by when it was asked. */
static void what_is_not_confirmed_within_half_its_time_lets_nothing_leave(void **state)
{
    struct vote_scene s;
    struct answer instead;
    struct action a;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    assert_true(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(a.within_ms, TTL / 2 + 1);
    turn(&s, TTL / 3, NULL, 0);
    assert_int_equal(asked(&s, false), 0x7); /* renewed */
    turn(&s, TTL / 6, NULL, 0);
    assert_true(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(a.within_ms, 1);
    turn(&s, 1, NULL, 0);
    assert_false(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(instead.kind, ANS_TIMEOUT);
    answered(&s, 0, ANS_OK);
    assert_false(lets(&s, 0, 1, &a, &instead)); /* one of three */
    answered(&s, 1, ANS_OK);
    assert_true(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(a.within_ms, TTL / 2 + 1 - (TTL / 6 + 1)); /* from when it was asked, not answered */
    tear_down(&s);
}

/* Asleep for an hour: nothing leaves before the agents were asked, and once they say no there is nothing left to do. */
static void whoever_wakes_up_asks_first(void **state)
{
    struct vote_scene s;
    struct answer instead;
    struct action a;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    turn(&s, TTL, NULL, 0);
    assert_false(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(asked(&s, false), 0x7);
    answered(&s, 0, ANS_FENCED);
    assert_int_equal(s.run->stop, RUN_GOES); /* the two others may still be ours */
    answered(&s, 1, ANS_FENCED);
    assert_int_equal(s.run->stop, RUN_STOP_HELD);
    assert_false(lets(&s, 0, 1, &a, &instead));
    assert_int_equal(instead.kind, ANS_FENCED);
    tear_down(&s);
}

static void a_vote_that_is_lost_is_no_matter_while_a_majority_stays(void **state)
{
    struct vote_scene s;
    struct answer instead;
    struct action a;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    turn(&s, TTL / 3, NULL, 0);
    answered(&s, 2, ANS_FENCED);
    answered(&s, 0, ANS_OK);
    answered(&s, 1, ANS_OK);
    assert_int_equal(s.run->stop, RUN_GOES);
    assert_true(lets(&s, 0, 1, &a, &instead));
    turn(&s, TTL / 3, NULL, 0);
    assert_int_equal(asked(&s, false), 0x3);
    tear_down(&s);
}

static void at_a_load_balancer_with_a_lease_no_vote_is_needed(void **state)
{
    struct vote_scene s;
    struct answer instead;
    struct action a;

    (void)state;
    set_up(&s, 3, 0, true); /* web1: lb1 app, lb1 extra, lb2 app */
    assert_true(lets(&s, 0, 4, &a, &instead));
    assert_int_equal(a.within_ms, 0);
    assert_false(lets(&s, 0, 5, &a, &instead));
    tear_down(&s);
}

static void who_cannot_be_asked_for_too_long_ends_the_rollout(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    for (unsigned i = 0; i < 100 && s.run->stop == RUN_GOES; i++) {
        turn(&s, 1000, NULL, 0);
        for (uint32_t v = 0; v < 3; v++)
            if (run_vote(s.run, v)->asked)
                answered(&s, v, ANS_TIMEOUT);
    }
    assert_int_equal(s.run->stop, RUN_STOP_UNSURE);
    assert_in_range(s.run->lock_age_ms, TTL + 3000, TTL + 4000);
    tear_down(&s);
}

static void votes_are_given_back_at_the_end(void **state)
{
    struct vote_scene s;
    struct input stop = {.kind = IN_STOP, .answer = {.text = "SIGINT came"}};

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    turn(&s, 0, &stop, 1);
    for (unsigned i = 0; i < 10 && s.run->phase != RUN_RELEASING; i++) { /* web1 looks, and turns round */
        struct input in = {.kind = IN_ANSWER, .node = 0, .answer = {.kind = ANS_TIMEOUT}};

        turn(&s, 1, &in, run_node(s.run, 0)->asked ? 1 : 0);
    }
    assert_int_equal(s.run->phase, RUN_RELEASING);
    assert_int_equal(asked(&s, true), 0x7);
    answered(&s, 0, ANS_OK);
    answered(&s, 1, ANS_FENCED); /* another's by now */
    answered(&s, 2, ANS_TIMEOUT);
    assert_int_equal(s.run->phase, RUN_RELEASING);
    turn(&s, 1000, NULL, 0);
    assert_int_equal(asked(&s, true), 0x4); /* once more */
    answered(&s, 2, ANS_OK);
    assert_int_equal(s.run->phase, RUN_OVER);
    tear_down(&s);
}

/* A lease that is given back at the same time may take longer: till then nothing is to be done. */
static void once_the_time_to_give_back_is_over_nothing_is_waited_for(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    s.run->phase = RUN_RELEASING;
    s.run->lease_left_ms = 1000;
    lock_give_back(s.run);
    assert_int_equal(lock_wait_ms(s.run, &s.small.plan), 0);
    s.run->lease_left_ms = 0;
    assert_int_equal(lock_wait_ms(s.run, &s.small.plan), UINT32_MAX);
    tear_down(&s);
}

static void it_waits_for_the_next_renewal_and_no_longer(void **state)
{
    struct vote_scene s;

    (void)state;
    set_up(&s, 3, 0, false);
    take_all(&s);
    turn(&s, 100, NULL, 0);
    assert_true(lock_wait_ms(s.run, &s.small.plan) <= TTL / 3 - 100);
    assert_true(lock_wait_ms(s.run, &s.small.plan) > 0);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_voter_is_asked_alone_then_all_and_a_majority_begins),
        cmocka_unit_test(two_of_four_are_no_majority),
        cmocka_unit_test(leases_come_first),
        cmocka_unit_test(where_the_first_voter_is_anothers_no_other_is_asked),
        cmocka_unit_test(where_the_first_voter_is_silent_the_next_decides),
        cmocka_unit_test(without_answers_it_ends_with_4),
        cmocka_unit_test(each_service_needs_a_majority_of_its_own),
        cmocka_unit_test(what_is_not_confirmed_within_half_its_time_lets_nothing_leave),
        cmocka_unit_test(whoever_wakes_up_asks_first),
        cmocka_unit_test(a_vote_that_is_lost_is_no_matter_while_a_majority_stays),
        cmocka_unit_test(at_a_load_balancer_with_a_lease_no_vote_is_needed),
        cmocka_unit_test(who_cannot_be_asked_for_too_long_ends_the_rollout),
        cmocka_unit_test(votes_are_given_back_at_the_end),
        cmocka_unit_test(once_the_time_to_give_back_is_over_nothing_is_waited_for),
        cmocka_unit_test(it_waits_for_the_next_renewal_and_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
