/* log_test.c - a line of log is one line, whatever stands in it. */
#include "agent/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What log_event writes. */
static const char *logged(const char *quoted, const char *bare)
{
    static char text[4096];
    int fds[2], kept = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    assert_true(kept >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
    log_event("test", "name=%s bare=%s", quoted, bare);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    (void)close(fds[1]);
    n = read(fds[0], text, sizeof text - 1);
    (void)close(fds[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void a_value_from_outside_makes_no_line_of_its_own(void **state)
{
    struct log_quoted q;
    const char *line;

    (void)state;
    line = logged(log_quote(&q, "a\nevent=b c=\"d\" \\ \x1b[31m \xc2\x9b \x7f"), "x\ny\x1bz");
    assert_null(strchr(line, '\x1b'));
    assert_non_null(
        strstr(line, " event=test name=\"a\\x0aevent=b c=\\\"d\\\" \\\\ \\x1b[31m \\xc2\\x9b \\x7f\" bare=x?y?z\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void a_long_value_is_cut_and_still_one_line(void **state)
{
    static char text[4000];
    struct log_quoted q;
    const char *line;

    (void)state;
    memset(text, '\n', sizeof text - 1);
    line = logged(log_quote(&q, text), text);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_true(strlen(q.text) < LOG_QUOTE_MAX && q.text[strlen(q.text) - 1] == '"');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_from_outside_makes_no_line_of_its_own),
        cmocka_unit_test(a_long_value_is_cut_and_still_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
