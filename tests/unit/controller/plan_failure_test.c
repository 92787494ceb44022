/* What a plan says of failures. */
#include "scene.h"

/* Who asks to go on without saying how far goes on to the end; who says how far means it. */
static void how_many_may_fail(void **state)
{
    static const struct {
        const char *args[5];
        uint32_t max_failures;
    } rows[] = {{{NULL}, 0},
                {{"--max-failures", "3", NULL}, 3},
                {{"--failure-action", "continue", NULL}, UINT32_MAX},
                {{"--failure-action", "continue", "--max-failures", "0", NULL}, 0},
                {{"--failure-action", "continue", "--max-failures", "2", NULL}, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;

        scene_open(&s, rows[i].args);
        scene_plan(&s);
        assert_non_null(s.plan);
        assert_int_equal(s.plan->max_failures, rows[i].max_failures);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(how_many_may_fail)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
