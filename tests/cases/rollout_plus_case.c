/* rollout_plus_case.c - load balancers that know no lease: NGINX Plus. A majority of the fleet's agents is the lock. */
#include "resume_steps.h"
#include "tests/stage/plus.h"

#define HOLD_MS 300 /* once released */

static const char *holder_of(struct stage *s, const struct stage_rollout *r)
{
    return stage_text(s, "pid %d", r->proc->pid);
}

static void expect_no_failure(struct stage *s, struct stage_load *load)
{
    stage_load_end(s, load);
    assert_true(load->sent > 0);
    if (load->failed != 0)
        stage_fail(s, "%lu of %lu requests failed:\n%s", load->failed, load->sent, stage_load_failures(s, load));
}

static void a_fleet_behind_plus_is_upgraded_without_losing_a_request(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_plus *plus[] = {stage_plus_start(f, 0), stage_plus_start(f, 1)};
    struct stage_load *load = stage_load_start_fleet(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", stage_server_variant(s, "v2"), NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("a majority of the 3 agents is ours", "3 nodes: 3 upgraded"));
    expect_no_failure(s, load);
    stage_fleet_expect_versions(f, "222");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&plus[i]->patches), 9); /* drain, down, back */
        assert_int_equal(atomic_load(&plus[i]->wrong_paths), 0);
    }
}

static void the_second_ends_with_6_and_names_the_first(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *first =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=first", "--limit=node1", NULL});

    stage_rollout_until(s, first, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(
        s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--rollout-id=second", "--limit=node2,node3", NULL}),
        6, STAGE_SAYS("rollout first", holder_of(s, first), "nothing was changed"));
    assert_int_equal(atomic_load(&plus->patches), 1);
    assert_false(stage_hold_answered(hold));
    stage_hold_release(hold);
    stage_rollout_end(s, first, RUN_LIMIT_MS);
    stage_rollout_expect(s, first, 0, STAGE_SAYS("1 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void of_two_that_start_at_the_same_moment_one_works(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);

    (void)stage_plus_start(f, 0);
    for (unsigned round = 0; round < 4; round++) {
        const char *ids[2] = {stage_text(s, "left-%u", round), stage_text(s, "right-%u", round)};
        struct stage_rollout *r[2];
        unsigned winner;

        for (unsigned i = 0; i < 2; i++)
            r[i] = stage_fleet_start(
                f, (const char *const[]){"--rollout-id", ids[i], i == 0 ? "--limit=node1" : "--limit=node2", NULL});
        for (unsigned i = 0; i < 2; i++)
            stage_rollout_end(s, r[i], RUN_LIMIT_MS);
        winner = r[0]->exit_code == 0 ? 0 : 1;
        stage_rollout_expect(s, r[winner], 0, STAGE_SAYS("1 restarted"));
        if (r[1 - winner]->exit_code != 0) /* else one had ended before the other looked */
            stage_rollout_expect(s, r[1 - winner], 6, STAGE_SAYS(ids[winner], holder_of(s, r[winner])));
        assert_true(stage_fleet_all_up(f));
        assert_true(stage_fleet_is_free(f));
    }
}

static void agents_that_are_down_are_no_matter_while_a_majority_is_up(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 5, 1);
    struct stage_rollout *r;

    (void)stage_plus_start(f, 0);
    stage_agent_stop(f->node[0].agent, SIGKILL);
    stage_agent_stop(f->node[4].agent, SIGKILL);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--limit=node2,node3", NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("a majority of the 5 agents is ours", "2 restarted"));
    assert_true(stage_fleet_all_up(f));
}

static void without_a_majority_nothing_is_changed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    struct stage_rollout *r;

    stage_agent_stop(f->node[2].agent, SIGKILL);
    stage_agent_stop(f->node[3].agent, SIGKILL);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--limit=node1,node2", NULL});
    stage_rollout_expect(
        s, r, 4,
        STAGE_SAYS("load balancer lb1 has no lease (NGINX Plus)", "2 of 4 can: node3: ", "nothing was changed"));
    assert_int_equal(atomic_load(&plus->patches), 0);
    assert_true(json_is_null(stage_fleet_vote(f, 0)));
}

/* The majority goes while a node is out: it cannot be put back by one who may have been taken over. It is named, and
 * mended once the agents are there again. */
static void whoever_loses_the_majority_changes_nothing_more_and_names_what_is_out(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--limit=node1", "--lease-ttl=2s", "--request-timeout=1s", NULL});
    unsigned patches;

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    for (unsigned i = 1; i < 4; i++)
        stage_agent_stop(f->node[i].agent, SIGKILL);
    patches = atomic_load(&plus->patches);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 3,
        STAGE_SAYS("node1: OUT OF ROTATION", "agents that hold our lock", "rollout repair", f->node[0].server->peer));
    assert_int_equal(atomic_load(&plus->patches), patches);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "draining");
    stage_hold_release(hold);
    for (unsigned i = 1; i < 4; i++)
        stage_agent_again(f->node[i].agent);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=2s", NULL}),
                         0, STAGE_SAYS("1 put back"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void plus_beside_our_module_has_both_lease_and_votes(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_hold *hold;
    struct stage_load *load;
    struct stage_rollout *r;

    (void)stage_plus_start(f, 1);
    hold = stage_hold_start(f, 0, 0, HOLD_MS);
    r = stage_fleet_start(f, (const char *const[]){"--rollout-id=both", NULL});
    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    assert_string_equal(stage_json_string(s, stage_fleet_lease(f, 0), "id"), "both");
    assert_int_equal(stage_json_int(s, stage_fleet_lease(f, 1), "ttl"), 0);
    assert_string_equal(stage_json_string(s, stage_fleet_vote(f, 0), "rollout"), "both");
    stage_hold_release(hold);
    (void)stage_hold_end(hold);
    load = stage_load_start_fleet(f);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 restarted"));
    expect_no_failure(s, load);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void an_answer_that_nginx_cannot_just_now_is_asked_for_again(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    struct stage_rollout *r = stage_fleet_start(f, NULL);

    stage_rollout_until(s, r, "node1     check", RUN_LIMIT_MS); /* before that the survey asks again, too */
    atomic_store(&plus->refuse, 2);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("not just now (503 Unavailable)", "2 restarted"));
    assert_int_equal(atomic_load(&plus->refused), 2);
    assert_true(stage_fleet_all_up(f));
}

/* Seen before anything is changed: later it could not be put back. */
static void an_api_that_only_reads_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_plus *plus = stage_plus_start(f, 0);
    const char *before = stage_fleet_picture(f);

    atomic_store(&plus->read_only, true);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, NULL), 5,
                         STAGE_SAYS("load balancer lb1: ", "method disabled (405 MethodDisabled)", "api write=on",
                                    "nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_fleet_behind_plus_is_upgraded_without_losing_a_request),
        stage_test(plus_beside_our_module_has_both_lease_and_votes),
        stage_test(an_answer_that_nginx_cannot_just_now_is_asked_for_again),
        stage_test(an_api_that_only_reads_is_refused),
        stage_test(the_second_ends_with_6_and_names_the_first),
        stage_test(of_two_that_start_at_the_same_moment_one_works),
        stage_test(agents_that_are_down_are_no_matter_while_a_majority_is_up),
        stage_test(without_a_majority_nothing_is_changed),
        stage_test(whoever_loses_the_majority_changes_nothing_more_and_names_what_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
