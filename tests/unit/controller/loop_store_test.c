/* A journal that takes nothing for a while: no node is left out for it, and in the end nothing is missing in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/told.h"
#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

/* A journal in memory whose n-th append fails, and only that. */
struct shaky {
    struct store base;
    struct store *memory;
    uint32_t nth, appends;
};

static bool shaky_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct shaky *s = (struct shaky *)base;

    if (++s->appends == s->nth)
        return err_set(err, "no space left on device");
    return s->memory->ops->append(s->memory, events, n, err);
}

static int no_signal(int *count)
{
    return *count = 0;
}

struct shown {
    uint32_t n;
    enum event_kind kinds[512];
};

static void note(void *ctx, const struct view *v, const struct event *e)
{
    struct shown *shown = ctx;

    (void)v;
    assert_true(shown->n < 512);
    shown->kinds[shown->n++] = e->kind;
}

struct reading {
    const struct shown *shown;
    uint32_t n;
};

static void compare(void *ctx, const struct told *told, const struct event *e)
{
    struct reading *r = ctx;

    (void)told;
    assert_true(r->n < r->shown->n);
    assert_int_equal(r->shown->kinds[r->n++], e->kind);
}

static bool any_step(const struct shown *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->kinds[i] == EVENT_STEP)
            return true;
    return false;
}

/* Returns how many appends there were; *code how it ended, *began: a node moved. */
static uint32_t roll_and_read(uint32_t nth, int *code, bool *began)
{
    static const struct store_ops ops = {.append = shaky_append};
    struct shaky store = {.base = {&ops}, .memory = store_memory_open(), .nth = nth};
    struct plan *p = fake_plan((struct fake_shape){.nodes = 2});
    struct fake_fleet *fleet = fake_fleet_new(p);
    struct fake_world *world = fake_world_new(fleet, p);
    struct view *view = view_new(p);
    struct shown shown = {0};
    struct reading reading = {&shown, 0};
    struct told told;
    struct err err = {""};
    struct loop loop = {.plan = p,
                        .world = &world->base,
                        .store = &store.base,
                        .view = view,
                        .show = note,
                        .show_ctx = &shown,
                        .signal = no_signal};

    *code = loop_run(&loop);
    *began = any_step(&shown);
    if (!told_read(&told, store.memory, "r1", compare, &reading, &err))
        fail_msg("append %u failed: %s", nth, err.text);
    if (nth == 1) {
        assert_int_equal(told.runs, 0); /* no plan, so nothing else either */
    } else {
        assert_int_equal(reading.n, shown.n);
        assert_true(told.ended);
        assert_int_equal(told.code, *code);
    }
    fake_judge_end(fleet, *code);
    assert_string_equal(fleet->judge.breach, "");
    told_clear(&told);
    store.memory->ops->close(store.memory);
    view_free(&view);
    fake_world_free(&world);
    fake_fleet_free(&fleet);
    plan_free(&p);
    return store.appends;
}

static void what_was_not_taken_is_offered_again_in_the_end(void **state)
{
    int code;
    bool began;
    uint32_t appends = roll_and_read(0, &code, &began);

    (void)state;
    assert_int_equal(code, 0);
    assert_true(appends > 15);
    for (uint32_t n = 1; n <= appends; n++) {
        (void)roll_and_read(n, &code, &began);
        assert_int_equal(code, n == appends ? 0 : began ? 1 : 78); /* the last is about the end: all had gone well */
    }
}

static void a_journal_that_takes_nothing_from_the_first_is_a_bad_configuration(void **state)
{
    int code;
    bool began;

    (void)state;
    (void)roll_and_read(1, &code, &began);
    assert_false(began);
    assert_int_equal(code, 78);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_taken_is_offered_again_in_the_end),
        cmocka_unit_test(a_journal_that_takes_nothing_from_the_first_is_a_bad_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
