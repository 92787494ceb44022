/* Whole rollouts against the fake fleet: what leaves the controller, in what order, and what it ends with. Each test is
 * a story: what goes wrong, what the fleet looks like in the end. The judge of tests/sim watches every effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

struct story {
    struct plan *plan;
    struct fake_fleet *fleet;
    struct fake_world *world;
    char *lines; /* what a person saw */
    size_t n_lines;
    int code;
};

static struct story begin(struct fake_shape shape)
{
    struct story s = {.plan = fake_plan(shape)};

    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    return s;
}

static void roll(struct story *s)
{
    FILE *f = open_memstream(&s->lines, &s->n_lines);

    s->code = fake_rollout(s->world, f);
    (void)fclose(f);
}

static void end(struct story *s)
{
    assert_string_equal(s->fleet->judge.breach, "");
    free(s->lines);
    fake_world_free(&s->world);
    fake_fleet_free(&s->fleet);
    plan_free(&s->plan);
}

/* The flow, in full, once: this log is its documentation. Leases in the plan's order; a node at a time; a claim before
 * the first change; all load balancers at once; nothing is restarted that is not down and quiet everywhere. */
static void all_good(void **state)
{
    struct story s = begin((struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    roll(&s);
    assert_string_equal(s.fleet->log, "  0.002 lb1/app lease r1 fence 7\n"
                                      "  0.006 lb2/app lease r1 fence 7\n"
                                      "  0.021 a claim r1 fence 7\n"
                                      "  0.027 a has release B\n"
                                      "  0.270 a at lb1/app: drain\n"
                                      "  0.270 a at lb2/app: drain\n"
                                      "  1.282 a at lb1/app: down\n"
                                      "  1.282 a at lb2/app: down\n"
                                      "  1.787 a job r1/a/job/1\n"
                                      "  1.987 a job ends: runs B, pid 200\n"
                                      "  3.528 a at lb1/app: open\n"
                                      "  3.528 a at lb2/app: open\n"
                                      "  3.537 a unclaimed\n"
                                      "  3.787 b claim r1 fence 7\n"
                                      "  3.793 b has release B\n"
                                      "  4.036 b at lb1/app: drain\n"
                                      "  4.036 b at lb2/app: drain\n"
                                      "  5.048 b at lb1/app: down\n"
                                      "  5.048 b at lb2/app: down\n"
                                      "  5.553 b job r1/b/job/1\n"
                                      "  5.753 b job ends: runs B, pid 201\n"
                                      "  7.294 b at lb1/app: open\n"
                                      "  7.294 b at lb2/app: open\n"
                                      "  7.303 b unclaimed\n"
                                      "  7.553 c claim r1 fence 7\n"
                                      "  7.559 c has release B\n"
                                      "  7.802 c at lb1/app: drain\n"
                                      "  7.802 c at lb2/app: drain\n"
                                      "  8.814 c at lb1/app: down\n"
                                      "  8.814 c at lb2/app: down\n"
                                      "  9.319 c job r1/c/job/1\n"
                                      "  9.519 c job ends: runs B, pid 202\n"
                                      " 10.002 lb1/app lease r1 fence 7, renewed\n"
                                      " 10.006 lb2/app lease r1 fence 7, renewed\n"
                                      " 11.060 c at lb1/app: open\n"
                                      " 11.060 c at lb2/app: open\n"
                                      " 11.069 c unclaimed\n"
                                      " 11.319 d claim r1 fence 7\n"
                                      " 11.325 d has release B\n"
                                      " 11.568 d at lb1/app: drain\n"
                                      " 11.568 d at lb2/app: drain\n"
                                      " 12.580 d at lb1/app: down\n"
                                      " 12.580 d at lb2/app: down\n"
                                      " 13.085 d job r1/d/job/1\n"
                                      " 13.285 d job ends: runs B, pid 203\n"
                                      " 14.826 d at lb1/app: open\n"
                                      " 14.826 d at lb2/app: open\n"
                                      " 14.835 d unclaimed\n"
                                      " 14.840 lb1/app lease free\n"
                                      " 14.840 lb2/app lease free\n");
    assert_int_equal(s.code, 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
