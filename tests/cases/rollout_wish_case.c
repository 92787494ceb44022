/* rollout_wish_case.c - a rollout steered from another machine: an own state folder, the hosts file and a certificate
 * are all that this has. */
#include <signal.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      500 /* once released */

static struct stage_rollout *wish_start(struct stage_fleet *f, const char *command, const char *id)
{
    return stage_rollout_start(f->stage, NULL,
                               (const char *const[]){command, id, "--hosts", f->hosts, "--cert", f->controller->cert,
                                                     "--key", f->controller->key, "--cacert", f->controller->ca, NULL});
}

static struct stage_rollout *wish(struct stage_fleet *f, const char *command, const char *id)
{
    struct stage_rollout *r = wish_start(f, command, id);

    stage_rollout_end(f->stage, r, RUN_LIMIT_MS);
    return r;
}

static void pause_from_elsewhere_finishes_the_node_and_ends_with_7(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, wish(f, "pause", "one"), 0,
                         STAGE_SAYS("pause of rollout one: ", " of 3 agents took it", "heard by", "who acts on it"));
    stage_rollout_until(s, r, "stopping  paused by", RUN_LIMIT_MS);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 7, STAGE_SAYS("3 nodes: 1 restarted, 2 not begun"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    /* the wish is still with the agents; the same rollout again is another run of it */
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--rollout-id=one", "--min-healthy-time=1s", NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 already there", "2 restarted"));
}

static void abort_from_elsewhere_puts_a_draining_node_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    (void)stage_fleet_hosts(f, "rollout_release=/not/on/this/machine\n");
    stage_rollout_expect(s, wish(f, "abort", "one"), 0, STAGE_SAYS("of 2 agents took it", "who acts on it"));
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    assert_false(stage_hold_answered(hold));
    stage_rollout_expect(s, r, 130, STAGE_SAYS("stopped: aborted by", "1 stopped, in rotation"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void promote_from_elsewhere_lets_it_go_on_and_says_when_there_is_nothing_to_promote(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--pause-after=1", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, wish(f, "promote", "one"), 5, STAGE_SAYS("it does not wait for a promotion"));
    stage_hold_release(hold);
    stage_rollout_until(s, r, "held      after the canary", RUN_LIMIT_MS);
    stage_rollout_expect(s, wish(f, "promote", "one"), 0, STAGE_SAYS("of 3 agents took it", "who acts on it"));
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("promoted  by", "3 restarted"));
}

static void a_wish_that_nobody_hears_says_so_within_10_s(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;
    uint64_t asked_ms = stage_now_ms();

    stage_agent_stop(f->node[1].agent, SIGTERM);
    r = wish(f, "pause", "nobody");
    assert_in_range(stage_now_ms() - asked_ms, 10000, stage_limit_ms(s, 12000));
    stage_rollout_expect(
        s, r, 4, STAGE_SAYS("node2 did not take it", "1 of 2 agents took it", "nobody has heard it within 10 s"));
    stage_agent_stop(f->node[0].agent, SIGTERM);
    stage_rollout_expect(s, wish(f, "pause", "nobody"), 4, STAGE_SAYS("0 of 2 agents took it"));
}

/* An agent that does not answer is not what keeps a wish from being heard. */
static void a_wish_is_heard_though_an_agent_is_away(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--pause-after=1", NULL});

    stage_rollout_until(s, r, "held      after the canary", RUN_LIMIT_MS);
    stage_agent_stop(f->node[1].agent, SIGKILL);
    stage_rollout_expect(s, wish(f, "pause", "one"), 0, STAGE_SAYS("of 3 agents took it", "who acts on it"));
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 7, STAGE_SAYS("1 restarted, 2 not begun"));
}

/* ---- two at once */

struct standing {
    struct stage_fleet *fleet;
    const char *wish;
    struct stage_rollout *by;
};

static bool stands_or_is_refused(void *ctx)
{
    const struct standing *w = ctx;
    unsigned n = 0;

    for (unsigned i = 0; i < w->fleet->n_nodes; i++) {
        struct stage_answer *a =
            stage_agent_http(w->fleet->node[i].agent, "GET", "/v1/services/app/wish?rollout=one", NULL);
        const char *there = json_string_value(json_object_get(json_object_get(a->json, "wish"), "wish"));

        n += there != NULL && strcmp(there, w->wish) == 0 ? 1 : 0;
    }
    return n == w->fleet->n_nodes || stage_proc_ended(w->fleet->stage, w->by->proc);
}

/* At every agent, or refused there. */
static struct stage_rollout *put(struct stage_fleet *f, const char *command)
{
    struct stage_rollout *by = wish_start(f, command, "one");

    stage_wait_until(f->stage, stands_or_is_refused, &(struct standing){f, command, by}, RUN_LIMIT_MS,
                     "a wish to be with every agent, or refused");
    return by;
}

/* Two operators wish while the controller does not listen, the second not before the first's is everywhere. */
static void wish_two(struct stage *s, const char *first, const char *second)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r = stage_fleet_start(f, (const char *const[]){"--rollout-id=one", "--pause-after=1", NULL});
    struct stage_rollout *by[2];

    stage_rollout_until(s, r, "held      after the canary", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGSTOP);
    by[0] = put(f, first);
    by[1] = put(f, second);
    stage_proc_signal(s, r->proc, SIGCONT);
    for (int i = 0; i < 2; i++) {
        bool abort = strcmp(i == 0 ? first : second, "abort") == 0;

        stage_rollout_end(s, by[i], RUN_LIMIT_MS);
        stage_rollout_expect(s, by[i], abort ? 0 : 5,
                             abort ? STAGE_SAYS("who acts on it") : STAGE_SAYS("abort by root@"));
    }
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 130, STAGE_SAYS("stopped: aborted by", "1 restarted, 2 not begun"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void an_abort_is_not_lost_to_a_promotion_behind_it(struct stage *s)
{
    wish_two(s, "abort", "promote");
}

static void an_abort_is_not_lost_to_a_pause_before_it(struct stage *s)
{
    wish_two(s, "pause", "abort");
}

static void of_two_who_abort_at_once_both_hear_that_it_is_done(struct stage *s)
{
    wish_two(s, "abort", "abort");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(pause_from_elsewhere_finishes_the_node_and_ends_with_7),
        stage_test(abort_from_elsewhere_puts_a_draining_node_back),
        stage_test(promote_from_elsewhere_lets_it_go_on_and_says_when_there_is_nothing_to_promote),
        stage_test(a_wish_that_nobody_hears_says_so_within_10_s),
        stage_test(a_wish_is_heard_though_an_agent_is_away),
        stage_test(an_abort_is_not_lost_to_a_promotion_behind_it),
        stage_test(an_abort_is_not_lost_to_a_pause_before_it),
        stage_test(of_two_who_abort_at_once_both_hear_that_it_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
