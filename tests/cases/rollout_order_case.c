/* rollout_order_case.c - which nodes move together: zones one after another. */
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 90000
#define ZONES                                                                                                          \
    "[x]\nnode1\nnode3\n[x:vars]\nrollout_zone=x\n"                                                                    \
    "[y]\nnode2\nnode4\n[y:vars]\nrollout_zone=y\n"

/* The first line that says `first` stands before the first that says `then`. */
static void expect_before(struct stage *s, const struct stage_rollout *r, const char *first, const char *then)
{
    const char *a = strstr(r->out, first), *b = strstr(r->out, then);

    if (a == NULL || b == NULL || a > b)
        stage_fail(s, "\"%s\" does not come before \"%s\" in\n%s", first, then, r->out);
}

static void zones_follow_each_other_and_never_mix(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 4, 2);
    struct stage_rollout *r;

    (void)stage_fleet_hosts(f, ZONES);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"plan", "--order=zone", NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("in zone y; takes out", "zone by zone"));
    expect_before(s, r, "node3: restart", "node2: restart");
    r = stage_fleet_run(f, RUN_LIMIT_MS,
                        (const char *const[]){"--order=zone", "--canary=0", "--batch=2", "--max-unavailable=2", NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("4 restarted"));
    expect_before(s, r, "node3     check", "node1     done");
    expect_before(s, r, "node1     done", "node2     check");
    expect_before(s, r, "node3     done", "node2     check");
    expect_before(s, r, "node4     check", "node2     done");
    assert_true(stage_fleet_all_up(f));
}

static void a_node_without_a_zone_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r;

    (void)stage_fleet_hosts(f, "[x]\nnode1\n[x:vars]\nrollout_zone=x\n");
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--order=zone", NULL});
    stage_rollout_expect(s, r, 78, STAGE_SAYS("--order zone, and node2 has no rollout_zone"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(zones_follow_each_other_and_never_mix),
        stage_test(a_node_without_a_zone_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
