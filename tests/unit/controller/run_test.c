/* Whole rollouts against the fake fleet: what leaves the controller, in what order, and what it ends with. Each test is
 * a story: what goes wrong, what the fleet looks like in the end. The judge of tests/sim watches every effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

struct story {
    struct plan *plan;
    struct fake_fleet *fleet;
    struct fake_world *world;
    char *lines; /* what a person saw */
    size_t n_lines;
    int code;
};

static struct story begin(struct fake_shape shape)
{
    struct story s = {.plan = fake_plan(shape)};

    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    return s;
}

static void roll(struct story *s)
{
    FILE *f = open_memstream(&s->lines, &s->n_lines);

    s->code = fake_rollout(s->world, f);
    (void)fclose(f);
}

static void end(struct story *s)
{
    assert_string_equal(s->fleet->judge.breach, "");
    free(s->lines);
    fake_world_free(&s->world);
    fake_fleet_free(&s->fleet);
    plan_free(&s->plan);
}

/* The flow, in full, once: this log is its documentation. Leases in the plan's order; a node at a time; a claim before
 * the first change; all load balancers at once; nothing is restarted that is not down and quiet everywhere. */
static void all_good(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    roll(&s);
    assert_string_equal(s.fleet->log, "  0.002 lb1/app lease r1 fence 7\n"
                                      "  0.006 lb2/app lease r1 fence 7\n"
                                      "  0.021 a claim r1 fence 7\n"
                                      "  0.027 a has release B\n"
                                      "  0.270 a at lb1/app: drain\n"
                                      "  0.270 a at lb2/app: drain\n"
                                      "  1.282 a at lb1/app: down\n"
                                      "  1.282 a at lb2/app: down\n"
                                      "  1.787 a job r1/a/job/1\n"
                                      "  1.987 a job ends: runs B, pid 200\n"
                                      "  3.528 a at lb1/app: open\n"
                                      "  3.528 a at lb2/app: open\n"
                                      "  3.537 a unclaimed\n"
                                      "  3.787 b claim r1 fence 7\n"
                                      "  3.793 b has release B\n"
                                      "  4.036 b at lb1/app: drain\n"
                                      "  4.036 b at lb2/app: drain\n"
                                      "  5.048 b at lb1/app: down\n"
                                      "  5.048 b at lb2/app: down\n"
                                      "  5.553 b job r1/b/job/1\n"
                                      "  5.753 b job ends: runs B, pid 201\n"
                                      "  7.294 b at lb1/app: open\n"
                                      "  7.294 b at lb2/app: open\n"
                                      "  7.303 b unclaimed\n"
                                      "  7.553 c claim r1 fence 7\n"
                                      "  7.559 c has release B\n"
                                      "  7.802 c at lb1/app: drain\n"
                                      "  7.802 c at lb2/app: drain\n"
                                      "  8.814 c at lb1/app: down\n"
                                      "  8.814 c at lb2/app: down\n"
                                      "  9.319 c job r1/c/job/1\n"
                                      "  9.519 c job ends: runs B, pid 202\n"
                                      " 10.002 lb1/app lease r1 fence 7, renewed\n"
                                      " 10.006 lb2/app lease r1 fence 7, renewed\n"
                                      " 11.060 c at lb1/app: open\n"
                                      " 11.060 c at lb2/app: open\n"
                                      " 11.069 c unclaimed\n"
                                      " 11.319 d claim r1 fence 7\n"
                                      " 11.325 d has release B\n"
                                      " 11.568 d at lb1/app: drain\n"
                                      " 11.568 d at lb2/app: drain\n"
                                      " 12.580 d at lb1/app: down\n"
                                      " 12.580 d at lb2/app: down\n"
                                      " 13.085 d job r1/d/job/1\n"
                                      " 13.285 d job ends: runs B, pid 203\n"
                                      " 14.826 d at lb1/app: open\n"
                                      " 14.826 d at lb2/app: open\n"
                                      " 14.835 d unclaimed\n"
                                      " 14.840 lb1/app lease free\n"
                                      " 14.840 lb2/app lease free\n");
    assert_int_equal(s.code, 0);
    end(&s);
}

/* ---- what a story asks about */

/* How often a line of the effect log has this text. */
static unsigned logged(const struct story *s, const char *text)
{
    unsigned n = 0;

    for (const char *at = s->fleet->log; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    return n;
}

static void assert_before(const struct story *s, const char *first, const char *then)
{
    const char *a = strstr(s->fleet->log, first), *b = strstr(s->fleet->log, then);

    if (a == NULL || b == NULL || a > b)
        fail_msg("'%s' is not before '%s' in\n%s%s", first, then, s->fleet->log, s->lines);
}

static void assert_ends(const struct story *s, int code, const char *runs)
{
    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        if (s->fleet->agents[i].now.sha256[0] != (uint8_t)runs[i])
            fail_msg("%s runs %c, not %c\n%s%s", s->plan->nodes[i].name, s->fleet->agents[i].now.sha256[0], runs[i],
                     s->fleet->log, s->lines);
    if (s->code != code)
        fail_msg("exit code %d, not %d\n%s%s", s->code, code, s->fleet->log, s->lines);
}

/* Every peer of the plan's nodes is open, but those of `out`; no claim and no lease is left but theirs. */
static void assert_all_back_but(const struct story *s, int32_t out)
{
    for (uint32_t i = 0; i < s->plan->n_peers; i++)
        if (s->plan->peers[i].node != out && s->fleet->peers[i].gate != GATE_OPEN)
            fail_msg("%s is not back\n%s%s", s->plan->nodes[s->plan->peers[i].node].name, s->fleet->log, s->lines);
    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        if ((int32_t)i != out && s->fleet->agents[i].claim.there)
            fail_msg("%s is still claimed\n%s%s", s->plan->nodes[i].name, s->fleet->log, s->lines);
}

static void assert_says(const struct story *s, const char *text)
{
    if (strstr(s->lines, text) == NULL)
        fail_msg("nobody says '%s' in\n%s", text, s->lines);
}

/* ---- the floor and the pace */

static void another_peers_death_holds_the_next(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a unclaimed", 0, fake_peer_dies, 7); /* d at lb2 */
    s.fleet->agents[3].now.sha256[0] = FAKE_NEW;
    s.plan->nodes[3].at_target = true;
    roll(&s);
    assert_ends(&s, 1, "BAAB");
    assert_int_equal(logged(&s, "b at"), 0);
    assert_int_equal(logged(&s, "c claim"), 0);
    assert_says(&s, "upstream app at lb2: 3 of 4 peers up, 2 would be left, the floor is 3");
    assert_all_back_but(&s, -1);
    end(&s);
}

static void goes_on_when_the_peer_is_back(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3});

    (void)state;
    fake_when(s.fleet, "a unclaimed", 0, fake_peer_closed, 2); /* somebody takes c out, and puts it back 5 s later */
    fake_when(s.fleet, "somebody takes c", 5000, fake_peer_opened, 2);
    roll(&s);
    assert_ends(&s, 0, "BBB");
    assert_before(&s, "somebody puts c", "b at lb1/app: drain");
    end(&s);
}

static void two_at_a_time(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->batches[0] = 2;
    s.plan->max_unavailable = 2;
    roll(&s);
    assert_ends(&s, 0, "BBBB");
    assert_before(&s, "b at lb1/app: drain", "a job");
    assert_before(&s, "a at lb1/app: open", "c at lb1/app: drain");
    end(&s);
}

static void a_batch_of_two_waits_for_a_floor_of_one(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->batches[0] = 2;
    roll(&s);
    assert_ends(&s, 0, "BBBB");
    assert_before(&s, "b claim", "a at lb1/app: drain");
    assert_before(&s, "a at lb2/app: open", "b at lb1/app: drain");
    end(&s);
}

/* The limit of the floor is about others: b's turn comes, however long a takes. */
static void waiting_for_our_own_is_no_failure(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->batches[0] = 3;
    s.fleet->agents[0].job_takes_ms = 45000;
    s.plan->wait_ms[WAIT_JOB] = 60000;
    roll(&s);
    assert_ends(&s, 0, "BBBB");
    end(&s);
}

/* A node with two ports in one upstream takes two peers out at once. */
static void every_port_of_a_node_counts(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .ports = 2});

    (void)state;
    s.plan->max_unavailable = 2;
    s.plan->batches[0] = 2;
    roll(&s);
    assert_ends(&s, 0, "BBB");
    end(&s);

    s = begin((struct fake_shape){.nodes = 3, .ports = 2});
    roll(&s); /* at most one of six peers, but each node has two */
    assert_ends(&s, 1, "AAA");
    assert_int_equal(logged(&s, "drain"), 0);
    end(&s);
}

/* The reading of lb2 takes longer than a list may be old. */
static void an_old_list_lets_nobody_go(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.plan->wait_ms[WAIT_FLOOR] = 4000;
    fake_world_rule(
        s.world,
        (struct fake_rule){.kind = ACT_READ_LB, .place = 1, .nth = 1, .times = 1000, .fault = FAULT_LATE, .ms = 700});
    roll(&s);
    assert_ends(&s, 1, "AA");
    assert_int_equal(logged(&s, "drain"), 0);
    assert_says(&s, "has not shown upstream app within the last second");
    end(&s);
}

/* ---- failures */

static void the_first_failure_stops_the_rest(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.fleet->agents[1].fate = FATE_KEPT;
    roll(&s);
    assert_ends(&s, 1, "BAAA");
    assert_int_equal(logged(&s, "c claim"), 0);
    assert_all_back_but(&s, -1);
    end(&s);
}

/* b waits behind a for the floor when a's release proves bad: it must not get it too. */
static void a_bad_release_is_on_one_node(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->batches[0] = 2;
    s.fleet->agents[0].fate = FATE_ILL;
    roll(&s);
    assert_ends(&s, 1, "AAAA");
    assert_int_equal(logged(&s, "b at"), 0);
    assert_int_equal(logged(&s, "a job r1/a/undo/2"), 1);
    assert_all_back_but(&s, -1);
    end(&s);
}

static void what_cannot_be_undone_is_named(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_ILL;
    s.fleet->agents[0].undo_fate = FATE_KEPT;
    roll(&s);
    assert_ends(&s, 3, "BAA");
    assert_all_back_but(&s, 0);
    assert_true(s.fleet->agents[0].claim.there); /* repair finds it by that */
    assert_says(&s, "a: OUT OF ROTATION; in step health: it did not get healthy");
    assert_says(&s, "Out or unknown: 10.0.0.1:8000 of upstream app at lb1, 10.0.0.1:8000 of upstream app at lb2. "
                    "Act now: rollout repair --hosts FILE");
    end(&s);
}

static void a_dead_process_is_brought_back(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_DIED;
    roll(&s);
    assert_ends(&s, 1, "AAA");
    assert_all_back_but(&s, -1);
    end(&s);
}

static void a_success_that_is_none_is_seen(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_UNTRUE;
    roll(&s);
    assert_ends(&s, 1, "AAA");
    assert_says(&s, "in step verify: the process that runs is not the one that the job reported");
    assert_all_back_but(&s, -1);
    end(&s);
}

static void a_load_balancer_that_dies_in_between(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job ends", 0, fake_lb_dies, 1);
    roll(&s);
    assert_ends(&s, 3, "BAA");
    assert_int_equal(s.fleet->peers[0].gate, GATE_OPEN); /* a at lb1 */
    assert_int_equal(s.fleet->peers[1].gate, GATE_DOWN); /* a at lb2 */
    assert_int_equal(logged(&s, "b claim"), 0);
    assert_says(&s, "a: OUT OF ROTATION; in step back: a load balancer could not be changed back (lb2: no answer). "
                    "Out or unknown: 10.0.0.1:8000 of upstream app at lb2. Act now");
    end(&s);
}

static void a_load_balancer_that_cannot_be_changed(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb1/app: drain", 0, fake_lb_dies, 1);
    fake_when(s.fleet, "a at lb1/app: drain", 6000, fake_lb_lives, 1);
    roll(&s);
    assert_ends(&s, 1, "AAA");
    assert_int_equal(logged(&s, "job"), 0);
    assert_all_back_but(&s, -1);
    end(&s);
}

/* ---- stops */

static void a_signal_in_mid_drain_puts_back(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb2/app: drain", 100, fake_signal, 2);
    roll(&s);
    assert_ends(&s, 130, "AAA");
    assert_int_equal(logged(&s, "job"), 0);
    assert_int_equal(logged(&s, "b claim"), 0);
    assert_all_back_but(&s, -1);
    assert_says(&s, "a: stopped, in rotation; in step quiet: the rollout was stopped");
    end(&s);
}

static void a_signal_in_mid_job_finishes_the_node(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job r1", 50, fake_signal, 15);
    roll(&s);
    assert_ends(&s, 143, "BAA");
    assert_int_equal(logged(&s, "b claim"), 0);
    assert_all_back_but(&s, -1);
    end(&s);
}

static void a_second_signal_breaks_off_and_names_the_node(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job r1", 50, fake_signal, 2);
    fake_when(s.fleet, "a job r1", 60, fake_signal, 2);
    roll(&s);
    assert_ends(&s, 3, "AAA");
    assert_says(&s, "a: left in mid-motion; in step handover: the rollout was broken off");
    end(&s);
}

static void a_signal_behind_the_last_node_is_no_interruption(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2});

    (void)state;
    fake_when(s.fleet, "b unclaimed", 1, fake_signal, 2);
    roll(&s);
    assert_ends(&s, 0, "BB");
    end(&s);
}

/* The disk is full from the n-th append on, for every n: no intent leaves that is not in the journal, and no node is
 * left out. */
static void a_journal_that_cannot_be_written_leaves_no_node_out(void **state)
{
    uint32_t n = 0;
    int code = 1;

    (void)state;
    while (code != 0) {
        struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

        s.world->store_fails = ++n;
        roll(&s);
        code = s.code;
        if (code != 0)
            assert_ends(&s, n <= 2 ? 78 : 1, /* of the plan, of the leases: no node has begun */
                        s.fleet->agents[0].now.sha256[0] == 'A'   ? "AA"
                        : s.fleet->agents[1].now.sha256[0] == 'A' ? "BA"
                                                                  : "BB");
        if (code != 0)
            assert_says(&s, "the journal cannot be written: no space left on device");
        if (n <= 11) /* the append with the step into the job is the 11th */
            assert_int_equal(logged(&s, "job"), 0);
        assert_all_back_but(&s, -1);
        end(&s);
    }
    assert_true(n > 30);
}

/* ---- leases and claims */

static void only_the_first(struct story *s)
{
    for (uint32_t i = 1; i < s->plan->n_nodes; i++) {
        s->plan->nodes[i].at_target = true;
        s->fleet->agents[i].now.sha256[0] = FAKE_NEW;
    }
}

static void anothers_lease_is_exit_6_and_nothing_changed(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_lease_stolen(s.fleet, 1);
    roll(&s);
    assert_ends(&s, 6, "AAA");
    assert_string_equal(s.fleet->log, "  0.000 lb2/app lease r9 fence 9\n"
                                      "  0.002 lb1/app lease r1 fence 7\n"
                                      "  0.010 lb1/app lease free\n");
    assert_says(&s, "refused   upstream app at lb2: lb2: held by another rollout");
    end(&s);
}

static void an_unreachable_load_balancer_is_exit_4(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_lb_dies(s.fleet, 1);
    roll(&s);
    assert_ends(&s, 4, "AAA");
    assert_int_equal(logged(&s, "claim"), 0);
    end(&s);
}

/* Another rollout has taken everything over (we were asleep for too long): from then on nothing of ours has an effect.
 */
static void a_lost_lease_ends_all_effects(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});
    char *after;

    (void)state;
    s.plan->batches[0] = s.plan->max_unavailable = 2;
    s.fleet->agents[0].job_takes_ms = 12000;
    s.plan->wait_ms[WAIT_JOB] = 30000;
    s.fleet->peers[2].hold_ms = 20000; /* b at lb1: is still in its drain */
    s.plan->wait_ms[WAIT_DRAIN] = 30000;
    fake_when(s.fleet, "a job", 100, fake_claim_stolen, 0);
    fake_when(s.fleet, "a claim r9", 0, fake_claim_stolen, 1);
    fake_when(s.fleet, "b claim r9", 0, fake_lease_stolen, 0);
    fake_when(s.fleet, "lb1/app lease r9", 0, fake_lease_stolen, 1);
    roll(&s);
    assert_ends(&s, 3, "BAAA");
    after = strstr(s.fleet->log, "lb2/app lease r9 fence 9\n");
    assert_non_null(after);
    assert_string_equal(after, "lb2/app lease r9 fence 9\n 14.033 a job ends: runs B, pid 200\n");
    assert_says(&s, "a: OUT OF ROTATION");
    assert_says(&s, "b: OUT OF ROTATION");
    end(&s);
}

static void what_another_run_took_over_and_brought_back_is_its_own(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job", 100, fake_claim_stolen, 0);
    fake_when(s.fleet, "a claim r9", 0, fake_lease_stolen, 0);
    fake_when(s.fleet, "lb1/app lease r9", 0, fake_lease_stolen, 1);
    fake_when(s.fleet, "lb2/app lease r9", 2000, fake_peer_opened, 0);
    fake_when(s.fleet, "lb2/app lease r9", 2100, fake_peer_opened, 1);
    roll(&s);
    assert_ends(&s, 6, "BA");
    assert_says(&s, "2 nodes: 1 taken over by another run, 1 not begun");
    assert_int_equal(logged(&s, ": open"), 0);
    end(&s);
}

/* Another rollout of other nodes has the lease by now, and nobody but us answers for what we took out. */
static void a_lost_lease_alone_leaves_what_is_out_to_us(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job", 100, fake_lease_stolen, 0);
    fake_when(s.fleet, "lb1/app lease r9", 0, fake_lease_stolen, 1);
    roll(&s);
    assert_ends(&s, 3, "BA");
    assert_says(&s, "a: OUT OF ROTATION");
    assert_int_equal(logged(&s, ": open"), 0);
    end(&s);
}

static void leases_and_claims_are_renewed(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->agents[0].job_takes_ms = 70000;
    s.plan->wait_ms[WAIT_JOB] = 100000;
    only_the_first(&s);
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_int_equal(logged(&s, "lb1/app lease r1 fence 7, renewed"), 7);
    assert_int_equal(logged(&s, "lb2/app lease r1 fence 7, renewed"), 7);
    assert_int_equal(logged(&s, "a claim r1 fence 7, renewed"), 7);
    assert_int_equal(logged(&s, "lease free"), 2);
    end(&s);
}

/* Renewals fail for as long as two thirds of the ttl: they are tried again, and nothing is lost. */
static void a_renewal_that_fails_is_tried_again(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 1});

    (void)state;
    s.fleet->agents[0].job_takes_ms = 70000;
    s.plan->wait_ms[WAIT_JOB] = 100000;
    fake_world_rule(s.world,
                    (struct fake_rule){.kind = ACT_LEASE, .place = -1, .nth = 1, .times = 18, .fault = FAULT_FAIL});
    fake_world_rule(s.world, (struct fake_rule){.kind = ACT_RENEW, .node = -1, .times = 18, .fault = FAULT_FAIL});
    only_the_first(&s);
    roll(&s);
    assert_ends(&s, 0, "BB");
    end(&s);
}

/* One that is on its way when all is done, and refused then, is no news. */
static void a_renewal_that_comes_too_late_is_no_news(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    only_the_first(&s);
    s.fleet->agents[0].job_takes_ms = 7200;
    s.plan->wait_ms[WAIT_JOB] = 10000;
    fake_world_rule(s.world,
                    (struct fake_rule){.kind = ACT_LEASE, .place = 0, .nth = 1, .fault = FAULT_LATE, .ms = 1000});
    fake_when(s.fleet, "a unclaimed", 0, fake_lease_stolen, 0);
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_null(strstr(s.lines, "refused"));
    assert_null(strstr(s.lines, "stopping"));
    end(&s);
}

/* A renewal on its way when the node is done must not bring the claim back behind the unclaim. */
static void a_renewal_on_its_way_delays_the_unclaim(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 1});

    (void)state;
    s.plan->wait_ms[WAIT_HEALTH] = 20000;
    s.fleet->agents[0].gets_healthy_ms = 7500;
    fake_world_rule(s.world, (struct fake_rule){.kind = ACT_RENEW, .node = -1, .fault = FAULT_LATE, .ms = 2000});
    only_the_first(&s);
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_before(&s, "a at lb1/app: open", "a claim r1 fence 7, renewed");
    assert_before(&s, "a claim r1 fence 7, renewed", "a unclaimed");
    assert_all_back_but(&s, -1);
    end(&s);
}

/* ---- lost answers: every effect is asked for again and has one effect */

static void every_lost_answer_is_asked_again(void **state)
{
    static const enum ask asks[] = {ASK_STATUS, ASK_CLAIM, ASK_STAGE,   ASK_DRAIN,  ASK_DOWN,
                                    ASK_JOB,    ASK_BACK,  ASK_JOB_END, ASK_HEALTH, ASK_UNCLAIM};
    static const enum fake_fault faults[] = {FAULT_FAIL, FAULT_LOSE, FAULT_HANG, FAULT_LATE};

    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
            struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

            fake_world_rule(s.world,
                            (struct fake_rule){
                                .kind = ACT_ASK, .ask = asks[i], .node = 0, .nth = 0, .fault = faults[k], .ms = 500});
            roll(&s);
            assert_ends(&s, 0, "BB");
            assert_int_equal(logged(&s, "job r1/a/job/1"), 1);
            assert_int_equal(s.fleet->judge.nodes[0].touches, 1);
            assert_all_back_but(&s, -1);
            end(&s);
        }
}

/* ---- what others do */

/* c is out at lb1 and draining at lb2 before we come: so it is again when we have gone. */
static void what_others_took_out_stays_as_it_was(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    fake_peer_closed(s.fleet, 4);
    s.fleet->peers[5].gate = GATE_DRAIN;
    s.plan->max_unavailable = 2;
    roll(&s);
    assert_ends(&s, 0, "BBBB");
    assert_int_equal(s.fleet->peers[4].gate, GATE_DOWN);
    assert_int_equal(s.fleet->peers[5].gate, GATE_DRAIN);
    assert_int_equal(logged(&s, "c at lb1/app:"), 0);
    assert_int_equal(logged(&s, "c at lb2/app: open"), 0);
    end(&s);
}

/* It is taken out by somebody while its release is sent, behind our first look. */
static void what_others_take_out_meanwhile_stays_out(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->max_unavailable = 2;
    fake_world_rule(s.world,
                    (struct fake_rule){.kind = ACT_ASK, .ask = ASK_STAGE, .node = 0, .fault = FAULT_LATE, .ms = 1000});
    fake_when(s.fleet, "a claim", 500, fake_peer_closed, 0);
    roll(&s);
    assert_ends(&s, 0, "BBBB");
    assert_int_equal(logged(&s, "a at lb1/app:"), 0);
    assert_int_equal(logged(&s, "a claim"), 2); /* the second says that it is lb2's peer alone that is ours */
    assert_says(&s, "a: was out before, by somebody else, and is so still: 10.0.0.1:8000 of upstream app at lb1\n");
    end(&s);
}

/* A reload takes the counters of the old workers with it: only the agent still sees their requests. */
static void a_reload_in_the_drain_waits_for_the_agent(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->lbs[1].exact = false;
    s.fleet->peers[1].hold_ms = 4000; /* a at lb2 */
    fake_when(s.fleet, "a at lb2/app: drain", 100, fake_lb_reloads, 1);
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_before(&s, "lb2 reloads", "a at lb2/app: down");
    assert_before(&s, "4.787 a job", "a at lb1/app: open");
    end(&s);
}

static void on_proceed_only_the_timeout_cuts_off(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.plan->drain_proceed = true;
    s.fleet->lbs[1].exact = false;
    s.fleet->peers[1].hold_ms = 60000;
    fake_when(s.fleet, "a at lb2/app: drain", 100, fake_lb_reloads, 1);
    s.fleet->peers[2].hold_ms = 60000; /* b at lb1 */
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_before(&s, "6.787 a job", "a at lb1/app: open");  /* 5 s of --drain-timeout behind its down */
    assert_before(&s, "14.363 b job", "b at lb1/app: open"); /* 5 s behind its drain */
    end(&s);
}

static void a_drain_that_does_not_end_puts_back(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->peers[0].hold_ms = 60000;
    roll(&s);
    assert_ends(&s, 1, "AA");
    assert_says(&s, "a: failed, in rotation; in step quiet: requests to it did not end within the drain timeout "
                    "(1 request, the first of them at lb1)");
    assert_all_back_but(&s, -1);
    end(&s);
}

/* lb2 answers after 1.2 s: what lb1 said is older than a second by then. */
static void no_job_on_an_old_list(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_world_rule(
        s.world,
        (struct fake_rule){.kind = ACT_READ_LB, .place = 1, .nth = 7, .times = 1000, .fault = FAULT_LATE, .ms = 600});
    roll(&s);
    assert_ends(&s, 1, "AA");
    assert_int_equal(logged(&s, "job"), 0);
    end(&s);
}

static void no_job_where_somebody_puts_it_back(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb2/app: down", 0, fake_peer_opened, 0);
    roll(&s);
    assert_ends(&s, 1, "AA");
    assert_int_equal(logged(&s, "job"), 0);
    assert_says(&s, "stopped: a: somebody else put 10.0.0.1:8000 back at lb1 while it was out");
    assert_all_back_but(&s, -1);
    end(&s);
}

/* Each node is told why it waits; what could not be read is read again. */
static void a_load_balancer_that_is_away_for_a_moment(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_world_rule(s.world, (struct fake_rule){.kind = ACT_READ_LB, .place = 1, .times = 3, .fault = FAULT_FAIL});
    roll(&s);
    assert_ends(&s, 0, "BB");
    assert_says(&s, "look      still waits: the network: no answer");
    end(&s);
}

static void a_process_that_changed_meanwhile_is_left_alone(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb2/app: drain", 200, fake_process_restarts, 0);
    roll(&s);
    assert_ends(&s, 1, "AA");
    assert_int_equal(logged(&s, "job"), 0);
    assert_says(&s, "what runs there changed since the plan was made");
    assert_all_back_but(&s, -1);
    end(&s);
}

/* ---- repair */

/* What a rollout that died left: all of its nodes out, under its claim. */
static struct story begin_repair(uint32_t nodes)
{
    struct story s = {.plan = fake_plan((struct fake_shape){.nodes = nodes, .lbs = 2})};

    fake_plan_repair(s.plan);
    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    for (uint32_t i = 0; i < s.plan->n_peers; i++)
        s.fleet->peers[i].gate = GATE_DOWN;
    for (uint32_t i = 0; i < nodes; i++) {
        s.fleet->agents[i].claim = (struct fake_claim){.there = true, .rollout = "r1", .fence = 7};
        s.fleet->agents[i].highest = 7;
    }
    return s;
}

static void repair_puts_back_what_is_well(void **state)
{
    struct story s = begin_repair(3);

    (void)state;
    s.fleet->agents[1].now.sha256[0] = FAKE_NEW; /* died behind the job */
    s.fleet->agents[2].now.sha256[0] = 'X';      /* runs what nobody brought there, */
    s.fleet->agents[2].undo_fate = FATE_REFUSED; /* and the release before is not there any more */
    roll(&s);
    assert_ends(&s, 3, "ABX");
    assert_all_back_but(&s, 2);
    assert_int_equal(logged(&s, "job"), 0);
    assert_int_equal(logged(&s, "c at"), 0);
    assert_says(&s, "3 nodes: 2 put back, 1 OUT OF ROTATION");
    end(&s);
}

static void repair_undoes_what_nobody_knows(void **state)
{
    struct story s = begin_repair(2);

    (void)state;
    s.fleet->agents[1].now.sha256[0] = 'X';
    s.fleet->peers[2].hold_ms = s.fleet->peers[3].hold_ms = 0; /* its requests have ended */
    roll(&s);
    assert_ends(&s, 0, "AA");
    assert_all_back_but(&s, -1);
    assert_int_equal(logged(&s, "b job r2/b/undo/1"), 1);
    assert_says(&s, "2 nodes: 2 put back");
    end(&s);
}

static void repair_waits_for_a_claim_to_run_out(void **state)
{
    struct story s = begin_repair(1);

    (void)state;
    s.plan->wait_ms[WAIT_MEND] = s.plan->lease_wait_ms = 12000;
    s.fleet->agents[0].claim.until_ms = 10000;
    s.fleet->leases[0] = (struct fake_lease){.id = "r1", .fence = 7, .highest = 7, .until_ms = 8000};
    roll(&s);
    assert_ends(&s, 0, "A");
    assert_before(&s, "lb2/app lease r2", " 10.0");
    assert_true(s.world->started < 60); /* it asks once a second */
    assert_all_back_but(&s, -1);
    end(&s);
}

static void repair_of_a_claim_that_took_nothing_out(void **state)
{
    struct story s = begin_repair(1);

    (void)state;
    s.plan->nodes[0].n_peers = 0;
    s.plan->nodes[0].out_mask = 0;
    fake_peer_opened(s.fleet, 0);
    fake_peer_opened(s.fleet, 1);
    roll(&s);
    assert_ends(&s, 0, "A");
    assert_int_equal(logged(&s, "a unclaimed"), 1);
    end(&s);
}

/* Exit codes that say "all in rotation" are not for a repair that never began. */
static void repair_that_is_stopped_names_what_is_still_out(void **state)
{
    struct story s = begin_repair(1);

    (void)state;
    fake_lb_dies(s.fleet, 1);
    fake_at(s.fleet, 500, fake_signal, 2);
    roll(&s);
    assert_ends(&s, 3, "A");
    assert_says(&s, "Out or unknown: 10.0.0.1:8000 of upstream app at lb1, 10.0.0.1:8000 of upstream app at lb2. Act");
    end(&s);
}

static void repair_leaves_what_went_by_itself(void **state)
{
    struct story s = begin_repair(2);

    (void)state;
    s.fleet->agents[0].claim.there = false; /* the rollout lived, and put it back and out again by hand */
    s.fleet->agents[1].claim.fence = 6;     /* not the claim that the plan is made of */
    roll(&s);
    assert_ends(&s, 3, "AA");
    assert_int_equal(logged(&s, "a at"), 0);
    assert_int_equal(logged(&s, "b at"), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_good),
        cmocka_unit_test(another_peers_death_holds_the_next),
        cmocka_unit_test(goes_on_when_the_peer_is_back),
        cmocka_unit_test(two_at_a_time),
        cmocka_unit_test(a_batch_of_two_waits_for_a_floor_of_one),
        cmocka_unit_test(waiting_for_our_own_is_no_failure),
        cmocka_unit_test(every_port_of_a_node_counts),
        cmocka_unit_test(an_old_list_lets_nobody_go),
        cmocka_unit_test(the_first_failure_stops_the_rest),
        cmocka_unit_test(a_bad_release_is_on_one_node),
        cmocka_unit_test(what_cannot_be_undone_is_named),
        cmocka_unit_test(a_dead_process_is_brought_back),
        cmocka_unit_test(a_success_that_is_none_is_seen),
        cmocka_unit_test(a_load_balancer_that_dies_in_between),
        cmocka_unit_test(a_load_balancer_that_cannot_be_changed),
        cmocka_unit_test(a_signal_in_mid_drain_puts_back),
        cmocka_unit_test(a_signal_in_mid_job_finishes_the_node),
        cmocka_unit_test(a_second_signal_breaks_off_and_names_the_node),
        cmocka_unit_test(a_signal_behind_the_last_node_is_no_interruption),
        cmocka_unit_test(a_journal_that_cannot_be_written_leaves_no_node_out),
        cmocka_unit_test(anothers_lease_is_exit_6_and_nothing_changed),
        cmocka_unit_test(an_unreachable_load_balancer_is_exit_4),
        cmocka_unit_test(a_lost_lease_ends_all_effects),
        cmocka_unit_test(what_another_run_took_over_and_brought_back_is_its_own),
        cmocka_unit_test(a_lost_lease_alone_leaves_what_is_out_to_us),
        cmocka_unit_test(leases_and_claims_are_renewed),
        cmocka_unit_test(a_renewal_that_fails_is_tried_again),
        cmocka_unit_test(a_renewal_that_comes_too_late_is_no_news),
        cmocka_unit_test(a_renewal_on_its_way_delays_the_unclaim),
        cmocka_unit_test(every_lost_answer_is_asked_again),
        cmocka_unit_test(what_others_took_out_stays_as_it_was),
        cmocka_unit_test(what_others_take_out_meanwhile_stays_out),
        cmocka_unit_test(a_reload_in_the_drain_waits_for_the_agent),
        cmocka_unit_test(on_proceed_only_the_timeout_cuts_off),
        cmocka_unit_test(a_drain_that_does_not_end_puts_back),
        cmocka_unit_test(no_job_on_an_old_list),
        cmocka_unit_test(no_job_where_somebody_puts_it_back),
        cmocka_unit_test(a_load_balancer_that_is_away_for_a_moment),
        cmocka_unit_test(a_process_that_changed_meanwhile_is_left_alone),
        cmocka_unit_test(repair_puts_back_what_is_well),
        cmocka_unit_test(repair_undoes_what_nobody_knows),
        cmocka_unit_test(repair_waits_for_a_claim_to_run_out),
        cmocka_unit_test(repair_of_a_claim_that_took_nothing_out),
        cmocka_unit_test(repair_that_is_stopped_names_what_is_still_out),
        cmocka_unit_test(repair_leaves_what_went_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
