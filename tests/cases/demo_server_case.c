/* demo_server_case.c - the seed's program in C answers as the seed's does, and refuses what is uncertain. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/raw.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define FORM "Content-Type: application/x-www-form-urlencoded"

static const char *url(struct stage_server *v, int listener, const char *path)
{
    return stage_text(v->stage, "http://127.0.0.1:%u%s", v->port[listener], path);
}

static struct stage_answer *get(struct stage_server *v, const char *path)
{
    return stage_http(v->stage, "GET", url(v, 0, path), NULL, NULL);
}

/* "NAME started at 2026-11-22 17:00:00.123456789 +0000 UTC slept for N nanoseconds from pid P.\n" */
static void assert_slept(struct stage_server *v, const char *body, const char *name, long long ns)
{
    int y, mo, d, h, mi, s, pid = 0, end = 0;
    long long slept = -1;
    char fraction[16], offset[8], zone[16];

    if (strncmp(body, name, strlen(name)) != 0 ||
        sscanf(body + strlen(name),
               " started at %d-%d-%d %d:%d:%d.%15[0-9] %7s %15s slept for %lld nanoseconds from pid %d.\n%n", &y, &mo,
               &d, &h, &mi, &s, fraction, offset, zone, &slept, &pid, &end) != 11 ||
        body[strlen(name) + (size_t)end] != '\0')
        fail_msg("not the seed's form: %s", body);
    assert_true(slept == ns);
    assert_int_equal(pid, stage_server_pid(v));
}

static void each_listener_answers_in_the_seeds_form_under_its_name(struct stage *s)
{
    static const char *const names[] = {"Zero  ", "First ", "Second"};
    struct stage_server *v = stage_server_start(s, "one", "v1");

    for (int i = 0; i < 3; i++) {
        struct stage_answer *a = stage_http(s, "GET", url(v, i, "/sleep/?duration=1ms"), NULL, NULL);

        assert_int_equal(a->status, 200);
        assert_slept(v, a->body, names[i], 1000000);
    }
    assert_slept(v, get(v, "/sleep/?duration=-5s")->body, "Zero  ", -5000000000); /* as time.Sleep: not at all */
}

static void it_sleeps_at_least_as_long_as_it_is_asked_to(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    uint64_t before_ms = stage_now_ms();

    assert_slept(v, get(v, "/sleep/?duration=0.3s")->body, "Zero  ", 300000000);
    assert_true(stage_now_ms() - before_ms >= 300);
}

static void the_duration_comes_from_the_form_before_the_query(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *bare = url(v, 0, "/sleep/"), *query = url(v, 0, "/sleep/?duration=2ms");

    assert_slept(v, stage_http(s, "POST", bare, FORM, "duration=1ms")->body, "Zero  ", 1000000);
    assert_slept(v, stage_http(s, "POST", bare, FORM "; charset=utf-8", "a=b&duration=1%6ds&duration=9s")->body,
                 "Zero  ", 1000000);
    assert_slept(v, stage_http(s, "POST", query, FORM, "duration=1ms")->body, "Zero  ", 1000000);
    assert_slept(v, stage_http(s, "POST", query, "Content-Type: text/plain", "duration=1ms")->body, "Zero  ", 2000000);
}

static void a_bad_duration_gets_400_and_the_reason(struct stage *s)
{
    static const struct {
        const char *path, *why;
    } rows[] = {
        {"/sleep/?duration=5x", "unknown unit"},
        {"/sleep/?duration=", "empty"},
        {"/sleep/", "empty"},
        {"/sleep/?duration=5", "unit is missing"},
        {"/sleep/?duration=9999999h", "too large"},
        {"/sleep/?duration=1ms%00", "unknown unit"},
    };
    struct stage_server *v = stage_server_start(s, "one", "v1");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage_answer *a = get(v, rows[i].path);

        assert_int_equal(a->status, 400);
        assert_non_null(strstr(a->body, rows[i].why));
    }
}

static void small_routes_tell_health_version_and_counts(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v2");
    struct stage_answer *a = get(v, "/stats");
    json_int_t healthz = stage_json_int(s, a->json, "answered.healthz"); /* the stage asked until it was ready */

    assert_string_equal(get(v, "/healthz")->body, "ok\n");
    assert_string_equal(get(v, "/version")->body, "2\n");
    assert_int_equal(get(v, "/nothing")->status, 404);
    assert_int_equal(stage_http(s, "POST", url(v, 0, "/healthz"), NULL, "x")->status, 405);
    a = get(v, "/stats");
    assert_int_equal(stage_json_int(s, a->json, "pid"), stage_server_pid(v));
    assert_string_equal(stage_json_string(s, a->json, "version"), "2");
    assert_int_equal(stage_json_int(s, a->json, "answered.healthz"), healthz + 2);
    assert_int_equal(stage_json_int(s, a->json, "answered.stats"), 1);
    assert_int_equal(stage_json_int(s, a->json, "answered.other"), 1);
    assert_false(stage_json_bool(s, a->json, "draining"));
}

static void a_sick_build_serves_but_is_never_healthy(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "sick");

    assert_int_equal(get(v, "/healthz")->status, 503);
    assert_int_equal(get(v, "/version")->status, 200);
}

static void one_connection_carries_many_requests(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int fd = stage_raw_open(s, v->port[0]);

    for (int i = 0; i < 3; i++) {
        stage_raw_send(s, fd, "GET /sleep/?duration=1ms HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "slept for 1000000"));
        stage_raw_send(s, fd, "POST /sleep/ HTTP/1.1\r\nHost: x\r\n" FORM "\r\nContent-Length: 12\r\n\r\nduration=2ms");
        assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "slept for 2000000"));
        /* a body that nobody asked for is read, not taken for the next request */
        stage_raw_send(s, fd, "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /");
        assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "\r\n\r\nok\n"));
    }
}

static void a_request_whose_end_or_host_is_uncertain_gets_400_and_its_connection_closed(struct stage *s)
{
    static const char *const requests[] = {
        "POST /sleep/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\nabc",
        "POST /sleep/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /sleep/ HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
    };
    struct stage_server *v = stage_server_start(s, "one", "v1");

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = stage_raw_open(s, v->port[0]);

        stage_raw_send(s, fd, requests[i]);
        assert_int_equal(strncmp(stage_raw_answer(s, fd, 5000), "HTTP/1.1 400", 12), 0);
        assert_true(stage_raw_closes(s, fd, 5000));
    }
}

static void a_body_longer_than_a_mebibyte_gets_413(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    size_t size = 1024 * 1024 + 1;
    char *body = stage_alloc(s, size + 1);

    memset(body, 'x', size);
    assert_int_equal(stage_http(s, "POST", url(v, 0, "/sleep/?duration=1ms"), NULL, body)->status, 413);
    body[size - 1] = '\0';
    assert_int_equal(stage_http(s, "POST", url(v, 0, "/sleep/?duration=1ms"), NULL, body)->status, 200);
}

#define LEAVERS 20

static bool all_leavers_sleep(void *ctx)
{
    struct stage_server *v = ctx;

    return stage_json_int(v->stage, get(v, "/stats")->json, "sleeping") == LEAVERS;
}

static bool all_leavers_are_forgotten(void *ctx)
{
    struct stage_server *v = ctx;
    const json_t *stats = get(v, "/stats")->json;

    return stage_json_int(v->stage, stats, "answered.sleep") + stage_json_int(v->stage, stats, "aborted") == LEAVERS &&
           stage_json_int(v->stage, stats, "sleeping") == 0 && stage_json_int(v->stage, stats, "connections") == 1;
}

static void clients_that_leave_while_asleep_harm_nobody(struct stage *s)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int fd[LEAVERS];

    for (int i = 0; i < LEAVERS; i++) {
        fd[i] = stage_raw_open(s, v->port[1]);
        stage_raw_send(s, fd[i], "GET /sleep/?duration=1s HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    stage_wait_until(s, all_leavers_sleep, v, 5000, "all to be asleep");
    for (int i = 0; i < LEAVERS; i++) {
        if (i % 2 == 0)
            (void)shutdown(fd[i], SHUT_RDWR);
        else
            (void)connect(fd[i], &nowhere, sizeof nowhere); /* a reset */
    }
    stage_wait_until(s, all_leavers_are_forgotten, v, 5000, "those who left to be forgotten");
}

/* The last bytes and the end of the client's stream in one piece. */
static void send_and_end(struct stage *s, int fd, const char *bytes)
{
    const int on = 1;

    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
    stage_raw_send(s, fd, bytes);
    (void)shutdown(fd, SHUT_WR);
}

static void a_client_that_ends_with_its_last_bytes_is_answered_and_let_go(struct stage *s)
{
    static const struct {
        const char *sent, *answer;
    } rows[] = {
        {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nok\n"},
        {"GET /sleep/?duration=1.5s HTTP/1.1\r\nHost: x\r\n\r\n", "slept for"},
        {"GET /heal", ""},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\n", ""},
        {"POST /sleep/?duration=1ms HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", ""},
    };
    struct stage_server *v = stage_server_start(s, "one", "v1");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = stage_raw_open(s, v->port[0]);

        send_and_end(s, fd, rows[i].sent);
        if (rows[i].answer[0] != '\0')
            assert_non_null(strstr(stage_raw_answer(s, fd, 5000), rows[i].answer));
        assert_true(stage_raw_closes(s, fd, 5000));
    }
}

#define CROWD 160

static bool is_healthy(void *ctx)
{
    return get(ctx, "/healthz")->status == 200;
}

static bool another_serves(void *ctx)
{
    struct stage_server *v = ctx;
    pid_t pid = stage_server_pid(v);

    return pid != 0 && pid != v->proc->pid;
}

static void a_crowd_beyond_the_limit_on_files_waits_and_a_handover_works(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int fd[CROWD];

    stage_server_kill(v, SIGTERM);
    const char *shell =
        stage_text(s, "ulimit -n 128; exec %s -a0 127.0.0.1:%u -a1 127.0.0.1:%u -a2 %s --pidfile %s", v->exe,
                   v->port[0], v->port[1], stage_text(s, "127.0.0.1:%u", v->port[2]), v->pidfile);
    const char *const argv[] = {"/bin/sh", "-c", shell, NULL};
    v->proc = stage_start(s, &(struct stage_spawn){.name = "server-one", .argv = argv, .cwd = v->dir, .may_end = true});
    stage_wait_until(s, is_healthy, v, 5000, "the server to answer");
    for (int i = 0; i < CROWD; i++)
        fd[i] = stage_raw_open(s, v->port[i % 3]);
    assert_int_equal(kill(stage_server_pid(v), SIGUSR2), 0);
    stage_wait_until(s, another_serves, v, 5000, "a successor to serve");
    for (int i = 0; i < CROWD; i++)
        close(fd[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(stage_http(s, "GET", url(v, i, "/healthz"), NULL, NULL)->status, 200);
}

static void a_start_that_cannot_work_ends_with_the_reason(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *a0 = stage_text(s, "127.0.0.1:%u", v->port[0]);
    const char *const busy[] = {v->exe, "-a0", a0, "-a1", "127.0.0.1:0", "-a2", "127.0.0.1:0", NULL};
    const char *const usage[] = {v->exe, "--linger", "5x", NULL};
    struct stage_run r = stage_run(s, 5000, busy);

    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, stage_text(s, "-a0: cannot listen on %s: Address already in use", a0)));
    r = stage_run(s, 5000, usage);
    assert_int_equal(r.exit_code, 64);
    assert_non_null(strstr(r.err, "-linger: \"5x\" is no duration"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(each_listener_answers_in_the_seeds_form_under_its_name),
        stage_test(it_sleeps_at_least_as_long_as_it_is_asked_to),
        stage_test(the_duration_comes_from_the_form_before_the_query),
        stage_test(a_bad_duration_gets_400_and_the_reason),
        stage_test(small_routes_tell_health_version_and_counts),
        stage_test(a_sick_build_serves_but_is_never_healthy),
        stage_test(one_connection_carries_many_requests),
        stage_test(a_request_whose_end_or_host_is_uncertain_gets_400_and_its_connection_closed),
        stage_test(a_body_longer_than_a_mebibyte_gets_413),
        stage_test(clients_that_leave_while_asleep_harm_nobody),
        stage_test(a_client_that_ends_with_its_last_bytes_is_answered_and_let_go),
        stage_test(a_crowd_beyond_the_limit_on_files_waits_and_a_handover_works),
        stage_test(a_start_that_cannot_work_ends_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
