/* Where there is no memory, a program ends: it never goes on with a text that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mem.h"

/* In this program's realloc, which libc's own streams use as well. The sanitizers have theirs. */
#ifndef __SANITIZE_ADDRESS__
static bool none_left;

/* glibc's, whoever stands before it */
void *__libc_realloc(void *, size_t); /* NOLINT(bugprone-reserved-identifier) */

void *realloc(void *old, size_t size)
{
    return none_left ? NULL : __libc_realloc(old, size);
}
#endif

static void a_text_whose_end_finds_no_memory_is_not_gone_on_with(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#else
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        char *text;
        size_t n;
        FILE *f = mem_must(open_memstream(&text, &n));

        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)fputs("lb1", f);
        none_left = true;
        mem_close(f, &text);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
#endif
}

static void a_text_is_whole_and_the_callers(void **state)
{
    char *text;
    size_t n;
    FILE *f = mem_must(open_memstream(&text, &n));

    (void)state;
    (void)fprintf(f, "%d servers", 3);
    mem_close(f, &text);
    assert_string_equal(text, "3 servers");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_whose_end_finds_no_memory_is_not_gone_on_with),
        cmocka_unit_test(a_text_is_whole_and_the_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
