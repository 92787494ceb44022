/* test.h - cmocka and a fresh stage for each test.
 *
 *     static void a_node_that_is_down_gets_nothing(struct stage *s) { ... assert_int_equal(...); }
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {stage_test(a_node_that_is_down_gets_nothing)};
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 *
 * STAGE_ONLY=NAME in the environment skips all tests but that one. The stage is closed after the test, passed or
 * failed; its problems (stage.h) fail the test. */
#ifndef STAGE_TEST_H
#define STAGE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/stage/stage.h"

typedef void stage_test_fn(struct stage *s);
struct stage_test_case {
    const char *name;
    stage_test_fn *run;
};

/* A number from the environment: how long or how often, where a soak wants more than a test. */
unsigned stage_setting(const char *name, unsigned otherwise);

int stage_test_setup(void **state);
void stage_test_body(void **state);
int stage_test_teardown(void **state);

#define stage_test(f)                                                                                                  \
    {                                                                                                                  \
#f, stage_test_body, stage_test_setup, stage_test_teardown, &(struct stage_test_case)                          \
        {                                                                                                              \
#f, f                                                                                                      \
        }                                                                                                              \
    }

#endif
