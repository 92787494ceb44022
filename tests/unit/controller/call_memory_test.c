/* call_memory_test.c - curl without memory, at any place of a call: the call ends, or the program does; nobody waits
 * for what never comes. */
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
#include <curl/curl.h>

#include "controller/call.h"
#include "tiny_server.h"

#define POINTS_MAX 2000
#define ENDED      SIGKILL
#define LIMIT_S    20 /* of a child; the call's own is a second */

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

static void answer(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    (void)ctx;
    (void)q;
    (void)snprintf(a->body, sizeof a->body, "fine");
}

/* Three calls, the last over a connection of its own. How many allocations that took. */
static unsigned ask(int port, unsigned fails_at)
{
    uint32_t limit_ms = fails_at == 0 ? 30000 : 1000; /* a busy machine takes its time */
    struct calls *calls = calls_open(limit_ms, NULL);
    char url[64];
    int n = 0;

    assert_non_null(calls);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/x", port);
    made = 0;
    nth = fails_at;
    for (int i = 0; i < 3; i++)
        calls_start(calls, &(struct call_request){
                               .method = "GET", .url = url, .limit_ms = limit_ms, .cap_bytes = 1000, .fresh = i == 2});
    while (n < 3) {
        struct call_result r;

        if (calls_collect(calls, 10000, &r, 1, NULL) == 0)
            continue;
        if (fails_at == 0)
            assert_int_equal(r.failure, CALL_FINE);
        call_result_free(&r);
        n++;
    }
    nth = 0;
    n = (int)made;
    calls_close(&calls);
    return (unsigned)n;
}

static int in_a_child(int port, unsigned fails_at)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)alarm(LIMIT_S);
        (void)ask(port, fails_at);
        (void)kill(getpid(), ENDED); /* what curl leaks then is nobody's to look at */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_call_ends_whatever_memory_is_missing(void **state)
{
    struct tiny_server *server = tiny_start(answer, NULL);
    const char *stretch = getenv("TEST_STRETCH"); /* valgrind takes its time: a sample will do */
    unsigned points = ask(server->port, 0), aborts = 0, step = stretch != NULL && strcmp(stretch, "1") != 0 ? 7 : 1;

    (void)state;
    assert_in_range(points, 20, POINTS_MAX); /* else this is not curl's allocator */
    for (unsigned i = 1; i <= points; i += step) {
        int status = in_a_child(server->port, i);

        if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGABRT && WTERMSIG(status) != ENDED))
            fail_msg("without memory for the %u. of %u: %s", i, points,
                     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it failed");
        aborts += WTERMSIG(status) == SIGABRT ? 1 : 0;
    }
    assert_int_not_equal(aborts, 0);
    tiny_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_ends_whatever_memory_is_missing),
    };

    if (curl_global_init_mem(CURL_GLOBAL_ALL, take, free, take_again, take_text, take_zero) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
