/* module_wait_case.c - `Prefer: wait=N` on the GET of a server: when the answer comes, what it says, and what those who
 * wait cost. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS    8000
#define AT_ONCE_MS 2000 /* for what takes some 30 ms, on a busy machine */
#define MANY       1000
#define HELD       6

/* Upstream app: server 0 takes connections and never answers, server 1 is not there. */
struct hold {
    struct stage_nginx *lb;
    int node, client[HELD];
    unsigned held;
};

static int socket_new(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in at_port(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int dial(uint16_t port)
{
    const struct sockaddr_in to = at_port(port);
    int fd = socket_new();

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int listen_at(uint16_t port)
{
    const struct sockaddr_in at = at_port(port);
    int fd = socket_new();

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static struct stage_answer *ask(struct hold *h, const char *method, const char *path, const char *headers,
                                const char *body)
{
    return stage_http(h->lb->stage, method, stage_text(h->lb->stage, "%s%s", h->lb->api, path), headers, body);
}

static void patch(struct hold *h, const char *body)
{
    assert_int_equal(ask(h, "PATCH", "/9/http/upstreams/app/servers/0", NULL, body)->status, 200);
}

static bool all_are_at_the_node(void *ctx)
{
    struct hold *h = ctx;
    const json_t *app = ask(h, "GET", "/9/http/upstreams/app", NULL, NULL)->json;

    return stage_json_int(h->lb->stage, app, "peers.0.active") == h->held;
}

/* `held` requests are at server 0, which is draining. */
static struct hold *hold(struct stage *s, unsigned workers, unsigned held)
{
    struct hold *h = stage_alloc(s, sizeof *h);
    uint16_t port = stage_port(s);
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", port), stage_text(s, "127.0.0.1:%u down", stage_port(s)),
                                 NULL};
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, /* the stage tries it, and must get an answer */
        {.name = "app", .peers = peers},
        {.name = NULL},
    };
    const char request[] = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";

    h->node = listen_at(port);
    h->lb = stage_nginx_start(s, "lb",
                              &(struct stage_nginx_conf){.upstreams = upstreams,
                                                         .workers = workers,
                                                         .http_extra = "add_header X-Pid $pid always;",
                                                         .server_extra = "location /connections { stub_status; }"});
    for (h->held = 0; h->held < held; h->held++) {
        h->client[h->held] = dial(h->lb->port);
        assert_int_equal(send(h->client[h->held], request, strlen(request), MSG_NOSIGNAL), strlen(request));
    }
    stage_wait_until(s, all_are_at_the_node, h, WAIT_MS, "all requests to be at the node");
    patch(h, "{\"drain\":true}");
    return h;
}

static void release(struct hold *h)
{
    while (h->held > 0)
        close(h->client[--h->held]);
}

static void send_wait(int fd, unsigned wait_s)
{
    char request[256];

    (void)snprintf(request, sizeof request,
                   "GET /api/9/http/upstreams/app/servers/0 HTTP/1.1\r\nHost: a\r\nPrefer: wait=%u\r\n\r\n", wait_s);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
}

static bool has_answer(int fd, int limit_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, limit_ms) == 1;
}

/* The answer of one who waited. */
static void want_answer(struct hold *h, int fd, uint32_t limit_ms, const char *applied, const char *rollout)
{
    char text[4096];

    (void)stage_raw_read(h->lb->stage, fd, limit_ms, text, sizeof text);
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || strstr(text, rollout) == NULL || strstr(text, applied) == NULL)
        stage_fail(h->lb->stage, "want %s and %s, got %s", applied, rollout, text);
}

#define QUIET   "\"rollout\":{\"active\":0,\"quiet\":true,\"state\":\"draining\"}}"
#define HELD_1  "\"rollout\":{\"active\":1,\"quiet\":false,\"state\":\"draining\"}}"
#define WAIT_60 "Preference-Applied: wait=60\r\n"

/* ---- when the answer comes */

static void the_answer_comes_when_the_last_request_has_gone(struct stage *s)
{
    struct hold *h = hold(s, 2, 3);
    int fd = dial(h->lb->api_port);

    for (int round = 0; round < 2; round++) {
        send_wait(fd, 90);
        close(h->client[--h->held]);
        assert_false(has_answer(fd, 300)); /* nothing to wait for: it must not come */
        if (round == 0) {
            patch(h, "{\"down\":true}");
            continue;
        }
    }
    release(h);
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, QUIET);
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, QUIET); /* the second one, sent along */
    send_wait(fd, 60);
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, QUIET); /* its connection goes on */
    close(fd);
    close(h->node);
}

static void the_answer_comes_at_once_where_there_is_nothing_to_wait_for(struct stage *s)
{
    static const struct {
        const char *body, *prefer;
        bool quiet;
    } rows[] = {
        {"{\"down\":false}", "Prefer: wait=60", false},
        {"{\"drain\":true}", "Prefer: respond-async, wait=60", true},
        {"{\"down\":true}", "prefer: Wait=\"60\"; x", true},
    };
    struct hold *h = hold(s, 2, 0);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t from_ms = stage_now_ms();

        patch(h, rows[i].body);
        struct stage_answer *a = ask(h, "GET", "/9/http/upstreams/app/servers/0", rows[i].prefer, NULL);
        assert_int_equal(a->status, 200);
        assert_string_equal(stage_header(s, a, "Preference-Applied"), "wait=60");
        assert_int_equal(stage_json_int(s, a->json, "rollout.active"), 0);
        assert_int_equal(stage_json_bool(s, a->json, "rollout.quiet"), rows[i].quiet);
        assert_int_equal(stage_json_int(s, a->json, "weight"), 1);
        assert_true(stage_now_ms() - from_ms < stage_limit_ms(s, AT_ONCE_MS));
    }
}

static void without_the_preference_the_answer_is_as_ever(struct stage *s)
{
    static const char *const headers[] = {NULL, "Prefer: respond-async", "Prefer: wait=soon", "Prefer: waiting=3"};
    struct hold *h = hold(s, 2, 1);

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct stage_answer *a = ask(h, "GET", "/9/http/upstreams/app/servers/0", headers[i], NULL);

        assert_null(stage_json_find(a->json, "rollout"));
        assert_null(stage_header(s, a, "Preference-Applied"));
    }
    assert_null(stage_header(s, ask(h, "GET", "/9/http/upstreams/app", "Prefer: wait=9", NULL), "Preference-Applied"));
    release(h);
    close(h->node);
}

static void the_answer_comes_when_the_time_is_over(struct stage *s)
{
    struct hold *h = hold(s, 2, 1);
    int fd = dial(h->lb->api_port);
    uint64_t from_ms = stage_now_ms();

    send_wait(fd, 1);
    want_answer(h, fd, WAIT_MS, "Preference-Applied: wait=1\r\n", HELD_1);
    assert_in_range(stage_now_ms() - from_ms, 1000, 1000 + stage_limit_ms(s, AT_ONCE_MS));
    send_wait(fd, 0);
    want_answer(h, fd, AT_ONCE_MS, "Preference-Applied: wait=0\r\n", HELD_1);
    release(h);
    close(fd);
    close(h->node);
}

static void the_answer_comes_when_the_server_is_put_back(struct stage *s)
{
    struct hold *h = hold(s, 2, 1);
    int fd = dial(h->lb->api_port);

    send_wait(fd, 60);
    assert_false(has_answer(fd, 100));
    patch(h, "{\"down\":false}");
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, HELD_1);
    release(h);
    close(fd);
    close(h->node);
}

/* ---- reloads, killed workers */

static void a_reload_answers_at_once_and_old_workers_still_count(struct stage *s)
{
    struct hold *h = hold(s, 2, 1);
    int fd = dial(h->lb->api_port);

    send_wait(fd, 60);
    assert_false(has_answer(fd, 100));
    stage_nginx_reload(h->lb);
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, HELD_1);
    close(fd);
    fd = dial(h->lb->api_port); /* asks again, a new worker: the request is at an old one */
    send_wait(fd, 60);
    assert_false(has_answer(fd, 100));
    release(h);
    want_answer(h, fd, AT_ONCE_MS, WAIT_60, QUIET);
    close(fd);
    close(h->node);
}

static long pid_of(struct hold *h, int fd)
{
    char text[4096];

    send_wait(fd, 0);
    (void)stage_raw_read(h->lb->stage, fd, WAIT_MS, text, sizeof text);
    const char *at = strstr(text, "X-Pid: ");
    return at != NULL ? strtol(at + strlen("X-Pid: "), NULL, 10) : 0;
}

static void what_killed_workers_held_is_not_waited_for(struct stage *s)
{
    struct hold *h = hold(s, 3, HELD);
    int fd = dial(h->lb->api_port);
    long own = pid_of(h, fd);
    pid_t workers[16];
    unsigned n = stage_nginx_workers(h->lb, workers, 16);

    send_wait(fd, 60);
    assert_false(has_answer(fd, 100));
    for (unsigned i = 0; i < n && i < 16; i++)
        if (workers[i] != own)
            assert_int_equal(kill(workers[i], SIGKILL), 0);
    release(h);
    want_answer(h, fd, WAIT_MS, WAIT_60, QUIET);
    close(fd);
    close(h->node);
}

/* ---- many */

static bool few_connections_are_open(void *ctx)
{
    struct hold *h = ctx;
    struct stage_answer *a =
        stage_http(h->lb->stage, "GET", stage_text(h->lb->stage, "%s/connections", h->lb->url), NULL, NULL);

    return a->status == 200 && atoi(a->body + strlen("Active connections: ")) <= (int)h->held + 1;
}

static bool one_worker_is_there(void *ctx)
{
    struct hold *h = ctx;

    return stage_nginx_workers(h->lb, NULL, 0) == 1;
}

static void files_allow(rlim_t n)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < n ? limit.rlim_max : n;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_client_that_goes_away_leaves_nothing_behind(struct stage *s)
{
    struct hold *h = hold(s, 1, 1);

    for (int round = 0; round < 3; round++) {
        int fd[100];

        for (int i = 0; i < 100; i++)
            send_wait(fd[i] = dial(h->lb->api_port), 60);
        assert_false(has_answer(fd[99], 100));
        for (int i = 0; i < 100; i++) { /* in its first round with a reset */
            if (round == 0)
                (void)setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
            close(fd[i]);
        }
        stage_wait_until(s, few_connections_are_open, h, WAIT_MS, "nginx to let go of clients that have gone");
    }
    for (int i = 0; i < 100; i++) { /* gone before nginx looks */
        int fd = dial(h->lb->api_port);

        send_wait(fd, 60);
        close(fd);
    }
    stage_wait_until(s, few_connections_are_open, h, WAIT_MS, "nginx to let go of clients that have gone at once");
    release(h);
    stage_nginx_reload(h->lb);
    stage_wait_until(s, one_worker_is_there, h, WAIT_MS, "the old worker to end");
    close(h->node);
}

/* CPU time of all workers so far, in ticks. */
static unsigned long cpu_ticks(struct hold *h)
{
    pid_t workers[16];
    unsigned n = stage_nginx_workers(h->lb, workers, 16);
    unsigned long sum = 0;

    for (unsigned i = 0; i < n && i < 16; i++) {
        FILE *f = fopen(stage_text(h->lb->stage, "/proc/%d/stat", workers[i]), "re");
        char text[1024] = "";
        unsigned long user = 0, system = 0;

        if (f == NULL || fgets(text, sizeof text, f) == NULL || strrchr(text, ')') == NULL)
            stage_fail(h->lb->stage, "worker %d is gone", workers[i]);
        (void)fclose(f);
        assert_int_equal(
            sscanf(strrchr(text, ')') + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system), 2);
        sum += user + system;
    }
    return sum;
}

static void a_thousand_may_wait_at_little_cost_and_all_are_answered(struct stage *s)
{
    files_allow(4096);
    struct hold *h = hold(s, 2, 1);
    int *fd = stage_alloc(s, MANY * sizeof *fd);

    for (int i = 0; i < MANY; i++)
        send_wait(fd[i] = dial(h->lb->api_port), 60);
    assert_false(has_answer(fd[MANY - 1], 500)); /* all are there */
    unsigned long before = cpu_ticks(h);
    assert_false(has_answer(fd[0], 2000)); /* the time that is measured */
    unsigned long percent = (cpu_ticks(h) - before) * 100 / (2 * (unsigned long)sysconf(_SC_CLK_TCK));
    print_message("%d waiting: %lu %% of a core\n", MANY, percent);
    if (!s->asan)
        assert_true(percent <= 5);

    release(h);
    for (int i = 0; i < MANY; i++)
        want_answer(h, fd[i], WAIT_MS, WAIT_60, QUIET);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    stage_wait_until(s, few_connections_are_open, h, WAIT_MS, "all connections to be closed");
    close(h->node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_answer_comes_when_the_last_request_has_gone),
        stage_test(the_answer_comes_at_once_where_there_is_nothing_to_wait_for),
        stage_test(without_the_preference_the_answer_is_as_ever),
        stage_test(the_answer_comes_when_the_time_is_over),
        stage_test(the_answer_comes_when_the_server_is_put_back),
        stage_test(a_reload_answers_at_once_and_old_workers_still_count),
        stage_test(what_killed_workers_held_is_not_waited_for),
        stage_test(a_client_that_goes_away_leaves_nothing_behind),
        stage_test(a_thousand_may_wait_at_little_cost_and_all_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
