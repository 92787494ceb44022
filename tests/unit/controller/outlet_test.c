/* A stream that takes nothing for now holds up nobody, and gets all in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/outlet.h"

#define LINES   20000
#define WAITING (32 * 1024 * 1024)

static void a_pipe_that_nobody_reads_holds_up_nobody_and_gets_all_in_the_end(void **state)
{
    int ends[2];
    struct outlet o = {0};
    char line[32];
    FILE *from;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    o.to = fdopen(ends[1], "w");
    for (int i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof line, "line %d\n", i);

        outlet_put(&o, line, (size_t)n); /* would hang for ever */
    }
    assert_true(o.n > 0);
    from = fdopen(ends[0], "r");
    if (fork() == 0) {
        outlet_end(&o);
        _exit(0);
    }
    fclose(o.to);
    for (int i = 0; i < LINES; i++) {
        char expected[32];

        snprintf(expected, sizeof expected, "line %d\n", i);
        assert_non_null(fgets(line, sizeof line, from));
        assert_string_equal(line, expected);
    }
    assert_null(fgets(line, sizeof line, from));
    fclose(from);
    free(o.text);
}

/* Nobody has read for long: the last of 32 MB costs no more than the first. */
static void what_has_waited_is_written_in_one_go(void **state)
{
    struct outlet o = {.to = fopen("/dev/null", "w"), .text = calloc(1, WAITING), .n = WAITING};
    clock_t began = clock();

    (void)state;
    outlet_end(&o);
    assert_in_range(clock() - began, 0, 2 * CLOCKS_PER_SEC);
    fclose(o.to);
}

static void what_is_lost_is_known(void **state)
{
    struct outlet o = {.to = fopen("/dev/full", "w")};

    (void)state;
    outlet_put(&o, "x\n", 2);
    outlet_end(&o);
    assert_true(ferror(o.to));
    fclose(o.to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_that_nobody_reads_holds_up_nobody_and_gets_all_in_the_end),
        cmocka_unit_test(what_has_waited_is_written_in_one_go),
        cmocka_unit_test(what_is_lost_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
