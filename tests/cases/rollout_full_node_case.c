/* rollout_full_node_case.c - a node whose disk is full: before its drain it is left as it is; behind that it goes back
 * untouched. It is named, with the reason, and nothing is lost. */
#include <signal.h>
#include <string.h>

#include "small_disk.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define DISK_KB      (48 * 1024) /* agents keep 32 MB free */

struct full {
    struct stage_fleet *fleet;
    const char *disk; /* the state of node1's agent */
    struct stage_pids before;
};

static struct full start(struct stage *s)
{
    struct full f = {.fleet = stage_fleet(s, 2, 1)};
    struct stage_agent *agent = f.fleet->node[0].agent;

    stage_agent_stop(agent, SIGTERM);
    f.disk = small_disk(s, agent->state_dir, DISK_KB);
    stage_agent_again(agent);
    f.before = stage_fleet_pids(f.fleet);
    return f;
}

static struct stage_rollout *roll(struct full *f)
{
    return stage_fleet_start(f->fleet, (const char *const[]){"--release", stage_server_variant(f->fleet->stage, "v2"),
                                                             "--lease-ttl=1s", "--request-timeout=2s",
                                                             "--drain-timeout=30s", NULL});
}

/* It ends with node1 as it was and node2 not begun. */
static void expect_named(struct full *f, struct stage_rollout *r, const char *step, const char *reason)
{
    struct stage *s = f->fleet->stage;

    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 1, STAGE_SAYS(stage_text(s, "node1: failed, in rotation; in step %s", step), reason, "1 not begun"));
    assert_int_equal(stage_fleet_same_pids(f->fleet, &f->before), 2);
    assert_true(stage_fleet_all_up(f->fleet));
}

/* Somebody makes room. */
static void expect_upgrade(struct full *f)
{
    struct stage *s = f->fleet->stage;
    struct stage_rollout *r;

    assert_int_equal(unlink(stage_text(s, "%s/filler", f->disk)), 0);
    r = roll(f);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 upgraded"));
    assert_true(stage_fleet_all_up(f->fleet));
    assert_true(stage_fleet_is_free(f->fleet));
    small_disk_gone(f->disk);
}

static void one_that_cannot_keep_a_claim_is_left_as_it_is(struct stage *s)
{
    struct full f = start(s);

    small_disk_fill(s, f.disk);
    expect_named(&f, roll(&f), "claim", "No space left on device");
    expect_upgrade(&f);
}

static void one_without_room_for_the_release_is_left_as_it_is(struct stage *s)
{
    struct full f = start(s);

    small_disk_fill(s, f.disk);
    small_disk_leave(s, f.disk, 64);
    expect_named(&f, roll(&f), "stage", "no_space");
    expect_upgrade(&f);
}

/* Its agent has the claim and the release, and cannot write down a job: so it begins none. Nor can it write down that
 * the claim is dropped: told with the command, which has nothing left to do but that. */
static void one_that_fills_up_while_it_drains_goes_back_untouched(struct stage *s)
{
    struct full f = start(s);
    struct stage_hold *hold = stage_hold_start(f.fleet, 0, 0, 100);
    struct stage_rollout *r = roll(&f);

    stage_rollout_until(s, r, "node1     quiet ", RUN_LIMIT_MS);
    small_disk_fill(s, f.disk);
    stage_hold_release(hold);
    expect_named(&f, r, "job", "No space left on device");
    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: our claim is still at its agent", "then: rollout repair --hosts"));
    (void)stage_hold_end(hold);
    assert_int_equal(unlink(stage_text(s, "%s/filler", f.disk)), 0);
    (void)stage_write(s, stage_text(s, "%s/filler", f.disk), "");
    stage_rollout_expect(s, stage_fleet_run(f.fleet, RUN_LIMIT_MS, (const char *const[]){"repair", NULL}), 0, NULL);
    expect_upgrade(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(one_that_cannot_keep_a_claim_is_left_as_it_is),
        stage_test(one_without_room_for_the_release_is_left_as_it_is),
        stage_test(one_that_fills_up_while_it_drains_goes_back_untouched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
