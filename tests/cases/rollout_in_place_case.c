/* rollout_in_place_case.c - an upstream of one: it cannot be drained, so its handover must be enough. Only on request.
 */
#include <string.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

static void without_it_an_upstream_of_one_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    const char *picture = stage_fleet_picture(f);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, NULL);

    stage_rollout_expect(s, r, 5, STAGE_SAYS("1 of 1 peers are up", "a handover without a drain by --in-place"));
    assert_string_equal(stage_fleet_picture(f), picture);
}

/* Never drained, never down, new process, new release; every request is answered all the same. */
static void a_lone_node_is_handed_over_under_load(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    const char *release = stage_server_variant(s, "v2");
    struct stage_load *load;
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--in-place", "--release", release, NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("in place, without a drain, since it is alone in an upstream"));
    load = stage_load_start_fleet(f);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--in-place", "--release", release, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 in place, without a drain", "1 upgraded"));
    if (strstr(r->out, "drain:true") != NULL || strstr(r->out, "down:true") != NULL)
        stage_fail(s, "it was taken out:\n%s", r->out);
    stage_load_end_whole(s, load);
    assert_int_equal(stage_fleet_at_version(f, "2"), 1);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_release_that_stays_sick_is_taken_back_in_place(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--in-place", "--release", stage_server_variant(s, "sick"),
                                              "--healthy-deadline=2s", NULL});

    stage_rollout_expect(s, r, 1, STAGE_SAYS("node1: failed, in rotation; in step health"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 1);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Where others can answer the flag changes nothing. */
static void with_company_it_is_drained_as_ever(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--in-place", NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted", "node1     drain", "node2     drain"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(without_it_an_upstream_of_one_is_refused),
        stage_test(a_lone_node_is_handed_over_under_load),
        stage_test(a_release_that_stays_sick_is_taken_back_in_place),
        stage_test(with_company_it_is_drained_as_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
