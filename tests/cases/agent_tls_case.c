/* agent_tls_case.c - who comes in: over TLS an allowed controller, and nobody else. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"

#define CLAIM_OF_BOB "{\"rollout\":\"r\",\"fence\":1,\"expect\":0,\"ttl\":60,\"holder\":\"bob\",\"took_out\":[]}"
#define JOB_OF_BOB   "{\"id\":\"r/n1/restart/1\",\"rollout\":\"r\",\"fence\":1,\"action\":\"restart\",\"release\":null}"

static struct stage_answer *ask_as(struct stage_agent *a, const struct stage_tls *tls)
{
    return stage_agent_http_as(a, tls, "GET", APP, NULL, NULL, 0);
}

static void only_an_allowed_controller_of_our_authority_is_answered(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, false, NULL);
    const struct stage_tls *controller = stage_cert(s, "controller");
    struct stage_answer *r;

    assert_status(ask_as(a, controller), 200);

    r = ask_as(a, &(struct stage_tls){.ca = controller->ca});
    assert_refused(r, 403, "forbidden");
    assert_null(strstr(r->body, "listening"));

    assert_refused(ask_as(a, stage_cert(s, "n1")), 403, "forbidden"); /* a node is no controller */
    assert_refused(ask_as(a, stage_cert(s, "controller2")), 403, "forbidden");

    r = ask_as(a, stage_cert_foreign(s, "controller"));
    if (r->status != 0) /* the client may already refuse to present it */
        assert_refused(r, 403, "forbidden");

    r = stage_agent_http_as(a, stage_cert(s, "controller2"), "PUT", APP "/claim", NULL, "{}", 2);
    assert_refused(r, 403, "forbidden");
    assert_status(ask_as(a, controller), 200);
}

/* `holder` is what the client says of itself; the certificate is who it is. */
static void what_is_done_is_logged_with_the_name_of_the_certificate(struct stage *s)
{
    static const struct {
        const char *line, *by;
    } rows[] = {
        {"event=release_kept service=app ", "controller"},
        {"event=claim_put service=app rollout=r ", "ann"},
        {"event=job_taken service=app job=r/n1/restart/1 ", "ann"},
        {"event=claim_dropped service=app rollout=r ", "ann"},
        {"event=lock_put service=app rollout=r ", "ann"},
        {"event=lock_dropped service=app rollout=r ", "ann"},
        {"event=wish_put service=app rollout=r ", "ann"},
        {"event=wish_taken service=app rollout=r ", "ann"},
    };
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, false, "[agent]\nallow = ann\n");
    const struct stage_tls *ann = stage_cert(s, "ann");
    const char *file = stage_server_variant(s, "v2"),
               *lock = "{\"rollout\":\"r\",\"fence\":1,\"ttl\":9,\"holder\":\"bob\"}",
               *wish = "{\"rollout\":\"r\",\"id\":1,\"wish\":\"pause\",\"effect\":true,\"holder\":\"bob\"}", *log;

    assert_status(put_release(a, stage_sha256(s, file), file), 201);
    assert_status(stage_agent_http_as(a, ann, "PUT", APP "/claim", NULL, CLAIM_OF_BOB, strlen(CLAIM_OF_BOB)), 200);
    assert_status(stage_agent_http_as(a, ann, "POST", APP "/jobs", NULL, JOB_OF_BOB, strlen(JOB_OF_BOB)), 202);
    assert_string_equal(stage_json_string(s, wait_job(a, "r/n1/restart/1")->json, "state"), "done");
    assert_status(stage_agent_http_as(a, ann, "DELETE", APP "/claim?rollout=r&fence=1", NULL, NULL, 0), 200);
    assert_status(stage_agent_http_as(a, ann, "PUT", APP "/lock", NULL, lock, strlen(lock)), 200);
    assert_status(stage_agent_http_as(a, ann, "DELETE", APP "/lock?rollout=r&fence=1", NULL, NULL, 0), 200);
    assert_status(stage_agent_http_as(a, ann, "PUT", APP "/wish", NULL, wish, strlen(wish)), 200);
    assert_status(stage_agent_http_as(a, ann, "POST", APP "/wish/taken", NULL, wish, strlen(wish)), 200);
    log = stage_read(s, a->proc->out_path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = strstr(log, rows[i].line), *by = stage_text(s, " by=\"%s\"", rows[i].by);
        if (at == NULL || strstr(stage_text(s, "%.*s", (int)strcspn(at, "\n"), at), by) == NULL)
            fail_msg("no line \"%s...%s\" but\n%s", rows[i].line, by, log);
    }
}

static void plain_http_where_anybody_could_come_in_is_refused_by_the_config(struct stage *s)
{
    static const char *const addresses[] = {"0.0.0.0", "[::]", "10.0.0.1", ""};
    const char *agent = stage_text(s, "%s/rollout-agent", s->build);

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const char *conf = stage_text(s,
                                      "[agent]\nnode = n1\nlisten = %s:7000\nstate = %s/none\n[service app]\n"
                                      "executable = /bin/true\npidfile = /none\nhealth = http://127.0.0.1:1/\n",
                                      addresses[i], s->dir);
        struct stage_run r =
            stage_run(s, 5000, (const char *const[]){agent, "--config", stage_write(s, "a.conf", conf), NULL});

        assert_int_equal(r.exit_code, 78);
        assert_non_null(strstr(r.err, "tls-cert"));
    }
}

static void a_key_that_does_not_fit_its_certificate_is_found_by_check(struct stage *s)
{
    const struct stage_tls *one = stage_cert(s, "n1"), *two = stage_cert(s, "n2");
    const char *conf = stage_text(s,
                                  "[agent]\nnode = n1\nlisten = 127.0.0.1:7000\nstate = %s/none\ntls-cert = %s\n"
                                  "tls-key = %s\ntls-ca = %s\nallow = controller\n[service app]\n"
                                  "executable = /bin/true\npidfile = /none\nhealth = http://127.0.0.1:1/\n",
                                  s->dir, one->cert, two->key, one->ca);
    const char *agent = stage_text(s, "%s/rollout-agent", s->build);
    struct stage_run r =
        stage_run(s, 5000, (const char *const[]){agent, "--config", stage_write(s, "a.conf", conf), "--check", NULL});

    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, "do not work together"));
}

/* A request as bytes, and the whole answer. */
static const char *talk(struct stage_agent *a, const char *bytes)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 5};
    char *answer = stage_alloc(a->stage, 4096);
    size_t used = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)(const void *)&to, sizeof to) != 0 ||
        send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) < 0)
        stage_fail(a->stage, "cannot talk to the agent");
    while (used < 4095 && (n = recv(fd, answer + used, 4095 - used, 0)) > 0)
        used += (size_t)n;
    (void)close(fd);
    return answer;
}

static void framing_that_two_parsers_might_read_differently_is_refused(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
#define PUT "PUT " APP "/claim HTTP/1.1\r\n"
    static const char *const requests[] = {
        "GET /v1 HTTP/1.1\r\n\r\n",
        "GET /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        PUT "Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        PUT "Host: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        assert_non_null(strstr(talk(a, requests[i]), " 400 "));
    assert_non_null(strstr(talk(a, "GET /v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), " 200 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(only_an_allowed_controller_of_our_authority_is_answered),
        stage_test(what_is_done_is_logged_with_the_name_of_the_certificate),
        stage_test(plain_http_where_anybody_could_come_in_is_refused_by_the_config),
        stage_test(a_key_that_does_not_fit_its_certificate_is_found_by_check),
        stage_test(framing_that_two_parsers_might_read_differently_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
