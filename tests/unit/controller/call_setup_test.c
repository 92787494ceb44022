/* call_setup_test.c - a request without one of its options is another one: where there is no memory for it, none
 * leaves. */
#include "controller/call_setup.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define POINTS_MAX 500

/* Curl's allocator: the n-th call from now on fails; 0: none does. */
static unsigned nth, made;

static bool is_due(void)
{
    made++;
    return made == nth;
}

static void *take(size_t size)
{
    return is_due() ? NULL : malloc(size);
}

static void *take_again(void *p, size_t size)
{
    return is_due() ? NULL : realloc(p, size);
}

static char *take_text(const char *text)
{
    return is_due() ? NULL : strdup(text);
}

static void *take_zero(size_t n, size_t size)
{
    return is_due() ? NULL : calloc(n, size);
}

static void ask(unsigned fails_at)
{
    static const char *const headers[] = {"Rollout-Fence: 7"};
    static const struct profile profile = {
        .cert_file = (char *)"c.pem", .ca_file = (char *)"ca.pem", .auth = (char *)"ann:secret"};
    const struct call_request request = {.method = "PATCH",
                                         .url = "https://lb1:8443/api/9/http/upstreams/app/servers/0",
                                         .connect_to = "127.0.0.1",
                                         .headers = headers,
                                         .n_headers = 1,
                                         .body = "{}",
                                         .body_bytes = 2,
                                         .limit_ms = 1000,
                                         .cap_bytes = 1000};
    struct handles handles = {.n = 0};
    struct call *c;
    bool good = false;

    made = 0;
    nth = fails_at;
    c = call_new(&handles, &request, &profile, 1000, &good);
    nth = 0;
    assert_true(good);
    call_free(&handles, c);
    handles_clear(&handles);
}

static int in_a_child(unsigned fails_at)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        ask(fails_at);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void without_memory_for_any_part_of_it_the_program_ends(void **state)
{
    unsigned points;

    (void)state;
    ask(0);
    points = made;
    assert_in_range(points, 10, POINTS_MAX); /* else this is not curl's allocator */
    for (unsigned i = 1; i <= points; i++) {
        int status = in_a_child(i);

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("without memory for the %u. of %u: status %x", i, points, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_for_any_part_of_it_the_program_ends),
    };

    if (curl_global_init_mem(CURL_GLOBAL_ALL, take, free, take_again, take_text, take_zero) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
