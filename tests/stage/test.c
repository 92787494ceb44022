#include "tests/stage/test.h"

#include <stdlib.h>
#include <string.h>

static struct stage *now; /* the stage of the running test */

static void on_fail(struct stage *s)
{
    (void)s;
    fail(); /* cmocka leaves the test here; the teardown closes the stage */
}

unsigned stage_setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

int stage_test_setup(void **state)
{
    const struct stage_test_case *test = *state;

    const char *only = getenv("STAGE_ONLY");

    if (only == NULL || strcmp(only, test->name) == 0)
        now = stage_open(test->name, on_fail);
    return 0;
}

void stage_test_body(void **state)
{
    const struct stage_test_case *test = *state;

    if (now == NULL)
        skip();
    test->run(now);
    /* closed here, so that a problem is this test's failure, not its teardown's */
    if (!stage_close(&now, false))
        fail_msg("the stage had problems");
}

int stage_test_teardown(void **state)
{
    (void)state;
    if (now != NULL) /* the test failed */
        (void)stage_close(&now, true);
    return 0;
}
