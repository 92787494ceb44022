/* Whose answer is good: the identity rules one member at a time. The stories of node_test.c judge the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/judge.h"
#include "tests/sim/fake_plan.h"

/* What differs between the process that is expected and the one that answers. */
enum differs { NOTHING, PID, START, BOOT, SHA256, ABSENT, DIFFERS_COUNT };

static struct ident changed(struct ident i, enum differs what)
{
    i.pid += what == PID ? 1 : 0;
    i.start_ticks += what == START ? 1 : 0;
    i.boot[15] ^= what == BOOT ? 1 : 0;
    i.sha256[31] ^= what == SHA256 ? 1 : 0;
    return what == ABSENT ? (struct ident){0} : i;
}

enum wants { GOOD, BAD };

/* A row a step that knows whom it expects: what becomes of an answer from somebody who differs in one thing. */
static const struct {
    enum step step;
    enum wants wants[DIFFERS_COUNT];
} rows[] = {
    /*                 nothing pid  start boot sha256 absent */
    {STEP_EMPTY, {GOOD, BAD, BAD, BAD, GOOD, BAD}}, /* the same process cannot have another executable */
    {STEP_RETURN, {GOOD, BAD, BAD, BAD, GOOD, BAD}},
    {STEP_VERIFY, {GOOD, BAD, BAD, BAD, BAD, BAD}},
    {STEP_REVERIFY, {GOOD, BAD, BAD, BAD, BAD, BAD}},
    {STEP_HEALTH, {GOOD, BAD, BAD, BAD, GOOD, BAD}},
    {STEP_REHEALTH, {GOOD, BAD, BAD, BAD, GOOD, BAD}},
    {STEP_SETTLE, {GOOD, GOOD, GOOD, GOOD, BAD, BAD}}, /* the executable counts, health will bind the process */
};

static struct ident expected(const struct node *n, enum step step)
{
    return step == STEP_EMPTY || step == STEP_RETURN || step == STEP_SETTLE ? n->before : n->now;
}

static void every_part_of_an_identity_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int d = 0; d < DIFFERS_COUNT; d++) {
            struct plan *p = fake_plan((struct fake_shape){0});
            struct node n;
            struct answer a = {.kind = ANS_OK, .healthy = true, .claim_fence = 7};
            struct verdict v;

            p->success_threshold = 1;
            p->min_healthy_ms = 0;
            node_init(&n, 0, p);
            n.step = (uint8_t)rows[i].step;
            n.job = ASK_JOB;
            n.now = n.before;
            n.now.pid += 50;
            n.now.sha256[0] = rows[i].step == STEP_VERIFY || rows[i].step == STEP_HEALTH ? FAKE_NEW : FAKE_OLD;
            a.ident = changed(expected(&n, rows[i].step), (enum differs)d);
            v = judge(&n, p, &a);
            if (v.kind != (rows[i].wants[d] == GOOD ? VERDICT_GOOD : VERDICT_BAD))
                fail_msg("%s: differs in %d: verdict %d", step_row(rows[i].step)->name, d, v.kind);
            if (v.kind == VERDICT_BAD)
                assert_int_not_equal(v.why, WHY_NONE);
            plan_free(&p);
        }
}

/* SIGUSR2 that did nothing, called a success: the process before in all its beauty. */
static void the_process_before_is_never_the_new_one(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.restart = true});
    struct node n;
    struct answer a = {.kind = ANS_OK};

    (void)state;
    node_init(&n, 0, p);
    n.step = STEP_VERIFY;
    n.now = n.before;
    a.ident = n.before;
    assert_int_equal(judge(&n, p, &a).kind, VERDICT_BAD);
    plan_free(&p);
}

/* No answer, half an answer, nonsense: never good, never final. */
static void what_is_no_answer_is_asked_again(void **state)
{
    static const enum answer_kind kinds[] = {ANS_LOST, ANS_TIMEOUT, ANS_BAD};
    struct plan *p = fake_plan((struct fake_shape){0});

    (void)state;
    for (int s = 0; s < STEP_COUNT; s++)
        for (size_t k = 0; k < 3 && step_row((enum step)s)->ask != ASK_NONE; k++) {
            struct node n;
            struct answer a = {
                .kind = kinds[k], .ident = fake_plan_ident(0), .healthy = true, .job = JOB_DONE, .up = 1};

            node_init(&n, 0, p);
            n.step = (uint8_t)s;
            n.now = n.before;
            n.streak = s == STEP_BAKE ? 0 : UINT8_MAX - 1;
            if (judge(&n, p, &a).kind != VERDICT_AGAIN)
                fail_msg("%s takes answer kind %d", step_row((enum step)s)->name, kinds[k]);
        }
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_an_identity_counts),
        cmocka_unit_test(the_process_before_is_never_the_new_one),
        cmocka_unit_test(what_is_no_answer_is_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
