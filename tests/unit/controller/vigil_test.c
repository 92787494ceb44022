/* Whether the holder of leases and claims is dead: surveys as they come, one after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/vigil.h"

static const char HOSTS[] = "lb1 rollout_api=http://127.0.0.1:1/api\nweb1\nweb2\n[all:vars]\nrollout_service=app\n";

struct scene {
    struct fleet *fleet;
    struct survey survey;
    struct survey_lb lb;
    struct survey_upstream upstreams[2]; /* app, other */
    struct survey_node nodes[2];
    struct agent_took_out took_out;
    struct plan_request request;
    struct vigil vigil;
};

static void lease(struct scene *s, uint32_t upstream, const char *id, uint32_t left_s)
{
    struct lb_lease *l = &s->upstreams[upstream].lease;

    *l = (struct lb_lease){.known = true, .ttl_s = left_s, .fence = 3};
    (void)snprintf(l->id, sizeof l->id, "%s", id);
    (void)snprintf(l->holder, sizeof l->holder, "bob@ci");
}

static void claim(struct scene *s, uint32_t node, const char *id, uint32_t left_s)
{
    s->nodes[node].status.claim = (struct agent_claim){.there = true,
                                                       .rollout = id,
                                                       .holder = "bob@ci",
                                                       .fence = 3,
                                                       .left_s = left_s,
                                                       .n_took_out = 1,
                                                       .took_out = &s->took_out};
}

static void set_up(struct scene *s)
{
    struct err err = {""};

    memset(s, 0, sizeof *s);
    if (!fleet_parse("fleet.ini", HOSTS, strlen(HOSTS), &s->fleet, &err))
        fail_msg("%s", err.text);
    s->upstreams[0].name = "app";
    s->upstreams[1].name = "other";
    s->lb = (struct survey_lb){.host = 0, .good = true, .n_upstreams = 2, .upstreams = s->upstreams};
    s->nodes[0] = (struct survey_node){.host = 1, .good = true};
    s->nodes[1] = (struct survey_node){.host = 2, .good = true};
    s->took_out = (struct agent_took_out){.lb = "lb1", .upstream = "app", .server = "10.0.0.1:80"};
    s->survey = (struct survey){.n_lbs = 1, .n_nodes = 2, .lbs = &s->lb, .nodes = s->nodes};
    s->request = (struct plan_request){.rollout = "r1", .holder = "ann@ci"};
}

static enum vigil_verdict look(struct scene *s, bool repair, uint64_t now_ms)
{
    return vigil_look(&s->vigil, s->fleet, &s->survey, &s->request, repair, now_ms);
}

static void a_dead_one_is_waited_for_until_all_has_run_out(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s);
    lease(&s, 0, "r1", 8);
    claim(&s, 0, "r1", 12);
    assert_int_equal(look(&s, false, 1000), VIGIL_WAIT);
    assert_int_equal(s.vigil.until_ms, 13000);
    assert_int_equal(s.vigil.wait_ms, 1500);
    assert_non_null(strstr(s.vigil.text, "web1: held by rollout r1 (bob@ci), 12 s left"));
    lease(&s, 0, "r1", 0);
    claim(&s, 0, "r1", 4);
    assert_int_equal(look(&s, false, 9000), VIGIL_WAIT);
    claim(&s, 0, "r1", 1); /* rounded up */
    assert_int_equal(look(&s, false, 12900), VIGIL_WAIT);
    claim(&s, 0, "r1", 0);
    assert_int_equal(look(&s, false, 13100), VIGIL_FREE);
    fleet_free(&s.fleet);
}

/* Seen by the first renewal, not after the whole time. */
static void a_living_one_is_known_by_its_renewals(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s);
    lease(&s, 0, "r1", 22);
    assert_int_equal(look(&s, false, 1000), VIGIL_WAIT);
    lease(&s, 0, "r1", 21);
    assert_int_equal(look(&s, false, 2000), VIGIL_WAIT);
    lease(&s, 0, "r1", 30);
    assert_int_equal(look(&s, false, 4000), VIGIL_ALIVE);
    assert_non_null(strstr(s.vigil.text, "upstream app at lb1: held by rollout r1 (bob@ci), 30 s left"));
    fleet_free(&s.fleet);
}

/* Of a short time to live a renewal shows only by its end. */
static void one_that_never_runs_out_is_alive(void **state)
{
    struct scene s;
    uint64_t now_ms = 1000;
    enum vigil_verdict v;

    (void)state;
    set_up(&s);
    lease(&s, 0, "r1", 1);
    while ((v = look(&s, false, now_ms)) == VIGIL_WAIT && now_ms < 60000)
        now_ms += s.vigil.wait_ms;
    assert_int_equal(v, VIGIL_ALIVE);
    assert_true(now_ms < 6000);
    fleet_free(&s.fleet);
}

/* A resume waits for its own rollout alone, a repair for whoever has claims, and for the leases of what they took. */
static void only_what_is_to_be_taken_over_is_waited_for(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s);
    lease(&s, 0, "r0", 9);
    claim(&s, 0, "r0", 9);
    assert_int_equal(look(&s, false, 1000), VIGIL_FREE); /* another's: refused at once, by the plan */
    assert_int_equal(look(&s, true, 1000), VIGIL_WAIT);
    memset(&s.vigil, 0, sizeof s.vigil);
    claim(&s, 0, "r0", 0);
    assert_int_equal(look(&s, true, 1000), VIGIL_WAIT); /* for the lease of app */
    memset(&s.vigil, 0, sizeof s.vigil);
    lease(&s, 0, "r0", 0);
    lease(&s, 1, "r0", 9);
    assert_int_equal(look(&s, true, 1000), VIGIL_FREE); /* nothing of `other` was taken out */
    s.nodes[0].status.claim.holder = "ann@ci";
    claim(&s, 1, "r1", 9);
    s.nodes[1].status.claim.holder = "ann@ci";
    assert_int_equal(look(&s, false, 1000), VIGIL_FREE); /* this very process */
    fleet_free(&s.fleet);
}

static void what_was_not_read_is_not_waited_for(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s);
    lease(&s, 0, "r1", 9);
    claim(&s, 0, "r1", 9);
    s.lb.good = s.nodes[0].good = false;
    assert_int_equal(look(&s, false, 1000), VIGIL_FREE);
    fleet_free(&s.fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_one_is_waited_for_until_all_has_run_out),
        cmocka_unit_test(a_living_one_is_known_by_its_renewals),
        cmocka_unit_test(one_that_never_runs_out_is_alive),
        cmocka_unit_test(only_what_is_to_be_taken_over_is_waited_for),
        cmocka_unit_test(what_was_not_read_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
