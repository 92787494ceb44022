/* agent_wish_case.c - wishes on the wire: what people want of rollouts at work, kept by the agent for their controller.
 */
#include <signal.h>

#include "tests/cases/agent_client.h"

static struct stage_answer *put_wish(struct stage_agent *a, const char *rollout, int id, const char *wish)
{
    return stage_agent_http(a, "PUT", APP "/wish",
                            stage_text(a->stage,
                                       "{\"rollout\":\"%s\",\"id\":%d,\"wish\":\"%s\",\"holder\":\"ann@desk\"}",
                                       rollout, id, wish));
}

static struct stage_answer *take_wish(struct stage_agent *a, const char *rollout, int id)
{
    return stage_agent_http(
        a, "POST", APP "/wish/taken",
        stage_text(a->stage, "{\"rollout\":\"%s\",\"id\":%d,\"holder\":\"bob\",\"effect\":true}", rollout, id));
}

static struct stage_answer *get_wish(struct stage_agent *a, const char *rollout)
{
    return stage_agent_http(a, "GET", stage_text(a->stage, APP "/wish?rollout=%s", rollout), NULL);
}

static void a_wish_is_put_without_a_claim_and_shown_until_it_is_taken(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    struct stage_answer *r;

    assert_true(json_is_null(stage_json(s, get_status(a)->json, "wish")));
    assert_true(json_is_null(stage_json(s, get_wish(a, "one")->json, "wish")));
    assert_status(put_wish(a, "one", 7, "pause"), 200);
    assert_status(put_wish(a, "one", 7, "pause"), 200);
    r = get_status(a);
    assert_string_equal(stage_json_string(s, r->json, "wish.wish"), "pause");
    assert_string_equal(stage_json_string(s, r->json, "wish.holder"), "ann@desk");
    assert_true(json_is_null(stage_json(s, r->json, "wish.taken")));
    assert_true(json_is_null(stage_json(s, get_wish(a, "two")->json, "wish")));
    assert_refused(take_wish(a, "one", 8), 404, "not_found");
    assert_status(take_wish(a, "one", 7), 200);
    r = get_wish(a, "one");
    assert_string_equal(stage_json_string(s, r->json, "wish.taken.holder"), "bob");
    assert_true(stage_json_bool(s, r->json, "wish.taken.effect"));
    assert_status(put_claim(a, "one", 1, 0, 60), 200); /* it is nobody's claim */
}

static void what_is_no_wish_is_refused_and_changes_nothing(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);

    assert_status(put_wish(a, "one", 7, "pause"), 200);
    assert_refused(put_wish(a, "one", 8, "explode"), 400, "bad_request");
    assert_refused(put_wish(a, "one", 0, "abort"), 400, "bad_request");
    assert_refused(put_wish(a, "one", 7, "abort"), 400, "bad_request");
    assert_refused(stage_agent_http(a, "PUT", APP "/wish", "{"), 400, "bad_request");
    assert_refused(stage_agent_http(a, "GET", APP "/wish", NULL), 400, "bad_request");
    assert_refused(stage_agent_http(a, "PUT", "/v1/services/none/wish", "{}"), 404, "not_found");
    assert_string_equal(stage_json_string(s, get_wish(a, "one")->json, "wish.wish"), "pause");
}

/* A wish is for a rollout that is at work now: whoever starts an agent anew next week finds none. */
static void an_agent_that_starts_anew_has_none(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);

    assert_status(put_wish(a, "one", 7, "abort"), 200);
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    assert_true(json_is_null(stage_json(s, get_wish(a, "one")->json, "wish")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_wish_is_put_without_a_claim_and_shown_until_it_is_taken),
        stage_test(what_is_no_wish_is_refused_and_changes_nothing),
        stage_test(an_agent_that_starts_anew_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
