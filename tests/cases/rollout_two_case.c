/* rollout_two_case.c - two controllers at once on the same fleet: one works, the other ends with 6 and names it. */
#include <stdlib.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define ROUNDS       4
#define HOLD_MS      500 /* once released */

static const char *holder_of(struct stage *s, const struct stage_rollout *r)
{
    return stage_text(s, "pid %d", r->proc->pid);
}

static void the_second_ends_with_6_and_names_the_first(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *first = stage_fleet_start(f, (const char *const[]){"--rollout-id=first", NULL}), *second;

    stage_rollout_until(s, first, "node1     quiet", RUN_LIMIT_MS);
    second = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--rollout-id=second", NULL});
    assert_false(stage_hold_answered(hold));
    stage_rollout_expect(s, second, 6, STAGE_SAYS("rollout first", holder_of(s, first), "nothing was changed"));
    stage_hold_release(hold);
    stage_rollout_end(s, first, RUN_LIMIT_MS);
    stage_rollout_expect(s, first, 0, STAGE_SAYS("2 restarted"));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Another inventory with nodes of their own, but the same load balancer: the upstream is the lock. */
static void nodes_of_their_own_do_not_make_it_two_fleets(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *first =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=first", "--limit=node1", NULL});
    struct stage_pids before = stage_fleet_pids(f);

    stage_rollout_until(s, first, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--limit=node2", NULL}), 6,
                         STAGE_SAYS("rollout first", holder_of(s, first)));
    assert_false(stage_hold_answered(hold));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    stage_hold_release(hold);
    stage_rollout_end(s, first, RUN_LIMIT_MS);
    stage_rollout_expect(s, first, 0, STAGE_SAYS("1 restarted"));
}

static void of_two_that_start_at_the_same_moment_one_works(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);

    for (unsigned round = 0; round < ROUNDS; round++) {
        const char *ids[2] = {stage_text(s, "left-%u", round), stage_text(s, "right-%u", round)};
        struct stage_rollout *r[2];
        unsigned winner;

        for (unsigned i = 0; i < 2; i++)
            r[i] = stage_fleet_start(f, (const char *const[]){"--rollout-id", ids[i], "--limit=node1", NULL});
        for (unsigned i = 0; i < 2; i++)
            stage_rollout_end(s, r[i], RUN_LIMIT_MS);
        winner = r[0]->exit_code == 0 ? 0 : 1;
        stage_rollout_expect(s, r[winner], 0, STAGE_SAYS("1 restarted"));
        stage_rollout_expect(s, r[1 - winner], 6, STAGE_SAYS(ids[winner], holder_of(s, r[winner])));
        assert_true(stage_fleet_all_up(f));
        assert_true(stage_fleet_is_free(f));
    }
}

/* A pipeline's id is that of all its jobs. */
static void two_jobs_of_a_pipeline_with_one_id_are_two(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *first =
        stage_fleet_start(f, (const char *const[]){"--rollout-id=ci", "--limit=node1", "--max-unavailable=2", NULL});

    stage_rollout_until(s, first, "node1     quiet", RUN_LIMIT_MS);
    stage_rollout_expect(
        s,
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--rollout-id=ci", "--limit=node2", "--max-unavailable=2", NULL}),
        6, STAGE_SAYS("rollout ci", holder_of(s, first)));
    assert_false(stage_hold_answered(hold));
    stage_hold_release(hold);
    stage_rollout_end(s, first, RUN_LIMIT_MS);
    stage_rollout_expect(s, first, 0, STAGE_SAYS("1 restarted"));
    assert_true(stage_fleet_all_up(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_second_ends_with_6_and_names_the_first),
        stage_test(nodes_of_their_own_do_not_make_it_two_fleets),
        stage_test(two_jobs_of_a_pipeline_with_one_id_are_two),
        stage_test(of_two_that_start_at_the_same_moment_one_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
