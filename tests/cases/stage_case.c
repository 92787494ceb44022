/* stage_case.c - the stage itself keeps its word. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stage/ca.h"
#include "tests/stage/nginx.h"
#include "tests/stage/test.h"

static void ports_are_below_the_ephemeral_range_and_given_once(struct stage *s)
{
    uint16_t port[64];

    for (int i = 0; i < 64; i++) {
        port[i] = stage_port(s);
        assert_in_range(port[i], 1024, 32767);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(port[i], port[j]);
    }
}

static void a_run_tells_its_output_and_its_exit_code(struct stage *s)
{
    struct stage_run r =
        stage_run(s, 5000, (const char *const[]){"/bin/sh", "-c", "echo out; echo err >&2; exit 7", NULL});

    assert_int_equal(r.exit_code, 7);
    assert_string_equal(r.out, "out\n");
    assert_string_equal(r.err, "err\n");
}

static void stock_nginx_starts_reloads_and_comes_back_on_its_ports(struct stage *s)
{
    const struct stage_nginx_conf conf = {.no_module = true};
    struct stage_nginx *n = stage_nginx_start(s, "lb1", &conf);
    const char *url = n->url;

    assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, 204);
    stage_nginx_reload(n);
    assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, 204);
    stage_nginx_stop(n, SIGKILL);
    assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, 0);
    stage_nginx_again(n);
    assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, 204);
}

static void a_certificate_is_of_the_stages_authority_and_a_foreign_one_is_not(struct stage *s)
{
    const struct stage_tls *ours = stage_cert(s, "node1"), *foreign = stage_cert_foreign(s, "node1");
    const char *const good[] = {"/usr/bin/openssl", "verify", "-CAfile", ours->ca, ours->cert, NULL};
    const char *const bad[] = {"/usr/bin/openssl", "verify", "-CAfile", ours->ca, foreign->cert, NULL};

    assert_int_equal(stage_run(s, 5000, good).exit_code, 0);
    assert_int_not_equal(stage_run(s, 5000, bad).exit_code, 0);
    assert_ptr_not_equal(ours, stage_cert(s, "node2"));
}

static bool group_is_gone(void *ctx)
{
    const pid_t *pid = ctx;

    return kill(*pid, 0) != 0;
}

/* A program of a stage, killed as hard as can be: nginx and a process that nginx does not know of must go with it. */
static void what_a_killed_test_started_does_not_outlive_it(struct stage *s)
{
    int tell[2];
    pid_t test, started[3] = {0};

    assert_int_equal(pipe(tell), 0);
    test = fork();
    if (test == 0) {
        struct stage *inner = stage_open("killed_test", NULL);
        const struct stage_nginx_conf conf = {.no_module = true};
        struct stage_nginx *n = stage_nginx_start(inner, "lb1", &conf);
        const char *const sleeper[] = {"/bin/sleep", "60", NULL};

        started[0] = n->proc->pid;
        (void)stage_nginx_workers(n, &started[1], 1);
        started[2] = stage_start(inner, &(struct stage_spawn){.name = "sleeper", .argv = sleeper})->pid;
        (void)!write(tell[1], started, sizeof started);
        for (;;)
            pause();
    }
    close(tell[1]); /* or its death before it wrote would leave us reading for ever */
    assert_int_equal(read(tell[0], started, sizeof started), sizeof started);
    assert_int_equal(kill(test, SIGKILL), 0);
    assert_int_equal(waitpid(test, NULL, 0), test);
    close(tell[0]);
    for (int i = 0; i < 3; i++) {
        assert_true(started[i] > 0);
        stage_wait_until(s, group_is_gone, &started[i], 5000, "a part of a killed test to be gone");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(ports_are_below_the_ephemeral_range_and_given_once),
        stage_test(a_run_tells_its_output_and_its_exit_code),
        stage_test(stock_nginx_starts_reloads_and_comes_back_on_its_ports),
        stage_test(a_certificate_is_of_the_stages_authority_and_a_foreign_one_is_not),
        stage_test(what_a_killed_test_started_does_not_outlive_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
