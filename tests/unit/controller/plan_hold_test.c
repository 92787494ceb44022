/* What a plan says of canaries and of a pause. */
#include "scene.h"

static void how_many_go_first_and_where_it_waits(void **state)
{
    static const struct {
        const char *args[7];
        uint32_t canary, pause_after;
    } rows[] = {{{NULL}, 1, 0},
                {{"--canary", "2", NULL}, 2, 0},
                {{"--pause-after", "canary", NULL}, 1, 1},
                {{"--canary", "3", "--pause-after", "canary", NULL}, 3, 3},
                {{"--canary", "0", "--pause-after", "2", NULL}, 0, 2},
                /* who lets nodes fail lets the first one fail, unless told otherwise */
                {{"--max-failures", "1", NULL}, 0, 0},
                {{"--failure-action", "continue", NULL}, 0, 0},
                {{"--max-failures", "1", "--canary", "1", NULL}, 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;

        scene_open(&s, rows[i].args);
        scene_plan(&s);
        assert_non_null(s.plan);
        assert_int_equal(s.plan->canary, rows[i].canary);
        assert_int_equal(s.plan->pause_after, rows[i].pause_after);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(how_many_go_first_and_where_it_waits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
