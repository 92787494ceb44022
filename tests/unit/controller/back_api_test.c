/* What an agent is told of a node that is taken back: the release before, and nothing of the one that goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/agent_api.h"
#include "tests/unit/controller/small_plan.h"

#define HEX_11 "1111111111111111111111111111111111111111111111111111111111111111"
#define HEX_AB "abababababababababababababababababababababababababababababababab"

static struct small_plan plan(void)
{
    static const int ports[] = {1, 2};
    struct small_plan sp;

    small_plan(&sp, ports, ports);
    sp.plan.has_release = true;
    return sp;
}

static struct action back(enum ask ask)
{
    struct action a = {.kind = ACT_ASK, .ask = ask, .attempt = 2, .reverse = true};

    memset(a.goal, 0x11, sizeof a.goal);
    return a;
}

static void its_job_is_a_rollback_to_the_release_before(void **state)
{
    struct small_plan sp = plan();
    struct action a = back(ASK_JOB);
    char *body;

    (void)state;
    sp.plan.lbs = sp.lbs;
    sp.plan.nodes = sp.nodes;
    body = agent_api_body_job(&sp.plan, &a);
    assert_string_equal(body, "{\"id\":\"r-1/web1/job/2\",\"rollout\":\"r-1\",\"fence\":7,\"action\":\"rollback\","
                              "\"release\":\"" HEX_11 "\"}");
    free(body);
}

static void its_claim_names_the_release_before_as_the_target(void **state)
{
    struct small_plan sp = plan();
    struct action a = back(ASK_CLAIM);
    char *body;

    (void)state;
    sp.plan.lbs = sp.lbs;
    sp.plan.nodes = sp.nodes;
    sp.plan.peers = sp.peers;
    sp.plan.upstreams = sp.upstreams;
    body = agent_api_body_claim(&sp.plan, &a);
    assert_non_null(strstr(body, "\"target\":{\"sha256\":\"" HEX_11 "\",\"version\":null}"));
    assert_null(strstr(body, HEX_AB));
    free(body);
    a.reverse = false;
    body = agent_api_body_claim(&sp.plan, &a);
    assert_non_null(strstr(body, "\"target\":{\"sha256\":\"" HEX_AB "\",\"version\":\"2.0\"}"));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_job_is_a_rollback_to_the_release_before),
        cmocka_unit_test(its_claim_names_the_release_before_as_the_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
