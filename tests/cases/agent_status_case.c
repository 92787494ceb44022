/* agent_status_case.c - what the agent says of a service is what runs. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/raw.h"

static void the_status_names_process_executable_version_and_addresses(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);
    const char *hex = stage_sha256(s, v->exe);
    struct stage_answer *r;

    wait_version(a, "1");
    r = get_status(a);
    assert_status(r, 200);
    assert_string_equal(stage_json_string(s, r->json, "node"), "n1");
    assert_true(stage_json_bool(s, r->json, "running"));
    assert_int_equal(stage_json_int(s, r->json, "ident.pid"), stage_server_pid(v));
    assert_string_equal(stage_json_string(s, r->json, "ident.sha256"), hex);
    assert_string_equal(stage_json_string(s, r->json, "installed"), hex);
    assert_string_equal(stage_json_string(s, r->json, "version"), "1");
    assert_int_equal(json_array_size(stage_json(s, r->json, "listening")), 3);
    for (int port = 0; port < 3; port++) {
        const char *wanted = stage_text(s, "127.0.0.1:%u", v->port[port]);
        bool found = false;
        for (int i = 0; i < 3; i++)
            found |= strcmp(stage_json_string(s, r->json, stage_text(s, "listening.%d", i)), wanted) == 0;
        assert_true(found);
    }
    assert_int_equal(stage_json_int(s, r->json, "connections"), 0);
    assert_true(json_is_null(stage_json(s, r->json, "claim")));
    assert_int_equal(stage_json_int(s, r->json, "fence"), 0);
    r = stage_agent_http(a, "GET", "/v1/services", NULL);
    assert_string_equal(stage_json_string(s, r->json, "services.0.service"), "app");
    assert_refused(stage_agent_http(a, "GET", "/v1/services/other", NULL), 404, "not_found");
    assert_refused(stage_agent_http(a, "POST", "/v1", NULL), 405, "method_not_allowed");
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void a_service_that_hangs_does_not_hold_up_its_status(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, "health-timeout = 20s\n");
    pid_t pid = stage_server_pid(v);
    uint64_t from_ms = now_ms();
    struct stage_answer *r;

    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (int i = 0; i < 3; i++) {
        r = get_status(a);
        assert_status(r, 200);
        assert_true(stage_json_bool(s, r->json, "running"));
        assert_true(json_is_null(stage_json(s, r->json, "version")));
    }
    assert_true(now_ms() - from_ms < 10000);
    assert_int_equal(kill(pid, SIGCONT), 0);
    wait_version(a, "1");
}

static void health_is_of_the_process_that_was_there_before_and_after(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);
    struct stage_answer *r = stage_agent_http(a, "GET", APP "/health", NULL);

    assert_status(r, 200);
    assert_true(stage_json_bool(s, r->json, "healthy"));
    assert_int_equal(stage_json_int(s, r->json, "status"), 200);
    assert_int_equal(stage_json_int(s, r->json, "ident.pid"), stage_server_pid(v));
    assert_refused(stage_agent_http(a, "GET", APP "/health?wait=soon", NULL), 400, "bad_request");
    assert_refused(stage_agent_http(a, "GET", APP "/health?status=2xx", NULL), 400, "bad_request");
    r = stage_agent_http(a, "GET", APP "/health?status=200&body=o%6B", NULL);
    assert_true(stage_json_bool(s, r->json, "healthy"));
    r = stage_agent_http(a, "GET", APP "/health?status=201-299", NULL);
    assert_false(stage_json_bool(s, r->json, "healthy"));
    assert_non_null(strstr(stage_json_string(s, r->json, "text"), "answered 200, not 201-299"));
    r = stage_agent_http(a, "GET", APP "/health?body=ko", NULL);
    assert_false(stage_json_bool(s, r->json, "healthy"));
    assert_non_null(strstr(stage_json_string(s, r->json, "text"), "without \"ko\""));
    stage_server_kill(v, SIGKILL);
    r = stage_agent_http(a, "GET", APP "/health?wait=300ms", NULL);
    assert_false(stage_json_bool(s, r->json, "healthy"));
    assert_true(json_is_null(stage_json(s, r->json, "ident")));
}

static void a_stale_pid_file_or_one_of_another_program_is_nothing_that_runs(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);

    stage_server_kill(v, SIGKILL);
    assert_false(stage_json_bool(s, get_status(a)->json, "running"));
    (void)stage_write(s, v->pidfile, stage_text(s, "%d\n", getpid()));
    assert_false(stage_json_bool(s, get_status(a)->json, "running"));
    (void)stage_write(s, v->pidfile, "many words\n");
    assert_false(stage_json_bool(s, get_status(a)->json, "running"));
    assert_status(put_claim(a, "r", 1, 0, 60), 200);
    assert_status(post_job(a, "r/n1/restart/1", "r", 1, "restart", NULL), 202);
    struct stage_answer *r = wait_job(a, "r/n1/restart/1");
    assert_string_equal(stage_json_string(s, r->json, "code"), "not_running");
    assert_false(stage_json_bool(s, r->json, "touched"));
}

static void check_reads_everything_and_touches_nothing(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    const char *agent = stage_text(s, "%s/rollout-agent", s->build), *state = stage_text(s, "%s/none", s->dir);
    const char *good = stage_text(s,
                                  "[agent]\nnode = n1\nlisten = 127.0.0.1:%u\nstate = %s\n[service app]\n"
                                  "executable = %s\npidfile = %s\nhealth = %s/healthz\n",
                                  stage_port(s), state, v->exe, v->pidfile, v->url);
    struct stage_run r = stage_run(
        s, 5000, (const char *const[]){agent, "--config", stage_write(s, "good.conf", good), "--check", NULL});

    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "service app"));
    assert_int_not_equal(access(state, F_OK), 0);
    r = stage_run(s, 5000,
                  (const char *const[]){agent, "--config",
                                        stage_write(s, "bad.conf", stage_text(s, "%sheatlh-timeout = 1s\n", good)),
                                        "--check", NULL});
    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, "bad.conf:9: "));
    assert_non_null(strstr(r.err, "health-timeout"));
    r = stage_run(s, 5000, (const char *const[]){agent, "--chekc", NULL});
    assert_int_equal(r.exit_code, 64);
}

static void a_state_folder_that_others_can_write_is_refused(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    const char *agent = stage_text(s, "%s/rollout-agent", s->build), *state = stage_mkdir(s, "state");
    const char *conf = stage_write(s, "agent.conf",
                                   stage_text(s,
                                              "[agent]\nnode = n1\nlisten = 127.0.0.1:%u\nstate = %s\n[service app]\n"
                                              "executable = %s\npidfile = %s\nhealth = %s/healthz\n",
                                              stage_port(s), state, v->exe, v->pidfile, v->url));
    const char *const check[] = {agent, "--config", conf, "--check", NULL}, *const start[] = {agent, "--config", conf,
                                                                                              NULL};
    struct stage_run r;

    assert_int_equal(chmod(state, 0777), 0);
    r = stage_run(s, 5000, check);
    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, stage_text(s, "chmod go-w %s", state)));
    assert_int_equal(stage_run(s, 5000, start).exit_code, 78);
    assert_int_equal(chmod(state, 0700), 0);
    assert_int_equal(stage_run(s, 5000, check).exit_code, 0);
}

static void a_head_whose_end_is_uncertain_is_refused_and_its_connection_closed(struct stage *s)
{
    static const char *const heads[] = {
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Content-Length : 2\r\n\r\n{}",
        "Host: y\r\nContent-Length: 2\r\n\r\n{}",
    };
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int fd = stage_raw_open(s, a->port);

        stage_raw_send(s, fd, stage_text(s, "PUT " APP "/claim HTTP/1.1\r\nHost: x\r\n%s", heads[i]));
        assert_int_equal(strncmp(stage_raw_answer(s, fd, 5000), "HTTP/1.1 400", 12), 0);
        assert_true(stage_raw_closes(s, fd, 5000));
    }
}

static bool says_that_it_stops(void *ctx)
{
    struct stage_agent *a = ctx;

    return strstr(stage_read(a->stage, a->proc->out_path), "event=stopping") != NULL;
}

static void an_agent_that_stops_begins_nothing_new(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);
    int slow = stage_raw_open(s, a->port), late = stage_raw_open(s, a->port);

    stage_server_kill(v, SIGKILL); /* so that a check waits */
    stage_raw_send(s, slow, "PUT " APP "/claim HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    stage_raw_send(s, late, "GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)stage_raw_answer(s, late, 5000); /* both are known to the agent */
    stage_proc_signal(s, a->proc, SIGTERM);
    stage_wait_until(s, says_that_it_stops, a, 5000, "the agent to stop");
    stage_raw_send(s, late, "GET " APP "/health?wait=25s HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(stage_proc_wait(s, a->proc, 5000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_status_names_process_executable_version_and_addresses),
        stage_test(a_service_that_hangs_does_not_hold_up_its_status),
        stage_test(health_is_of_the_process_that_was_there_before_and_after),
        stage_test(a_stale_pid_file_or_one_of_another_program_is_nothing_that_runs),
        stage_test(a_head_whose_end_is_uncertain_is_refused_and_its_connection_closed),
        stage_test(an_agent_that_stops_begins_nothing_new),
        stage_test(check_reads_everything_and_touches_nothing),
        stage_test(a_state_folder_that_others_can_write_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
