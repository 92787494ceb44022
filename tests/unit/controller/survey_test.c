/* Whom a survey asks once more, how often, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "controller/survey.h"
#include "tiny_server.h"

#define SHORT_MS 500 /* --request-timeout where nothing comes: asked at 0, 200 and 500 ms */

/* A load balancer and an agent in one; what it says of the first `n_bad` requests to `bad`, it says once each. */
struct fake {
    const char *bad; /* end of a path */
    int n_bad, status;
    bool hang;
    int n_versions, n_root, n_all;
};

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && strcmp(path + n - m, end) == 0;
}

static const char *body_of(const char *path)
{
    if (ends_in(path, "/nginx"))
        return "{\"generation\":3,\"load_timestamp\":\"x\"}";
    if (strstr(path, "/upstreams") != NULL)
        return "{}";
    if (ends_in(path, "/v1"))
        return "{\"version\":1,\"agent\":\"0.1.0\",\"node\":\"web1\",\"features\":[\"claim\"]}";
    if (strstr(path, "/services/") != NULL)
        return "{\"service\":\"app\",\"node\":\"web1\",\"running\":false,\"ident\":null,\"listening\":[],"
               "\"connections\":0,\"fence\":1,\"claim\":null,\"lock\":null,\"job\":null,\"releases\":[]}";
    return "[9]";
}

static void answer(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    struct fake *f = ctx;

    f->n_all++;
    f->n_versions += ends_in(q->path, "/api/") || ends_in(q->path, "/api");
    f->n_root += ends_in(q->path, "/v1");
    (void)snprintf(a->body, sizeof a->body, "%s", body_of(q->path));
    if (f->bad == NULL || !ends_in(q->path, f->bad) || f->n_bad == 0)
        return;
    f->n_bad--;
    a->status = f->status;
    a->hang = f->hang;
}

struct seen {
    struct survey *survey;
    struct fleet *fleet;
    int64_t took_ms;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Of one load balancer and `n` nodes, the first with this agent, or "" for the fake's, the others with the fake. */
static struct seen look(struct fake *fake, uint32_t request_timeout_ms, uint32_t n, const char *first)
{
    struct tiny_server *server = tiny_start(answer, fake);
    struct options o = {.service = "app", .request_timeout_ms = request_timeout_ms};
    struct calls *calls = calls_open(500, NULL);
    struct seen seen = {0};
    uint32_t *nodes = calloc(n + 1, sizeof *nodes);
    char *text, own[64];
    size_t size;
    FILE *f = open_memstream(&text, &size);
    struct err err = {""};

    (void)snprintf(own, sizeof own, "http://127.0.0.1:%d", server->port);
    fprintf(f, "lb1 rollout_api=%s/api\n", own);
    for (uint32_t i = 0; i < n; i++) {
        fprintf(f, "web%u rollout_agent=%s/%u\n", i + 1, i == 0 && first[0] != '\0' ? first : own, i);
        nodes[i] = i + 1;
    }
    fclose(f);
    if (!fleet_parse("fleet.ini", text, size, &seen.fleet, &err))
        fail_msg("%s", err.text);
    seen.took_ms = now_ms();
    seen.survey = survey_make(calls, seen.fleet, &o, nodes, n);
    seen.took_ms = now_ms() - seen.took_ms;
    calls_close(&calls);
    tiny_stop(server);
    free(nodes);
    free(text);
    return seen;
}

static void forget(struct seen *seen)
{
    survey_free(&seen->survey);
    fleet_free(&seen->fleet);
}

static void an_answer_that_is_lost_or_503_is_asked_for_again(void **state)
{
    static const char *const paths[] = {"/v1", "/services/app", "/nginx"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int status = 0; status <= 503; status += 503) {
            struct fake fake = {.bad = paths[i], .n_bad = 2, .status = status};
            struct seen seen = look(&fake, 10000, 1, "");
            assert_string_equal(seen.survey->lbs[0].text, "");
            assert_string_equal(seen.survey->nodes[0].text, "");
            assert_true(seen.survey->lbs[0].good && seen.survey->lbs[0].call == CALL_FINE);
            assert_true(seen.survey->nodes[0].good && seen.survey->nodes[0].call == CALL_FINE);
            assert_int_equal(fake.n_bad, 0);
            if (status == 503) /* of a kept connection libcurl itself asks another one, at once */
                assert_true(seen.took_ms >= 200 + 400 - 1);
            forget(&seen);
        }
}

static void what_was_refused_is_not_asked_for_again(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 412, 500, 502};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct fake fake = {.bad = "/v1", .n_bad = 100, .status = statuses[i]};
        struct seen seen = look(&fake, 10000, 1, "");
        assert_false(seen.survey->nodes[0].good);
        assert_int_equal(fake.n_root, 1);
        assert_true(seen.survey->lbs[0].good);
        forget(&seen);
    }
}

static void it_ends_at_its_limit_and_the_last_failure_stands(void **state)
{
    struct fake fake = {.bad = "/v1", .n_bad = 100, .status = 503};
    struct seen seen = look(&fake, SHORT_MS, 1, "");

    (void)state;
    assert_false(seen.survey->nodes[0].good);
    assert_int_equal(fake.n_root, 3);
    assert_in_range(seen.took_ms, SHORT_MS - 1, 2000);
    forget(&seen);

    fake = (struct fake){.bad = "/v1", .n_bad = 100, .hang = true}; /* that has had its time at once */
    seen = look(&fake, SHORT_MS, 1, "");
    assert_int_equal(seen.survey->nodes[0].call, CALL_TIMEOUT);
    assert_int_equal(fake.n_root, 1);
    forget(&seen);
}

/* All of them once, while the dead one waits for its next try; so it costs its own time and no more. */
static void the_others_do_not_wait_for_a_dead_one(void **state)
{
    struct fake fake = {0};
    struct seen seen = look(&fake, SHORT_MS, 600, "http://127.0.0.1:1");
    uint32_t good = 0;

    (void)state;
    for (uint32_t i = 0; i < seen.survey->n_nodes; i++)
        good += seen.survey->nodes[i].good;
    assert_int_equal(good, 599);
    assert_int_equal(fake.n_root, 599);
    assert_int_equal(seen.survey->nodes[0].call, CALL_NOT_SENT);
    assert_in_range(seen.took_ms, SHORT_MS - 1, 5000);
    forget(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_is_lost_or_503_is_asked_for_again),
        cmocka_unit_test(what_was_refused_is_not_asked_for_again),
        cmocka_unit_test(it_ends_at_its_limit_and_the_last_failure_stands),
        cmocka_unit_test(the_others_do_not_wait_for_a_dead_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
