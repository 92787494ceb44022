/* The simulation's judge of I1 (tests/sim/judge.h): what another rollout took out since a controller decided its drain
 * was up in every list that it can have seen; all else counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/judge.h"

#define NODES     3
#define FLOOR     2 /* of NODES */
#define DECIDED   10000
#define ONE_AFTER (DECIDED + 1)

static struct sim_truth truth;
static struct judge judge;

static const struct sim_who ours = {.rollout = 1, .holder = 1, .fence = 1};
static const struct sim_who another = {.rollout = 1, .holder = 2, .fence = 2};

/* Three nodes of one server each, all up, in one upstream. */
static int begin(void **state)
{
    const struct judge_rules rules = {.max_unavailable = NODES - FLOOR, .threshold = 1, .ttl_ms = 30000, .target = 'B'};

    (void)state;
    truth = (struct sim_truth){.n_nodes = NODES, .n_lbs = 1, .n_upstreams = 1, .n_peers = NODES};
    for (uint8_t i = 0; i < NODES; i++) {
        truth.peers[i] = (struct sim_peer){.node = i, .gate = SIM_OPEN};
        truth.agents[i].now = (struct sim_ident){.pid = 100u + i, .exe = 'A'};
    }
    judge_begin(&judge, &truth, &rules);
    return 0;
}

static void claim(const struct sim_who *who, uint8_t node)
{
    struct sim_claim c = {.who = *who, .there = true, .until_ms = SIM_EVER, .took = {node}, .n_took = 1};

    judge_claim(&judge, &truth, node, &c, true, false);
    truth.agents[node].claim = c;
}

static void gate(const struct sim_who *who, uint8_t peer, enum sim_gate to, int64_t ms)
{
    truth.now_ms = ms;
    judge_gate(&judge, &truth, who, peer, to, to == SIM_OPEN, false, ms);
    sim_gate_set(&truth, peer, to, 0);
}

/* Out from `ms` on, then back, and found unavailable meanwhile. */
static void out_and_back_unavailable(const struct sim_who *who, uint8_t peer, int64_t ms)
{
    claim(who, peer);
    gate(who, peer, SIM_DRAIN, ms);
    judge_peer_lost(&judge, &truth, peer);
    truth.peers[peer].failing = true;
    gate(who, peer, SIM_OPEN, ms + 500);
}

static void drain_decided_long_ago(void)
{
    const uint8_t peer = 0;

    truth.now_ms = DECIDED + 60000;
    judge_drain_sent(&judge, &truth, 0, &ours, 0, &peer, 1, DECIDED);
}

static void what_another_took_out_since_is_not_held_against_it(void **state)
{
    (void)state;
    claim(&ours, 0);
    out_and_back_unavailable(&another, 1, ONE_AFTER);
    drain_decided_long_ago();
    assert_string_equal(judge.breach, "");
}

static void what_another_took_out_before_it_decided_is(void **state)
{
    (void)state;
    claim(&ours, 0);
    out_and_back_unavailable(&another, 1, DECIDED - JUDGE_SNAPSHOT_MS - 1);
    drain_decided_long_ago();
    assert_string_equal(judge.invariant, "I1");
}

static void what_it_took_out_itself_is(void **state)
{
    (void)state;
    claim(&ours, 0);
    out_and_back_unavailable(&ours, 1, ONE_AFTER);
    drain_decided_long_ago();
    assert_string_equal(judge.invariant, "I1");
}

/* It was not up when the other took it out, so no list has shown it up. */
static void what_was_unavailable_all_the_time_is(void **state)
{
    (void)state;
    claim(&ours, 0);
    truth.peers[1].failing = true;
    claim(&another, 1);
    gate(&another, 1, SIM_DRAIN, ONE_AFTER);
    drain_decided_long_ago();
    assert_string_equal(judge.invariant, "I1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_another_took_out_since_is_not_held_against_it, begin),
        cmocka_unit_test_setup(what_another_took_out_before_it_decided_is, begin),
        cmocka_unit_test_setup(what_it_took_out_itself_is, begin),
        cmocka_unit_test_setup(what_was_unavailable_all_the_time_is, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
