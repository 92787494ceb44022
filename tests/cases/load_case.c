/* load_case.c - the load client's count can be believed: nothing that goes wrong is passed over. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"

/* A server that answers everything by one wrong text, or in a wrong manner. */
enum manner { SAYS, RESETS, SAYS_THEN_CLOSES_LATER };

static int listen_on(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 128), 0);
    return fd;
}

static void serve_one(int fd, enum manner manner, const char *text)
{
    static const struct linger reset = {1, 0};
    char request[8192];

    (void)!recv(fd, request, sizeof request, 0);
    if (manner == RESETS)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    else
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    if (manner == SAYS_THEN_CLOSES_LATER)
        (void)poll(NULL, 0, 10); /* the client rests for 25 ms at least: the close meets it there */
    close(fd);
}

static pid_t serve(int fd, enum manner manner, const char *text)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int client = accept(fd, NULL, NULL);

        if (client >= 0)
            serve_one(client, manner, text);
    }
}

/* How many requests of 40 failed as `kind`, against that server. */
static json_int_t failures(struct stage *s, enum manner manner, const char *text, const char *kind)
{
    uint16_t port = stage_port(s);
    const char *report = stage_text(s, "%s/%s.json", s->dir, kind);
    const char *const argv[] = {
        stage_text(s, "%s/tests/load/load", s->build), "--requests", "40", "--timeout", "500ms", "--report", report,
        stage_text(s, "http://127.0.0.1:%u", port),    NULL};
    int fd = text != NULL ? listen_on(port) : -1;
    pid_t server = fd >= 0 ? serve(fd, manner, text) : 0;
    struct stage_run r = stage_run(s, 20000, argv);
    json_t *json = json_load_file(report, 0, NULL);
    json_int_t sent, answered, failed, idle, found;

    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
        close(fd);
    }
    assert_int_equal(r.exit_code, 1);
    sent = stage_json_int(s, json, "sent");
    answered = stage_json_int(s, json, "answered");
    failed = stage_json_int(s, json, "failed");
    idle = stage_json_int(s, json, "kinds.idle");
    found = stage_json_int(s, json, stage_text(s, "kinds.%s", kind));
    json_decref(json);
    assert_int_equal(sent, 40);
    assert_int_equal(sent, answered + failed - idle);
    return found;
}

static void each_kind_of_failure_is_counted_as_that(struct stage *s)
{
    static const struct {
        enum manner manner;
        const char *text, *kind;
    } rows[] = {
        {SAYS, NULL, "connect"},
        {RESETS, "", "reset"},
        {SAYS, "", "closed"},
        {SAYS, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nZero", "short_answer"},
        {SAYS, "HTTP/1.1 200 OK\r\n\r\n", "protocol"},
        {SAYS, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "status"},
        {SAYS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "body"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(failures(s, rows[i].manner, rows[i].text, rows[i].kind), 40);
}

static void an_unannounced_close_at_rest_is_a_failure(struct stage *s)
{
    static const char zero[] = "HTTP/1.1 200 OK\r\nContent-Length: 97\r\n\r\nZero   started at 2026-11-22 "
                               "17:00:00.123456789 +0000 UTC slept for 0 nanoseconds from pid 4711.\n";

    assert_true(failures(s, SAYS_THEN_CLOSES_LATER, zero, "idle") > 0);
}

static void a_server_that_never_answers_is_a_timeout(struct stage *s)
{
    uint16_t port = stage_port(s);
    int fd = listen_on(port);
    const char *report = stage_text(s, "%s/timeout.json", s->dir);
    const char *const argv[] = {
        stage_text(s, "%s/tests/load/load", s->build), "--requests", "20", "--timeout", "200ms", "--report", report,
        stage_text(s, "http://127.0.0.1:%u", port),    NULL};
    struct stage_run r = stage_run(s, 20000, argv);
    json_t *json = json_load_file(report, 0, NULL);

    assert_int_equal(r.exit_code, 1);
    assert_int_equal(stage_json_int(s, json, "kinds.timeout"), 20);
    json_decref(json);
    close(fd);
}

/* The counts of both ends agree, and the requests that the demo speaks of are in flight. */
static void the_servers_count_what_the_client_counts(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "node1", "v1");
    struct stage_load *l = stage_load_start(s, (const char *const[]){v->url, NULL});

    stage_load_until(s, l, 500, 20000);
    stage_load_end(s, l);
    stage_server_kill(v, SIGTERM);
    assert_int_equal(l->failed, 0);
    assert_int_equal(l->answered, l->sent);
    assert_int_equal(stage_server_answered(v), l->sent);
    assert_true(json_array_size(stage_json(s, l->report, "in_flight.post")) > 0);
    assert_true(json_array_size(stage_json(s, l->report, "in_flight.sleep")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(each_kind_of_failure_is_counted_as_that),
        stage_test(an_unannounced_close_at_rest_is_a_failure),
        stage_test(a_server_that_never_answers_is_a_timeout),
        stage_test(the_servers_count_what_the_client_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
