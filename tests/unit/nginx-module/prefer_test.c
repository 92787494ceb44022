/* prefer_test.c - which Prefer headers ask to wait, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/prefer.h"

#define NONE UINT32_MAX

static void a_wait_is_found_among_others_and_what_is_none_is_ignored(void **state)
{
    static const struct {
        const char *text;
        uint32_t wait_s;
    } rows[] = {
        {"wait=5", 5},
        {"WAIT=0", 0},
        {" respond-async , wait = 10 ", 10},
        {"respond-async;wait=3", NONE},
        {"wait=7; x=y", 7},
        {"wait=\"8\"", 8},
        {"a=\"wait=1, \\\" wait=2\", wait=9", 9},
        {"wait=61", 60},
        {"wait=99999999999999999999999", 60},
        {"wait=1, wait=2", 1},
        {"wait", NONE},
        {"wait=", NONE},
        {"wait=\"\"", NONE},
        {"wait=\"", NONE},
        {"wait=-1", NONE},
        {"wait=1.5", NONE},
        {"wait=1s", NONE},
        {"waits=1", NONE},
        {"a=\"wait=1", NONE},
        {"a=\"wait=1\\", NONE},
        {",,=,;,\"", NONE},
        {"", NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t wait_s = NONE;

        if (!prefer_wait(rows[i].text, strlen(rows[i].text), &wait_s))
            wait_s = NONE;
        if (wait_s != rows[i].wait_s)
            fail_msg("%s: %u", rows[i].text, wait_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_found_among_others_and_what_is_none_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
