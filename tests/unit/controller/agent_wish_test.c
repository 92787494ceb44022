/* Wishes on the wire, from the controller's side: what is asked, what is put, and what of an answer counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/agent_api.h"
#include "tests/sim/fake_plan.h"

static void is(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void where_and_what_is_asked(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct action a = {.kind = ACT_WISH, .expect = 7, .effect = true};

    (void)state;
    is(agent_api_url_wish(p, 0), "https://a:9443/v1/services/app/wish?rollout=r1");
    is(agent_api_url_wish_taken(p, 0), "https://a:9443/v1/services/app/wish/taken");
    is(agent_api_url_wish_of("https://a:9443", "my app", NULL), "https://a:9443/v1/services/my%20app/wish");
    is(agent_api_url_wish_of("https://a:9443", "app", "r/1"), "https://a:9443/v1/services/app/wish?rollout=r%2F1");
    is(agent_api_body_wish_taken(p, &a), "{\"rollout\":\"r1\",\"id\":7,\"holder\":\"ann@ci\",\"effect\":true}");
    is(agent_api_body_wish("r1", INT64_MAX, WISH_ABORT, "bob"),
       "{\"rollout\":\"r1\",\"id\":9223372036854775807,\"wish\":\"abort\",\"holder\":\"bob\"}");
    plan_free(&p);
}

static struct call_result whole(int status, const char *body)
{
    return (struct call_result){.status = status, .body = (char *)body, .body_bytes = strlen(body)};
}

static const struct {
    int status;
    const char *body;
    enum answer_kind kind;
    enum wish wish;
    bool taken;
    uint32_t age_ms;
} answers[] = {
    {200, "{\"wish\":null}", ANS_OK, WISH_NONE, false, 0},
    {200, "{\"wish\":{\"rollout\":\"r1\",\"id\":7,\"wish\":\"pause\",\"holder\":\"bob\",\"age_ms\":12,\"taken\":null}}",
     ANS_OK, WISH_PAUSE, false, 12},
    {200,
     "{\"service\":\"app\",\"wish\":{\"rollout\":\"r1\",\"id\":7,\"wish\":\"promote\",\"holder\":\"bob\",\"age_ms\":"
     "9999999999,"
     "\"taken\":{\"holder\":\"x\",\"effect\":true}}}",
     ANS_OK, WISH_PROMOTE, true, UINT32_MAX},
    /* another rollout's; a word of a later version; what makes no sense */
    {200, "{\"wish\":{\"rollout\":\"r2\",\"id\":7,\"wish\":\"pause\",\"holder\":\"bob\",\"age_ms\":1}}", ANS_OK,
     WISH_NONE, false, 0},
    {200, "{\"wish\":{\"rollout\":\"r1\",\"id\":7,\"wish\":\"dance\",\"holder\":\"bob\",\"age_ms\":1}}", ANS_OK,
     WISH_NONE, false, 1},
    {200, "{\"wish\":{\"rollout\":\"r1\",\"wish\":\"pause\",\"holder\":\"bob\",\"age_ms\":1}}", ANS_OK, WISH_NONE,
     false, 0},
    {200, "no JSON", ANS_OK, WISH_NONE, false, 0},
    /* an agent of before there were wishes */
    {404, "{\"error\":{\"code\":\"not_found\",\"text\":\"there is nothing at this path\"}}", ANS_REFUSED, WISH_NONE,
     false, 0},
    {500, "", ANS_LOST, WISH_NONE, false, 0},
};

static void what_counts_of_an_answer(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct call_result r = whole(answers[i].status, answers[i].body);
        struct answer a;

        agent_api_wish(p, &r, &a);
        if (a.kind != answers[i].kind || a.wish != answers[i].wish || a.wish_taken != answers[i].taken ||
            a.wish_age_ms != answers[i].age_ms)
            fail_msg("%s: kind %d wish %d taken %d age %u", answers[i].body, a.kind, a.wish, a.wish_taken,
                     a.wish_age_ms);
        if (a.wish != WISH_NONE)
            assert_string_equal(a.text, "bob");
    }
    plan_free(&p);
}

static void who_has_put_a_wish_reads_whose_is_there_and_who_has_heard_it(void **state)
{
    struct call_result r =
        whole(200, "{\"wish\":{\"rollout\":\"r1\",\"id\":7,\"wish\":\"pause\",\"holder\":\"bob\",\"age_ms\":12,"
                   "\"taken\":{\"holder\":\"ann@ci\",\"effect\":true}}}");
    struct call_result open = whole(200, "{\"wish\":{\"rollout\":\"r1\",\"id\":8,\"wish\":\"abort\",\"taken\":null}}");
    struct call_result none = whole(200, "{\"wish\":null}"), odd = whole(200, "{\"wish\":{\"id\":\"x\"}}");
    struct call_result later = whole(200, "{\"wish\":{\"id\":9,\"wish\":\"explode\",\"holder\":\"bob\"}}");
    struct agent_wish w;

    (void)state;
    assert_true(agent_api_read_wish(&r, &w));
    assert_true(w.id == 7 && w.wish == WISH_PAUSE && w.taken && w.effect);
    assert_string_equal(w.holder, "bob");
    assert_string_equal(w.taker, "ann@ci");
    assert_true(agent_api_read_wish(&open, &w));
    assert_true(w.id == 8 && w.wish == WISH_ABORT && !w.taken && !w.effect);
    assert_false(agent_api_read_wish(&none, &w));
    assert_false(agent_api_read_wish(&odd, &w));
    assert_true(agent_api_read_wish(&later, &w));
    assert_int_equal(w.wish, WISH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_and_what_is_asked),
        cmocka_unit_test(what_counts_of_an_answer),
        cmocka_unit_test(who_has_put_a_wish_reads_whose_is_there_and_who_has_heard_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
