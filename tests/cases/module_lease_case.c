/* module_lease_case.c - one rollout at a time may change an upstream: the lease and its fence on the wire. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

static struct stage_nginx *start(struct stage *s)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)),
                                 stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = peers, .no_zone = true}, /* the stage tries it */
        {.name = "app", .peers = peers},
        {.name = "other", .peers = peers},
        {.name = NULL}};

    return stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});
}

static struct stage_answer *patch(struct stage_nginx *n, const char *upstream, const char *headers, const char *body)
{
    const char *url = stage_text(n->stage, "%s/9/http/upstreams/%s/servers/0", n->api, upstream);

    return stage_http(n->stage, "PATCH", url, headers, body);
}

static const char *lease(struct stage *s, const char *fence, const char *id, const char *ttl)
{
    return stage_text(s, "Rollout-Fence: %s\nRollout-Id: %s\nRollout-Ttl: %s\nRollout-Holder: amy \"ci\"", fence, id,
                      ttl);
}

static const json_t *look(struct stage_nginx *n, const char *upstream)
{
    const char *url = stage_text(n->stage, "%s/9/http/upstreams/%s", n->api, upstream);

    return stage_json(n->stage, stage_http(n->stage, "GET", url, NULL, NULL)->json, "rollout");
}

/* The whole rule, as one story. */
static void the_lease_goes_to_the_highest_fence_and_to_one_at_a_time(struct stage *s)
{
    static const struct {
        const char *fence, *id, *ttl, *body;
        int status;
        const char *code; /* of a refusal */
    } rows[] = {
        {"5", "a/1", "60", "", 200, NULL},
        {"6", "b", "60", "{\"down\":true}", 412, "LeaseHeld"},
        {"4", "b", "60", "", 412, "LeaseHeld"},
        {"4", "a/1", "60", "", 412, "FenceStale"},
        {"4", "a/1", "0", "", 412, "FenceStale"},
        {"5", "a/1", "60", "{\"drain\":true}", 200, NULL},
        {"7", "a/1", "60", "{}", 200, NULL},
        {"8", "b", "60", "", 412, "LeaseHeld"},
        {"7", "a/1", "0", "{\"drain\":false}", 200, NULL},
        {"7", "b", "60", "{\"down\":true}", 412, "FenceStale"},
        {"6", "a/1", "60", "", 412, "FenceStale"},
        {"8", "b", "60", "{\"down\":true}", 200, NULL},
        {"9", "a/1", "60", "{\"down\":false}", 412, "LeaseHeld"},
        {"8", "b", "0", "", 200, NULL},
        {"9", "a/1", "60", "{\"down\":false}", 200, NULL},
    };
    struct stage_nginx *n = start(s);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = patch(n, "app", lease(s, rows[i].fence, rows[i].id, rows[i].ttl), rows[i].body);

        if (a->status != rows[i].status)
            stage_fail(s, "row %zu: %d %s", i, a->status, a->body);
        if (rows[i].code != NULL)
            assert_string_equal(stage_json_string(s, a->json, "error.code"), rows[i].code);
    }
    const json_t *now = look(n, "app");
    assert_int_equal(stage_json_int(s, now, "fence"), 9);
    assert_string_equal(stage_json_string(s, now, "id"), "a/1");
    assert_string_equal(stage_json_string(s, now, "holder"), "amy \"ci\"");
    assert_in_range(stage_json_int(s, now, "ttl"), 30, 60);
    assert_int_equal(stage_json_int(s, look(n, "other"), "fence"), 0);
}

static void a_refusal_names_holder_id_and_numbers(struct stage *s)
{
    struct stage_nginx *n = start(s);

    assert_int_equal(patch(n, "app", lease(s, "5", "a", "60"), "")->status, 200);
    const char *held = stage_json_string(s, patch(n, "app", lease(s, "6", "b", "60"), "")->json, "error.text");
    assert_non_null(strstr(held, "amy \"ci\""));
    assert_non_null(strstr(held, "\"a\""));
    assert_non_null(strstr(held, " seconds"));
    const char *stale = stage_json_string(s, patch(n, "app", lease(s, "3", "a", "60"), "")->json, "error.text");
    assert_non_null(strstr(stale, "fence 3"));
    assert_non_null(strstr(stale, "fence 5"));
}

static void a_client_without_headers_changes_the_server_and_not_the_lease(struct stage *s)
{
    struct stage_nginx *n = start(s);

    assert_int_equal(patch(n, "app", lease(s, "5", "a", "60"), "{\"drain\":true}")->status, 200);
    struct stage_answer *a = patch(n, "app", NULL, "{\"drain\":false}");
    assert_int_equal(a->status, 200);
    assert_null(stage_json_find(a->json, "drain"));
    assert_int_equal(stage_json_int(s, look(n, "app"), "fence"), 5);
    assert_in_range(stage_json_int(s, look(n, "app"), "ttl"), 30, 60);
}

static void bad_headers_are_refused_and_change_nothing(struct stage *s)
{
    const char *const bad[] = {
        "Rollout-Fence: 1\nRollout-Id: a",
        "Rollout-Fence: 1\nRollout-Ttl: 5",
        "Rollout-Id: a\nRollout-Ttl: 5",
        "Rollout-Holder: amy",
        "Rollout-Fence: 1\nrollout-fence: 2\nRollout-Id: a\nRollout-Ttl: 5",
        lease(s, "0", "a", "5"),
        lease(s, "-1", "a", "5"),
        lease(s, "1x", "a", "5"),
        lease(s, "9223372036854775808", "a", "5"),
        lease(s, "1", "a b", "5"),
        lease(s, "1", stage_text(s, "%0129d", 1), "5"),
        lease(s, "1", "a", "3601"),
        lease(s, "1", "a", "1.5"),
        stage_text(s, "Rollout-Fence: 1\nRollout-Id: a\nRollout-Ttl: 5\nRollout-Holder: %0129d", 1),
        "Rollout-Fence: 1\nRollout-Id: a\nRollout-Ttl: 5\nRollout-Holder: caf\xc3\xa9",
    };
    struct stage_nginx *n = start(s);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct stage_answer *a = patch(n, "app", bad[i], "{\"down\":true}");

        if (a->status != 400)
            stage_fail(s, "%s: %d %s", bad[i], a->status, a->body);
        assert_string_equal(stage_json_string(s, a->json, "error.code"), "LeaseHeaderError");
    }
    struct stage_answer *a = stage_http(s, "GET", stage_text(s, "%s/9/http/upstreams/app", n->api), NULL, NULL);
    assert_string_equal(stage_json_string(s, a->json, "peers.0.state"), "up");
    assert_int_equal(stage_json_int(s, a->json, "rollout.fence"), 0);
    assert_int_equal(patch(n, "app", lease(s, "9223372036854775807", "a", "0"), "")->status, 200);
}

static bool has_run_out(void *ctx)
{
    struct stage_nginx *n = ctx;

    return stage_json_int(n->stage, look(n, "app"), "ttl") == 0;
}

static void a_lease_runs_out_and_its_fence_stays(struct stage *s)
{
    struct stage_nginx *n = start(s);

    assert_int_equal(patch(n, "app", lease(s, "5", "a", "1"), "")->status, 200);
    stage_wait_until(s, has_run_out, n, 3000, "a lease of 1 s to run out");
    assert_string_equal(stage_json_string(s, look(n, "app"), "id"), "a");
    assert_int_equal(patch(n, "app", lease(s, "5", "b", "60"), "")->status, 412);
    assert_int_equal(patch(n, "app", lease(s, "6", "b", "60"), "")->status, 200);
}

static void a_lease_outlives_a_reload(struct stage *s)
{
    struct stage_nginx *n = start(s);

    assert_int_equal(patch(n, "app", lease(s, "5", "a", "60"), "")->status, 200);
    stage_nginx_reload(n);
    assert_int_equal(patch(n, "app", lease(s, "6", "b", "60"), "")->status, 412);
    assert_int_equal(stage_json_int(s, look(n, "app"), "fence"), 5);
    assert_in_range(stage_json_int(s, look(n, "app"), "ttl"), 30, 60);
}

/* Its worker is one of before the reload, and nothing but the lease is asked for. */
static void a_renewal_answers_what_the_server_is_when_its_body_has_come(struct stage *s)
{
    struct stage_nginx *n = start(s);
    int fd = stage_raw_open(s, n->api_port);
    const char *answer;

    stage_raw_send(s, fd,
                   "PATCH /api/9/http/upstreams/app/servers/0 HTTP/1.1\r\nHost: x\r\nRollout-Fence: 1\r\n"
                   "Rollout-Id: a\r\nRollout-Ttl: 60\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), " 100 ")); /* it is there */
    stage_nginx_reload(n);
    assert_int_equal(patch(n, "app", NULL, "{\"down\":true}")->status, 200);
    stage_raw_send(s, fd, "{}");
    answer = stage_raw_answer(s, fd, 5000);
    assert_non_null(strstr(answer, " 200 "));
    assert_non_null(strstr(answer, "\"down\":true"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_lease_goes_to_the_highest_fence_and_to_one_at_a_time),
        stage_test(a_refusal_names_holder_id_and_numbers),
        stage_test(a_client_without_headers_changes_the_server_and_not_the_lease),
        stage_test(bad_headers_are_refused_and_change_nothing),
        stage_test(a_lease_runs_out_and_its_fence_stays),
        stage_test(a_lease_outlives_a_reload),
        stage_test(a_renewal_answers_what_the_server_is_when_its_body_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
