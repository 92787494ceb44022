/* rollout_upgrade_case.c - the main job on the real parts: a small fleet goes from one release to the next. */
#include <string.h>

#include "tests/stage/fleet.h"
#include "tests/stage/test.h"

#define RUN_LIMIT_MS 60000

static void the_fleet_rolls_to_the_release_and_nothing_stays_claimed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    const char *release = stage_server_variant(s, "v2");
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", release, NULL});

    if (r->exit_code != 0)
        stage_fail(s, "exit %d\n%s%s", r->exit_code, r->out, r->err);
    assert_int_equal(stage_fleet_at_version(f, "2"), 3);
    assert_true(stage_fleet_all_up(f));
    for (unsigned i = 0; i < f->n_nodes; i++) {
        struct stage_answer *a = stage_agent_http(f->node[i].agent, "GET", "/v1/services/app", NULL);

        assert_int_equal(a->status, 200);
        assert_true(json_is_null(stage_json(s, a->json, "claim")));
    }
    for (unsigned i = 0; i < f->n_lbs; i++) {
        struct stage_answer *a =
            stage_http(s, "GET", stage_text(s, "%s/9/http/upstreams/app", f->lb[i]->api), NULL, NULL);

        assert_int_equal(stage_json_int(s, a->json, "rollout.ttl"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_fleet_rolls_to_the_release_and_nothing_stays_claimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
