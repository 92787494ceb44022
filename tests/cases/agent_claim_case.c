/* agent_claim_case.c - who may change a node: claims and fences on the wire, and after the agent was killed. */
#include <signal.h>
#include <stdio.h>

#include "tests/cases/agent_client.h"

static void a_live_claim_keeps_others_out_and_names_its_holder(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    struct stage_answer *r;

    assert_status(put_claim(a, "one", 1, 0, 60), 200);
    r = put_claim(a, "two", 2, 1, 60);
    assert_refused(r, 409, "claim_held");
    assert_non_null(strstr(stage_json_string(s, r->json, "error.text"), "one"));
    assert_status(put_claim(a, "one", 1, 1, 60), 200); /* renewed */
    assert_refused(put_claim(a, "one", 2, 0, 60), 409, "claim_changed");
    assert_refused(drop_claim(a, "two", 1), 412, "fence_stale");
    assert_status(drop_claim(a, "one", 1), 200);
    assert_status(drop_claim(a, "one", 1), 200); /* gone already */
    r = get_status(a);
    assert_true(json_is_null(stage_json(s, r->json, "claim")));
    assert_int_equal(stage_json_int(s, r->json, "fence"), 1); /* stays */
    assert_refused(put_claim(a, "two", 1, 0, 60), 412, "fence_stale");
    assert_status(put_claim(a, "two", 2, 0, 60), 200);
}

static bool has_run_out(void *ctx)
{
    struct stage_agent *a = ctx;

    return stage_json_int(a->stage, get_status(a)->json, "claim.left") == 0;
}

static void a_claim_that_ran_out_is_taken_over_by_a_higher_fence_only(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);

    assert_status(put_claim(a, "one", 5, 0, 1), 200);
    stage_wait_until(s, has_run_out, a, 5000, "the claim to run out");
    assert_refused(post_job(a, "one/n1/restart/1", "one", 5, "restart", NULL), 409, "no_claim");
    assert_refused(put_claim(a, "two", 5, 5, 60), 412, "fence_stale");
    assert_refused(put_claim(a, "two", 6, 0, 60), 409, "claim_changed");
    assert_status(put_claim(a, "two", 6, 5, 60), 200);
    assert_refused(put_claim(a, "one", 5, 5, 60), 409, "claim_held");
    assert_refused(post_job(a, "one/n1/restart/1", "one", 5, "restart", NULL), 412, "fence_stale");
    assert_non_null(strstr(stage_read(s, a->proc->out_path), "event=claim_ran_out"));
}

static void claim_and_fence_outlive_a_killed_agent_which_says_that_the_node_is_out(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    struct stage_answer *r;

    assert_status(put_claim(a, "one", 7, 0, 60), 200);
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    r = get_status(a);
    assert_string_equal(stage_json_string(s, r->json, "claim.rollout"), "one");
    assert_int_equal(stage_json_int(s, r->json, "claim.fence"), 7);
    assert_in_range(stage_json_int(s, r->json, "claim.left"), 1, 60);
    assert_string_equal(stage_json_string(s, r->json, "claim.took_out.0.server"), "1.2.3.4:80");
    assert_non_null(strstr(stage_read(s, a->proc->out_path), "event=node_is_out"));
    assert_refused(put_claim(a, "two", 8, 7, 60), 409, "claim_held");
    assert_status(drop_claim(a, "one", 7), 200);
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    assert_refused(put_claim(a, "two", 7, 0, 60), 412, "fence_stale");
}

static void a_body_that_is_no_claim_changes_nothing(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    static const char *const bodies[] = {"", "{", "[]", "{}", "{\"rollout\":\"r\",\"rollout\":\"q\"}"};
    char *big = stage_alloc(s, 300000);

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_refused(stage_agent_http(a, "PUT", APP "/claim", bodies[i]), 400, "bad_request");
    memset(big, ' ', 299999);
    assert_refused(stage_agent_http(a, "PUT", APP "/claim", big), 413, "too_large");
    assert_true(json_is_null(stage_json(s, get_status(a)->json, "claim")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_live_claim_keeps_others_out_and_names_its_holder),
        stage_test(a_claim_that_ran_out_is_taken_over_by_a_higher_fence_only),
        stage_test(claim_and_fence_outlive_a_killed_agent_which_says_that_the_node_is_out),
        stage_test(a_body_that_is_no_claim_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
