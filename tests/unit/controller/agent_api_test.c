#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "controller/agent_api.h"
#include "controller/agent_read.h"
#include "small_plan.h"

#define AA    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ABAB  "abababababababababababababababababababababababababababababababab"
#define BOOT  "00112233-4455-6677-8899-aabbccddeeff"
#define IDENT "{\"pid\":4711,\"start_ticks\":99,\"boot_id\":\"" BOOT "\",\"sha256\":\"" AA "\"}"
#define CLAIM                                                                                                          \
    "{\"rollout\":\"r-1\",\"fence\":6,\"ttl\":30,\"left\":12,\"holder\":\"ann\",\"target\":{\"sha256\":\"" ABAB        \
    "\",\"version\":null},\"before\":" IDENT ",\"took_out\":[{\"lb\":\"lb1\",\"upstream\":\"app\",\"server\":"         \
    "\"10.0.0.1:80\",\"prior\":{\"down\":false,\"drain\":true}}]}"
#define JOB                                                                                                            \
    "{\"id\":\"r-1/web1/job/1\",\"rollout\":\"r-1\",\"fence\":7,\"action\":\"restart\",\"release\":null,\"state\":"    \
    "\"failed\",\"code\":\"no_successor\",\"text\":\"no new process came\",\"touched\":true,\"restored\":true,"        \
    "\"before\":" IDENT ",\"after\":null,\"started\":1.5,\"elapsed_ms\":20}"
#define STATUS(claim, job)                                                                                             \
    "{\"service\":\"app\",\"node\":\"web1\",\"boot_id\":\"" BOOT "\",\"running\":true,\"ident\":" IDENT                \
    ",\"installed\":\"" AA "\",\"version\":\"1.0\",\"listening\":[\"10.0.0.1:80\",\"[::1]:80\"],\"connections\":3,"    \
    "\"releases\":[{\"sha256\":\"" ABAB "\",\"size\":5}],\"claim\":" claim ",\"fence\":6,\"job\":" job ",\"more\":1}"

static struct small_plan sp;

static int make_plan(void **state)
{
    const int ports[2] = {8081, 8082};

    (void)state;
    small_plan(&sp, ports, ports);
    return 0;
}

static struct answer answer_to(enum ask ask, int status, const char *body)
{
    struct answer a;
    struct call_result r = {
        .failure = CALL_FINE, .status = status, .body = (char *)(uintptr_t)body, .body_bytes = strlen(body)};

    agent_api_answer(ask, &sp.plan, &r, &a);
    return a;
}

static void urls_name_service_job_and_release(void **state)
{
    char *url;

    (void)state;
    sp.plan.service = "a p";
    sp.plan.has_release = true;
    url = agent_api_url_job(&sp.plan, 0, ASK_JOB, 2, 25000);
    assert_string_equal(url, "http://127.0.0.1:8081/v1/services/a%20p/jobs/r-1/web1/job/2?wait=25000ms");
    free(url);
    url = agent_api_url_job(&sp.plan, 1, ASK_UNDO, 1, 0);
    assert_string_equal(url, "http://127.0.0.1:8082/v1/services/a%20p/jobs/r-1/web2/undo/1");
    free(url);
    url = agent_api_url_release(&sp.plan, 0);
    assert_string_equal(url, "http://127.0.0.1:8081/v1/services/a%20p/releases/" ABAB);
    free(url);
    sp.plan.rollout = "ci&7";
    url = agent_api_url_unclaim(&sp.plan, 0, 9);
    assert_string_equal(
        url, "http://127.0.0.1:8081/v1/services/a%20p/claim?rollout=ci%267&fence=9&holder=ann%40ci-7%20pid%204711");
    free(url);
}

static void a_claim_says_what_is_taken_out_and_what_it_was(void **state)
{
    struct action a = {.kind = ACT_ASK, .ask = ASK_CLAIM, .node = 0, .mask = 5, .prior_mask = 4, .expect = 6};
    char *body;

    (void)state;
    sp.plan.has_release = true;
    a.before = (struct ident){.pid = 4711, .start_ticks = 99};
    memset(a.before.sha256, 0xaa, sizeof a.before.sha256);
    for (int i = 0; i < 16; i++)
        a.before.boot[i] = (uint8_t)(i * 17);
    body = agent_api_body_claim(&sp.plan, &a);
    assert_string_equal(
        body, "{\"rollout\":\"r-1\",\"fence\":7,\"ttl\":31,\"holder\":\"ann@ci-7 pid 4711\",\"target\":{\"sha256\":"
              "\"" ABAB "\",\"version\":\"2.0\"},\"before\":" IDENT ",\"took_out\":[{\"lb\":\"lb1\",\"upstream\":"
              "\"app\",\"server\":\"10.0.0.1:80\",\"prior\":{\"down\":false,\"drain\":false}},{\"lb\":\"lb2\","
              "\"upstream\":\"app\",\"server\":\"10.0.0.1:80\",\"prior\":{\"down\":false,\"drain\":true}}],"
              "\"expect\":6}");
    free(body);
    sp.plan.has_release = false;
    sp.plan.version = "";
    body = agent_api_body_claim(&sp.plan, &(struct action){.ask = ASK_CLAIM});
    assert_non_null(strstr(body, "\"target\":{\"sha256\":null,\"version\":null},\"before\":null,\"took_out\":[]"));
    free(body);
}

static void a_job_restarts_upgrades_or_rolls_back(void **state)
{
    struct action a = {.ask = ASK_JOB, .node = 0, .attempt = 1};
    char *body;

    (void)state;
    body = agent_api_body_job(&sp.plan, &a);
    assert_string_equal(body, "{\"id\":\"r-1/web1/job/1\",\"rollout\":\"r-1\",\"fence\":7,\"action\":\"restart\","
                              "\"release\":null}");
    free(body);
    sp.plan.has_release = true;
    body = agent_api_body_job(&sp.plan, &a);
    assert_non_null(strstr(body, "\"action\":\"upgrade\",\"release\":\"" ABAB "\""));
    free(body);
    a.ask = ASK_UNDO;
    a.attempt = 2;
    memset(a.before.sha256, 0xaa, sizeof a.before.sha256);
    body = agent_api_body_job(&sp.plan, &a);
    assert_non_null(strstr(body, "\"id\":\"r-1/web1/undo/2\""));
    assert_non_null(strstr(body, "\"action\":\"rollback\",\"release\":\"" AA "\""));
    free(body);
}

static void a_status_is_read_whole(void **state)
{
    static const char text[] = STATUS(CLAIM, JOB);
    struct agent_status s;
    uint8_t release[32];

    (void)state;
    assert_true(agent_read_status(text, strlen(text), &s, NULL));
    assert_string_equal(s.node, "web1");
    assert_int_equal(s.ident.pid, 4711);
    assert_int_equal(s.ident.start_ticks, 99);
    assert_int_equal(s.ident.boot[15], 0xff);
    assert_int_equal(s.ident.sha256[31], 0xaa);
    assert_true(s.has_installed);
    assert_int_equal(s.n_listening, 2);
    assert_string_equal(s.listening[1], "[::1]:80");
    assert_int_equal(s.connections, 3);
    assert_true(s.claim.there);
    assert_int_equal(s.claim.fence, 6);
    assert_int_equal(s.claim.left_s, 12);
    assert_true(s.claim.has_target);
    assert_null(s.claim.target_version);
    assert_int_equal(s.claim.n_took_out, 1);
    assert_string_equal(s.claim.took_out[0].server, "10.0.0.1:80");
    assert_true(s.claim.took_out[0].was_draining);
    assert_false(s.claim.took_out[0].was_down);
    assert_int_equal(s.job.state, JOB_FAILED);
    assert_int_equal(s.job.after.pid, 0);
    memset(release, 0xab, sizeof release);
    assert_true(agent_status_has_release(&s, release));
    release[0] = 0;
    assert_false(agent_status_has_release(&s, release));
    assert_int_equal(s.n_warnings, 0); /* an older agent */
    agent_status_clear(&s);
}

static void warnings_of_units_are_read(void **state)
{
    struct err err = {""};
    struct agent_status s;
    struct pool pool = {0};
    const char *text = STATUS("null", "null,\"warnings\":[\"a\",\"b\"]"),
               *bad = STATUS("null", "null,\"warnings\":[1]");

    (void)state;
    assert_true(agent_read_status(text, strlen(text), &s, NULL));
    agent_status_settle(&s, &pool);
    assert_int_equal(s.n_warnings, 2);
    assert_string_equal(s.warnings[1], "b");
    agent_status_clear(&s);
    pool_free(&pool);
    assert_false(agent_read_status(bad, strlen(bad), &s, &err));
    assert_non_null(strstr(err.text, "\"warnings\""));
}

static void a_status_without_a_needed_member_is_an_error(void **state)
{
    static const char *const needed[] = {"service",     "node",  "running",  "ident",   "listening",
                                         "connections", "fence", "releases", "rollout", "took_out"};
    static const char text[] = STATUS(CLAIM, "null");

    (void)state;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        struct agent_status s;
        struct err err = {""};
        char copy[sizeof text], name[32];
        memcpy(copy, text, sizeof text);
        snprintf(name, sizeof name, "\"%s\":", needed[i]);
        *(strstr(copy, name) + 1) = 'X';
        assert_false(agent_read_status(copy, strlen(copy), &s, &err));
        assert_non_null(strstr(err.text, needed[i]));
        assert_null(s.owner);
    }
}

static void an_answer_tells_whose_claim_is_there(void **state)
{
    (void)state;
    struct answer a = answer_to(ASK_STATUS, 200, STATUS(CLAIM, JOB));
    assert_int_equal(a.kind, ANS_OK);
    assert_int_equal(a.claim_fence, 6);
    assert_true(a.claim_ours);
    assert_true(a.claim_live);
    assert_int_equal(a.job, JOB_FAILED);
    assert_int_equal(a.connections, 3);
    sp.plan.rollout = "r-2";
    assert_false(answer_to(ASK_STATUS, 200, STATUS(CLAIM, "null")).claim_ours);
    a = answer_to(ASK_STATUS, 200, STATUS("null", "null"));
    assert_int_equal(a.claim_fence, 0);
    assert_false(a.claim_live);
    assert_int_equal(a.job, JOB_NONE);
}

static void statuses_and_codes_become_kinds(void **state)
{
#define E(code) "{\"error\":{\"code\":\"" code "\",\"text\":\"a sentence\"}}"
    static const struct {
        enum ask ask;
        int status;
        const char *body;
        enum answer_kind kind;
        const char *text;
    } cases[] = {
        {ASK_CLAIM, 200, STATUS(CLAIM, "null"), ANS_OK, ""},
        {ASK_UNCLAIM, 200, "", ANS_OK, ""},
        {ASK_STAGE, 201, "{}", ANS_OK, ""},
        {ASK_CLAIM, 409, E("claim_held"), ANS_FENCED, "claim_held: a sentence"},
        {ASK_CLAIM, 409, E("claim_changed"), ANS_FENCED, "claim_changed"},
        {ASK_JOB, 409, E("no_claim"), ANS_FENCED, "no_claim"},
        {ASK_JOB, 412, E("fence_stale"), ANS_FENCED, "fence_stale"},
        {ASK_JOB, 409, E("busy"), ANS_REFUSED, "busy: a sentence"},
        {ASK_JOB, 409, E("no_release"), ANS_REFUSED, "no_release"},
        {ASK_STAGE, 422, E("hash_mismatch"), ANS_REFUSED, "hash_mismatch"},
        {ASK_STAGE, 507, E("no_space"), ANS_REFUSED, "no_space"},
        {ASK_JOB, 500, E("internal"), ANS_LOST, "internal"},
        {ASK_STATUS, 403, "<html>", ANS_REFUSED, "HTTP status 403"},
        {ASK_STATUS, 200, "<html>", ANS_BAD, "makes no sense"},
        {ASK_JOB_END, 200, "{}", ANS_BAD, "\"id\""},
        {ASK_HEALTH, 200, "{\"healthy\":1}", ANS_BAD, "\"healthy\""},
        {ASK_STATUS, 301, "", ANS_BAD, "HTTP status 301"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = answer_to(cases[i].ask, cases[i].status, cases[i].body);
        assert_int_equal(a.kind, cases[i].kind);
        assert_non_null(strstr(a.text, cases[i].text));
    }
}

static void a_call_that_failed_says_whether_it_may_have_had_an_effect(void **state)
{
    static const struct {
        enum ask ask;
        enum call_failure failure;
        enum answer_kind kind;
    } cases[] = {
        {ASK_JOB, CALL_NOT_SENT, ANS_TIMEOUT},    {ASK_JOB, CALL_TIMEOUT, ANS_LOST},
        {ASK_JOB, CALL_LOST, ANS_LOST},           {ASK_CLAIM, CALL_TIMEOUT, ANS_LOST},
        {ASK_STATUS, CALL_LOST, ANS_LOST},        {ASK_STATUS, CALL_TIMEOUT, ANS_TIMEOUT},
        {ASK_STATUS, CALL_NOT_SENT, ANS_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call_result r = {.failure = cases[i].failure, .text = "GET web1: why"};
        struct answer a;
        agent_api_answer(cases[i].ask, &sp.plan, &r, &a);
        assert_int_equal(a.kind, cases[i].kind);
        assert_string_equal(a.text, "GET web1: why");
    }
}

static void a_failed_job_says_why_and_what_it_touched(void **state)
{
    (void)state;
    struct answer a = answer_to(ASK_JOB_END, 200, JOB);
    assert_int_equal(a.kind, ANS_OK);
    assert_int_equal(a.job, JOB_FAILED);
    assert_true(a.touched);
    assert_int_equal(a.ident.pid, 0);
    assert_string_equal(a.text, "no_successor: no new process came");
}

static void health_comes_with_its_process(void **state)
{
    (void)state;
    struct answer a = answer_to(ASK_HEALTH, 200, "{\"healthy\":true,\"status\":200,\"text\":\"\",\"ident\":" IDENT "}");
    assert_true(a.healthy);
    assert_int_equal(a.ident.pid, 4711);
    a = answer_to(ASK_HEALTH, 200, "{\"healthy\":false,\"status\":503,\"text\":\"says 503\",\"ident\":null}");
    assert_int_equal(a.kind, ANS_OK);
    assert_false(a.healthy);
    assert_int_equal(a.ident.pid, 0);
    assert_string_equal(a.text, "says 503");
}

static void the_root_tells_version_and_features(void **state)
{
    static const char text[] =
        "{\"version\":1,\"agent\":\"0.1.0\",\"node\":\"web1\",\"features\":[\"claim\",\"health\"]}";
    struct agent_root r;

    (void)state;
    assert_true(agent_read_root(text, strlen(text), &r, NULL));
    assert_int_equal(r.version, 1);
    assert_int_equal(r.n_features, 2);
    assert_string_equal(r.features[1], "health");
    agent_root_clear(&r);
    assert_false(agent_read_root("{}", 2, &r, NULL));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, make_plan)
    const struct CMUnitTest tests[] = {
        T(urls_name_service_job_and_release),
        T(a_claim_says_what_is_taken_out_and_what_it_was),
        T(a_job_restarts_upgrades_or_rolls_back),
        T(a_status_is_read_whole),
        T(warnings_of_units_are_read),
        T(a_status_without_a_needed_member_is_an_error),
        T(an_answer_tells_whose_claim_is_there),
        T(statuses_and_codes_become_kinds),
        T(a_call_that_failed_says_whether_it_may_have_had_an_effect),
        T(a_failed_job_says_why_and_what_it_touched),
        T(health_comes_with_its_process),
        T(the_root_tells_version_and_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
