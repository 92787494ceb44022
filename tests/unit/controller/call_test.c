#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "controller/call.h"
#include "tiny_server.h"

struct seen {
    int n, connection;
    char head[8192], method[16], path[512], date[64];
    size_t body_bytes;
    unsigned long sum;
};

static void answer(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    struct seen *s = ctx;

    s->n++;
    s->connection = q->connection;
    snprintf(s->head, sizeof s->head, "%s", q->head);
    snprintf(s->method, sizeof s->method, "%s", q->method);
    snprintf(s->path, sizeof s->path, "%s", q->path);
    s->body_bytes = q->body_bytes;
    s->sum = 0;
    for (size_t i = 0; i < q->body_bytes; i++)
        s->sum = s->sum * 31 + (unsigned char)q->body[i];
    snprintf(a->body, sizeof a->body, "you sent %s", q->body);
    if (strstr(q->path, "/hang") != NULL)
        a->hang = true;
    else if (strstr(q->path, "/close") != NULL)
        a->status = 0;
    else if (strstr(q->path, "/endless") != NULL)
        a->endless = true;
    else if (strstr(q->path, "/dated") != NULL)
        a->date = s->date;
    else if (strstr(q->path, "/412") != NULL)
        a->status = 412;
    else if (q->body_bytes > 4096)
        snprintf(a->body, sizeof a->body, "much");
}

struct fix {
    struct seen seen;
    struct tiny_server *server;
    struct calls *calls;
    char url[128];
};

static int open_with(void **state, uint32_t connect_limit_ms)
{
    struct fix *f = calloc(1, sizeof *f);

    f->server = tiny_start(answer, &f->seen);
    f->calls = calls_open(connect_limit_ms, NULL);
    assert_non_null(f->calls);
    *state = f;
    return 0;
}

static int open_all(void **state)
{
    return open_with(state, 30000); /* a busy machine takes its time, and no test here is about that */
}

static int open_impatient(void **state)
{
    return open_with(state, 500);
}

static int close_all(void **state)
{
    struct fix *f = *state;

    calls_close(&f->calls);
    tiny_stop(f->server);
    free(f);
    return 0;
}

static const char *url(struct fix *f, const char *path)
{
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d%s", f->server->port, path);
    return f->url;
}

static struct call_request get(const char *at)
{
    return (struct call_request){.method = "GET", .url = at, .limit_ms = 5000, .cap_bytes = 10000};
}

/* The one call that is under way, ended. */
static struct call_result one(struct fix *f, const struct call_request *q)
{
    struct call_result r;

    calls_start(f->calls, q);
    assert_int_equal(calls_collect(f->calls, 10000, &r, 1, NULL), 1);
    return r;
}

static void a_body_arrives_and_its_answer_comes_back(void **state)
{
    struct fix *f = *state;
    const char *headers[] = {"Rollout-Fence: 7"};
    struct call_request q = get(url(f, "/x"));
    int tag;

    q.method = "PATCH";
    q.body = "{\"drain\":true}";
    q.body_bytes = strlen(q.body);
    q.headers = headers;
    q.n_headers = 1;
    q.tag = &tag;
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_FINE);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "you sent {\"drain\":true}");
    assert_ptr_equal(r.tag, &tag);
    assert_string_equal(f->seen.method, "PATCH");
    assert_non_null(strstr(f->seen.head, "Rollout-Fence: 7"));
    assert_non_null(strstr(f->seen.head, "Content-Type: application/json"));
    assert_null(strstr(f->seen.head, "Expect"));
    call_result_free(&r);
}

static void the_clock_of_who_answers_is_told_where_it_is_asked_for(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/dated"));
    time_t there = time(NULL) + 100;
    struct call_result r;
    struct tm tm;

    (void)strftime(f->seen.date, sizeof f->seen.date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&there, &tm));
    r = one(f, &q);
    assert_false(r.has_clock);
    call_result_free(&r);
    q.show_peer = true;
    r = one(f, &q);
    assert_true(r.has_clock);
    assert_in_range(r.ahead_s, 40, 100); /* the answer took its time */
    call_result_free(&r);
    q = get(url(f, "/undated"));
    q.show_peer = true;
    r = one(f, &q);
    assert_false(r.has_clock);
    call_result_free(&r);
}

static void any_status_is_a_whole_answer(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/412"));
    struct call_result r = one(f, &q);

    assert_int_equal(r.failure, CALL_FINE);
    assert_int_equal(r.status, 412);
    call_result_free(&r);
}

static void a_connection_is_used_again(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/x"));

    for (int i = 0; i < 5; i++) {
        struct call_result r = one(f, &q);
        assert_int_equal(r.failure, CALL_FINE);
        assert_int_equal(f->seen.connection, 0);
        call_result_free(&r);
    }
}

/* Of its own where a fresh one is asked for; and one that nothing more is said on is closed. */
static void a_connection_is_kept_only_for_what_comes(void **state)
{
    static const struct {
        bool fresh, last;
        int connection;
    } rows[] = {{false, false, 0}, {true, false, 1}, {false, true, 0}, {false, false, 2}, {false, false, 2}};
    struct fix *f = *state;
    struct call_request q = get(url(f, "/x"));

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        q.fresh = rows[i].fresh;
        q.last = rows[i].last;
        struct call_result r = one(f, &q);
        assert_int_equal(r.failure, CALL_FINE);
        if (f->seen.connection != rows[i].connection)
            fail_msg("row %zu: over connection %d", i, f->seen.connection);
        call_result_free(&r);
    }
}

static void nobody_there_is_not_sent(void **state)
{
    struct fix *f = *state;
    int port, fd = tiny_listen(&port);
    char at[64];

    close(fd);
    snprintf(at, sizeof at, "http://127.0.0.1:%d/", port);
    struct call_request q = get(at);
    q.peer = "web1";
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_NOT_SENT);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.text, "GET web1 (127.0.0.1:"));
    call_result_free(&r);
}

static void tls_to_a_server_without_it_is_not_sent(void **state)
{
    struct fix *f = *state;
    char at[64];

    snprintf(at, sizeof at, "https://127.0.0.1:%d/hang", f->server->port);
    struct call_request q = get(at);
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_NOT_SENT);
    call_result_free(&r);
}

static void a_file_that_cannot_be_read_is_not_sent(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/x"));

    q.method = "PUT";
    q.body_file = "/nowhere/at/all";
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_NOT_SENT);
    assert_non_null(strstr(r.text, "/nowhere/at/all"));
    assert_int_equal(f->seen.n, 0);
    call_result_free(&r);
}

static void other_protocols_are_refused(void **state)
{
    struct fix *f = *state;
    struct call_request q = get("file:///etc/hostname");
    struct call_result r = one(f, &q);

    assert_int_equal(r.failure, CALL_NOT_SENT);
    call_result_free(&r);
}

static void an_answer_too_late_is_a_timeout(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/hang"));

    q.limit_ms = 1000; /* the request must have left by then */
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_TIMEOUT);
    assert_true(r.took_ms >= 950 && r.took_ms < 5000);
    call_result_free(&r);
}

static void a_closed_connection_after_the_request_is_lost(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/close"));
    struct call_result r = one(f, &q);

    assert_int_equal(r.failure, CALL_LOST);
    assert_true(r.text[0] != '\0');
    call_result_free(&r);
}

static void an_endless_answer_is_cut_at_the_cap(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/endless"));
    struct call_result r = one(f, &q);

    assert_int_equal(r.failure, CALL_LOST);
    assert_true(r.body_bytes <= 10000);
    assert_non_null(strstr(r.text, "longer than 10000 bytes"));
    call_result_free(&r);
}

static void a_file_is_streamed_whole(void **state)
{
    struct fix *f = *state;
    char path[] = "/tmp/call_test_XXXXXX";
    int fd = mkstemp(path);
    unsigned long sum = 0;
    size_t size = 3 * 1024 * 1024 + 17;
    char *bytes = malloc(size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 7 + i / 1000);
        sum = sum * 31 + (unsigned char)bytes[i];
    }
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    free(bytes);
    struct call_request q = get(url(f, "/x"));
    q.method = "PUT";
    q.body_file = path;
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_FINE);
    assert_int_equal(f->seen.body_bytes, size);
    assert_true(f->seen.sum == sum);
    assert_string_equal(f->seen.method, "PUT");
    assert_string_equal(r.body, "much");
    call_result_free(&r);
    unlink(path);
}

static void the_address_may_be_another_than_the_name(void **state)
{
    struct fix *f = *state;
    char at[64];

    snprintf(at, sizeof at, "http://lb1.invalid:%d/x", f->server->port);
    struct call_request q = get(at);
    q.connect_to = "127.0.0.1";
    struct call_result r = one(f, &q);
    assert_int_equal(r.failure, CALL_FINE);
    assert_non_null(strstr(f->seen.head, "Host: lb1.invalid:"));
    call_result_free(&r);
}

static void proxies_of_the_environment_are_not_used(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/x"));

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct call_result r = one(f, &q);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(r.failure, CALL_FINE);
    assert_string_equal(f->seen.path, "/x");
    call_result_free(&r);
}

static void more_calls_than_may_be_on_the_wire_all_end(void **state)
{
    struct fix *f = *state;
    enum { N = CALLS_ACTIVE_MAX + 100 };
    struct call_request q = get(url(f, "/x"));
    struct call_result r[64];
    size_t n = 0;
    bool ended[N] = {false};
    time_t until = time(NULL) + 60;

    q.limit_ms = 30000;
    for (size_t i = 0; i < N; i++) {
        q.tag = &ended[i];
        calls_start(f->calls, &q);
    }
    while (n < N && time(NULL) < until) {
        size_t some = calls_collect(f->calls, 1000, r, 64, NULL);
        for (size_t i = 0; i < some; i++) {
            bool *tag = r[i].tag;
            assert_false(*tag);
            *tag = true;
            assert_int_equal(r[i].failure, CALL_FINE);
            call_result_free(&r[i]);
        }
        n += some;
    }
    assert_int_equal(n, N);
    assert_int_equal(calls_under_way(f->calls), 0);
}

static struct calls *to_wake;

static void on_alarm(int sig)
{
    (void)sig;
    calls_wake(to_wake);
}

static void a_signal_handler_ends_a_wait(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/hang"));
    struct itimerval soon = {.it_value = {.tv_usec = 100000}};
    struct call_result r;
    bool woken = false;
    time_t began = time(NULL);

    q.limit_ms = 30000;
    calls_start(f->calls, &q);
    to_wake = f->calls;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(calls_collect(f->calls, 20000, &r, 1, &woken), 0);
    signal(SIGALRM, SIG_DFL);
    assert_true(woken);
    assert_true(time(NULL) - began < 10);
    calls_collect(f->calls, 0, &r, 1, &woken);
    assert_false(woken);
    calls_drop(f->calls);
    assert_int_equal(calls_under_way(f->calls), 0);
}

static void an_empty_wait_ends_in_time(void **state)
{
    struct fix *f = *state;
    struct call_result r;
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(calls_collect(f->calls, 100, &r, 1, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    assert_true(ms >= 90 && ms < 5000);
}

static void the_password_of_a_file_is_sent_to_its_peer_only(void **state)
{
    struct fix *f = *state;
    char path[] = "/tmp/call_test_XXXXXX";
    int fd = mkstemp(path);
    struct call_request q = get(url(f, "/x"));
    struct err err = {""};

    assert_int_equal(write(fd, "ann:secret\n", 11), 11);
    close(fd);
    assert_true(calls_set_profile(f->calls, "lb1", &(struct call_profile){.auth_file = path}, &err));
    unlink(path);
    q.peer = "lb1";
    struct call_result r = one(f, &q);
    assert_non_null(strstr(f->seen.head, "Authorization: Basic YW5uOnNlY3JldA=="));
    call_result_free(&r);
    q.peer = "web1";
    r = one(f, &q);
    assert_null(strstr(f->seen.head, "Authorization"));
    call_result_free(&r);
}

static void a_profile_with_an_unreadable_file_is_refused(void **state)
{
    struct fix *f = *state;
    struct err err = {""};

    assert_false(calls_set_profile(f->calls, "lb1", &(struct call_profile){.cert_file = "/nowhere.pem"}, &err));
    assert_non_null(strstr(err.text, "/nowhere.pem"));
    assert_false(calls_set_profile(f->calls, NULL, &(struct call_profile){.auth_file = "/dev/null"}, &err));
    assert_non_null(strstr(err.text, "no colon"));
}

static void every_descriptor_is_closed_on_exec(void **state)
{
    struct fix *f = *state;
    struct call_request q = get(url(f, "/x"));
    struct call_result r = one(f, &q);

    call_result_free(&r);
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        assert_true(flags < 0 || (flags & FD_CLOEXEC) != 0);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(a_body_arrives_and_its_answer_comes_back),
        T(the_clock_of_who_answers_is_told_where_it_is_asked_for),
        T(any_status_is_a_whole_answer),
        T(a_connection_is_used_again),
        T(a_connection_is_kept_only_for_what_comes),
        T(nobody_there_is_not_sent),
        cmocka_unit_test_setup_teardown(tls_to_a_server_without_it_is_not_sent, open_impatient, close_all),
        T(a_file_that_cannot_be_read_is_not_sent),
        T(other_protocols_are_refused),
        T(an_answer_too_late_is_a_timeout),
        T(a_closed_connection_after_the_request_is_lost),
        T(an_endless_answer_is_cut_at_the_cap),
        T(a_file_is_streamed_whole),
        T(the_address_may_be_another_than_the_name),
        T(proxies_of_the_environment_are_not_used),
        T(more_calls_than_may_be_on_the_wire_all_end),
        T(a_signal_handler_ends_a_wait),
        T(an_empty_wait_ends_in_time),
        T(the_password_of_a_file_is_sent_to_its_peer_only),
        T(a_profile_with_an_unreadable_file_is_refused),
        T(every_descriptor_is_closed_on_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
