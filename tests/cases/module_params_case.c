/* module_params_case.c - a PATCH of weight, max_conns, max_fails and fail_timeout: what it does to real traffic, in
 * every worker, over reloads, and which values are refused. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS 8000
#define WORKERS 3
#define SERVER  "/9/http/upstreams/app/servers/0"

/* Two nodes, each an nginx of its own that answers with its name, and a load balancer over them. */
struct pair {
    struct stage *stage;
    struct stage_nginx *node[2], *lb;
    const char *peers[3];
    struct stage_upstream upstreams[2];
    struct stage_nginx_conf conf;
};

static const char *node_start(struct stage *s, const char *name, struct stage_nginx **node)
{
    uint16_t port = stage_port(s);

    *node = stage_nginx_start(
        s, stage_text(s, "node-%s", name),
        &(struct stage_nginx_conf){
            .no_module = true,
            .workers = 1,
            .http_extra = stage_text(s, "server { listen 127.0.0.1:%u; location / { return 200 %s; } }", port, name)});
    return stage_text(s, "127.0.0.1:%u max_fails=0", port);
}

static void lb_start(struct pair *p, const char *name, const char *balancer)
{
    p->upstreams[0].extra = balancer;
    p->lb = stage_nginx_start(p->stage, name, &p->conf);
}

static struct pair *nodes_start(struct stage *s)
{
    struct pair *p = stage_alloc(s, sizeof *p);

    p->stage = s;
    p->peers[0] = node_start(s, "a", &p->node[0]);
    p->peers[1] = node_start(s, "b", &p->node[1]);
    p->upstreams[0] = (struct stage_upstream){.name = "app", .peers = p->peers};
    p->conf = (struct stage_nginx_conf){
        .upstreams = p->upstreams,
        .workers = WORKERS,
        .server_extra = "add_header X-Pid $pid always; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;"};
    return p;
}

static struct pair *pair_start(struct stage *s, const char *balancer)
{
    struct pair *p = nodes_start(s);

    lb_start(p, "lb", balancer);
    return p;
}

static struct stage_answer *ask(struct stage_nginx *n, const char *method, const char *path, const char *body)
{
    return stage_http(n->stage, method, stage_text(n->stage, "%s%s", n->api, path), NULL, body);
}

static const json_t *patch(struct stage_nginx *n, unsigned id, const char *body)
{
    struct stage_answer *a = ask(n, "PATCH", stage_text(n->stage, "/9/http/upstreams/app/servers/%u", id), body);

    if (a->status != 200)
        stage_fail(n->stage, "PATCH %s: %d %s%s", body, a->status, a->error, a->body);
    return a->json;
}

static const char *state_of(struct stage_nginx *n, unsigned id)
{
    const json_t *app = ask(n, "GET", "/9/http/upstreams/app", NULL)->json;

    return stage_json_string(n->stage, app, stage_text(n->stage, "peers.%u.state", id));
}

/* ---- a connection to each worker */

struct lanes {
    struct pair *pair;
    int fd[WORKERS];
    unsigned n;
    unsigned asked;    /* requests so far: each has a key and a client address of its own */
    char answer[4096]; /* the latest */
};

static const char *lane_ask(struct lanes *l, int fd)
{
    struct stage *s = l->pair->stage;
    char request[128];

    l->asked++;
    (void)snprintf(request, sizeof request, "GET /?k=%u HTTP/1.1\r\nHost: a\r\nX-Real-IP: 10.%u.%u.1\r\n\r\n", l->asked,
                   l->asked / 256, l->asked % 256);
    stage_raw_send(s, fd, request);
    return stage_raw_read(s, fd, WAIT_MS, l->answer, sizeof l->answer);
}

static long pid_of(struct stage *s, const char *answer)
{
    const char *at = strstr(answer, "X-Pid: ");

    if (at == NULL)
        stage_fail(s, "no X-Pid in %s", answer);
    return strtol(at + strlen("X-Pid: "), NULL, 10);
}

static struct lanes *lanes_open(struct pair *p)
{
    struct lanes *l = stage_alloc(p->stage, sizeof *l);
    long seen[WORKERS] = {0};

    l->pair = p;
    for (int i = 0; i < 500 && l->n < WORKERS; i++) {
        int fd = stage_raw_open(p->stage, p->lb->port);
        long pid = pid_of(p->stage, lane_ask(l, fd));
        bool known = false;

        for (unsigned k = 0; k < l->n; k++)
            known = known || seen[k] == pid;
        if (known)
            continue;
        seen[l->n] = pid;
        l->fd[l->n++] = fd;
    }
    if (l->n != WORKERS)
        stage_fail(p->stage, "only %u workers took a connection", l->n);
    return l;
}

/* How many of `times` requests of one worker were answered by node a. */
static int share_of_a(struct lanes *l, unsigned lane, int times)
{
    int a = 0;

    l->asked = 0;
    for (int i = 0; i < times; i++) {
        const char *answer = lane_ask(l, l->fd[lane]);
        size_t size = strlen(answer);

        if (size == 0 || strncmp(answer, "HTTP/1.1 200", 12) != 0)
            stage_fail(l->pair->stage, "answer: %s", answer);
        a += answer[size - 1] == 'a';
    }
    return a;
}

#define ASKED 200

static void want_share(struct lanes *l, const char *balancer, int percent, int off)
{
    for (unsigned lane = 0; lane < l->n; lane++) {
        int a = share_of_a(l, lane, ASKED) * 100 / ASKED;

        if (abs(a - percent) > off)
            stage_fail(l->pair->stage, "\"%s\", worker %u: node a answered %d %%, want %d", balancer, lane, a, percent);
    }
}

/* Keys and addresses are the same in each run, so only `random` has chance in it: 5 standard deviations. `random two`
 * gives a request to the second of two it has drawn, where both are idle: of two servers, to the lighter one. */
static void a_new_weight_is_obeyed_by_every_worker_whatever_the_balancer(struct stage *s)
{
    static const struct {
        const char *balancer;
        int heavy, off;
    } rows[] = {{"", 75, 1},         {"least_conn;", 75, 1}, {"ip_hash;", 75, 7}, {"hash $arg_k;", 75, 7},
                {"random;", 75, 18}, {"random two;", 25, 18}};
    struct pair *p = nodes_start(s);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lb_start(p, stage_text(s, "lb%zu", i), rows[i].balancer);
        struct lanes *l = lanes_open(p);

        want_share(l, rows[i].balancer, 50, rows[i].off);
        assert_int_equal(stage_json_int(s, patch(p->lb, 0, "{\"weight\":6}"), "weight"), 6);
        (void)patch(p->lb, 1, "{\"weight\":2}");
        want_share(l, rows[i].balancer, rows[i].heavy, rows[i].off);
        (void)patch(p->lb, 0, "{\"weight\":2}");
        want_share(l, rows[i].balancer, 50, rows[i].off);
        stage_nginx_stop(p->lb, SIGTERM);
    }
}

/* Turns saved up under a weight of 1000 are not taken later. */
static void a_new_weight_counts_from_the_next_request(struct stage *s)
{
    struct pair *p = pair_start(s, NULL);
    struct lanes *l = lanes_open(p);

    for (int round = 0; round < 2; round++) {
        (void)patch(p->lb, 0, "{\"weight\":1000}");
        assert_true(share_of_a(l, 0, 300) >= 299);
        (void)patch(p->lb, 0, "{\"weight\":1}");
        assert_int_equal(share_of_a(l, 1, 20), 10);
    }
}

static void a_consistent_hash_says_why_it_takes_no_other_weight(struct stage *s)
{
    struct pair *p = pair_start(s, "hash $arg_k consistent;");
    struct stage_answer *a = ask(p->lb, "PATCH", SERVER, "{\"down\":true,\"max_conns\":7,\"weight\":2}");

    assert_int_equal(a->status, 400);
    assert_string_equal(stage_json_string(s, a->json, "error.code"), "UpstreamServerWeightImmutable");
    assert_non_null(strstr(stage_json_string(s, a->json, "error.text"), "consistent"));
    a = ask(p->lb, "GET", SERVER, NULL);
    assert_false(stage_json_bool(s, a->json, "down"));
    assert_int_equal(stage_json_int(s, a->json, "max_conns"), 0);
    assert_int_equal(stage_json_int(s, patch(p->lb, 0, "{\"weight\":1,\"max_conns\":7}"), "max_conns"), 7);

    /* the file may; what was asked for while another balancer was there is over */
    lb_start(p, "lb2", "least_conn;");
    (void)patch(p->lb, 0, "{\"weight\":9}");
    p->upstreams[0].extra = "hash $arg_k consistent;";
    stage_nginx_write(p->lb, &p->conf);
    stage_nginx_reload(p->lb);
    assert_int_equal(stage_json_int(s, ask(p->lb, "GET", SERVER, NULL)->json, "weight"), 1);
}

/* ---- max_fails and fail_timeout */

static int count_failures(struct pair *p, int times)
{
    int failed = 0;

    for (int i = 0; i < times; i++)
        failed += stage_http(p->stage, "GET", p->lb->url, NULL, NULL)->status != 200;
    return failed;
}

static bool is_up(void *ctx)
{
    struct pair *p = ctx;

    return strcmp(state_of(p->lb, 1), "up") == 0;
}

static void a_dead_server_is_given_up_as_max_fails_and_fail_timeout_say(struct stage *s)
{
    struct pair *p = pair_start(s, NULL);

    stage_nginx_stop(p->node[1], SIGTERM);
    assert_int_equal(count_failures(p, 10), 5); /* never given up: max_fails=0 in the file */
    (void)patch(p->lb, 1, "{\"max_fails\":2,\"fail_timeout\":\"1h\"}");
    assert_string_equal(state_of(p->lb, 1), "unavail");
    assert_int_equal(count_failures(p, 20), 0);
    (void)patch(p->lb, 1, "{\"max_fails\":0}");
    assert_string_equal(state_of(p->lb, 1), "up");
    assert_true(count_failures(p, 10) >= 4);
    (void)patch(p->lb, 1, "{\"max_fails\":1,\"fail_timeout\":\"1s\"}");
    stage_wait_until(s, is_up, p, WAIT_MS, "node b to be tried again after 1 s");
    assert_int_equal(count_failures(p, 10), 1);
}

/* ---- max_conns: a node that takes connections and never answers */

static int listen_at(uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

struct held {
    struct stage_nginx *lb;
    json_int_t want;
};

static bool active_is(void *ctx)
{
    struct held *h = ctx;
    const json_t *app = ask(h->lb, "GET", "/9/http/upstreams/app", NULL)->json;

    return stage_json_int(h->lb->stage, app, "peers.0.active") == h->want;
}

static void one_more_is_held(struct held *h)
{
    stage_raw_send(h->lb->stage, stage_raw_open(h->lb->stage, h->lb->port), "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n");
    h->want++;
    stage_wait_until(h->lb->stage, active_is, h, WAIT_MS, "one more request at the node");
}

static void max_conns_is_the_most_that_a_server_holds(struct stage *s)
{
    uint16_t port = stage_port(s);
    int node = listen_at(port);
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", port), NULL};
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, {.name = "app", .peers = peers}, {.name = NULL}};
    struct held h = {
        .lb = stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .workers = WORKERS})};

    one_more_is_held(&h);
    for (int limit = 1; limit <= 4; limit++) {
        (void)patch(h.lb, 0, stage_text(s, "{\"max_conns\":%d}", limit));
        while (h.want < limit)
            one_more_is_held(&h);
        for (int i = 0; i < 4; i++)
            assert_int_equal(stage_http(s, "GET", stage_text(s, "%s/app/", h.lb->url), NULL, NULL)->status, 502);
    }
    (void)patch(h.lb, 0, "{\"max_conns\":0}");
    one_more_is_held(&h);
    close(node);
}

/* ---- reloads and the file */

static void want_server(struct stage_nginx *n, int weight, int max_conns, int max_fails, const char *fail_timeout)
{
    struct stage *s = n->stage;
    const json_t *server = ask(n, "GET", SERVER, NULL)->json;

    assert_int_equal(stage_json_int(s, server, "weight"), weight);
    assert_int_equal(stage_json_int(s, server, "max_conns"), max_conns);
    assert_int_equal(stage_json_int(s, server, "max_fails"), max_fails);
    assert_string_equal(stage_json_string(s, server, "fail_timeout"), fail_timeout);
}

static void edit(struct pair *p, const char *parameters)
{
    const char *end = strchr(p->peers[0], ' ');

    p->peers[0] = stage_text(p->stage, "%.*s %s", (int)(end - p->peers[0]), p->peers[0], parameters);
    stage_nginx_write(p->lb, &p->conf);
    stage_nginx_reload(p->lb);
}

static void changes_are_kept_and_the_file_decides_where_there_are_none(struct stage *s)
{
    struct pair *p = pair_start(s, NULL);

    (void)patch(p->lb, 0, "{\"weight\":3,\"max_conns\":40,\"max_fails\":5,\"fail_timeout\":\"1m 30s\"}");
    for (int i = 0; i < 2; i++) {
        stage_nginx_reload(p->lb);
        want_server(p->lb, 3, 40, 5, "90s");
        want_share(lanes_open(p), "", 75, 1);
    }
    edit(p, "weight=7 max_conns=9 max_fails=5"); /* the API's word stands against the file's ... */
    want_server(p->lb, 3, 40, 5, "90s");
    (void)patch(p->lb, 0, "{\"weight\":7,\"fail_timeout\":\"10\"}"); /* ... until it says the same */
    edit(p, "weight=5 max_conns=40 max_fails=6 fail_timeout=20s");
    want_server(p->lb, 5, 40, 6, "20s");
    edit(p, "weight=2 max_conns=1 max_fails=1 fail_timeout=3s");
    want_server(p->lb, 2, 1, 1, "3s");
    edit(p, "weight=2 max_conns=0");
    want_share(lanes_open(p), "", 67, 2);
}

/* A request keeps the oldest worker, and with it what is known of the server. */
static void a_server_that_was_gone_is_as_the_file_says(struct stage *s)
{
    struct pair *p = pair_start(s, NULL);
    const char *first = p->peers[0];
    int fd = stage_raw_open(s, p->lb->port);
    char text[4096];

    stage_raw_send(s, fd, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_non_null(strstr(stage_raw_read(s, fd, WAIT_MS, text, sizeof text), " 100 "));
    (void)patch(p->lb, 0, "{\"weight\":3,\"max_conns\":40}");
    p->peers[0] = p->peers[1];
    stage_nginx_write(p->lb, &p->conf);
    stage_nginx_reload(p->lb);
    want_server(p->lb, 1, 0, 0, "10s"); /* the other one's */
    p->peers[0] = first;
    stage_nginx_write(p->lb, &p->conf);
    stage_nginx_reload(p->lb);
    want_server(p->lb, 1, 0, 0, "10s");
    assert_true(stage_nginx_workers(p->lb, NULL, 0) > WORKERS);
    stage_raw_send(s, fd, "x");
    assert_non_null(strstr(stage_raw_read(s, fd, WAIT_MS, text, sizeof text), " 200 "));
}

static void no_worker_of_any_generation_is_behind_during_reloads(struct stage *s)
{
    struct pair *p = pair_start(s, "random;");
    uint64_t until_ms = stage_now_ms() + 3000, reload_ms = 0;

    for (int i = 1; stage_now_ms() < until_ms; i++) {
        if (stage_now_ms() >= reload_ms) {
            assert_int_equal(kill(p->lb->proc->pid, SIGHUP), 0);
            reload_ms = stage_now_ms() + 500;
        }
        (void)patch(
            p->lb, 0,
            stage_text(s, "{\"weight\":%d,\"max_conns\":%d,\"max_fails\":%d,\"fail_timeout\":\"%d\"}", i, i, i, i));
        for (int k = 0; k < 4; k++) {
            want_server(p->lb, i, i, i, stage_text(s, "%ds", i));
            assert_int_equal(stage_http(s, "GET", p->lb->url, NULL, NULL)->status, 200);
        }
    }
}

/* ---- values */

static void a_value_out_of_bounds_is_refused_by_its_name_and_changes_nothing(struct stage *s)
{
    static const char format[] = "UpstreamConfFormatError", weight[] = "UpstreamBadWeight",
                      conns[] = "UpstreamBadMaxConns", fails[] = "UpstreamBadMaxFails",
                      timeout[] = "UpstreamBadFailTimeout";
    static const struct {
        const char *member, *code;
    } rows[] = {
        {"\"weight\":0", weight},
        {"\"weight\":2147483648", weight},
        {"\"weight\":9223372036854775808", weight},
        {"\"weight\":-1", weight},
        {"\"weight\":1.0", format},
        {"\"weight\":1e0", format},
        {"\"weight\":\"2\"", format},
        {"\"weight\":true", format},
        {"\"weight\":null", format},
        {"\"max_conns\":-1", conns},
        {"\"max_conns\":0.5", format},
        {"\"max_conns\":1E3", format},
        {"\"max_conns\":99999999999999999999", conns},
        {"\"max_conns\":\"1\"", format},
        {"\"max_fails\":-0", fails},
        {"\"max_fails\":9223372036854775808", fails},
        {"\"max_fails\":false", format},
        {"\"fail_timeout\":10", format},
        {"\"fail_timeout\":null", format},
        {"\"fail_timeout\":\"\"", timeout},
        {"\"fail_timeout\":\"-1s\"", timeout},
        {"\"fail_timeout\":\"1.5s\"", timeout},
        {"\"fail_timeout\":\"10ms\"", timeout},
        {"\"fail_timeout\":\"10 bananas\"", timeout},
        {"\"fail_timeout\":\"2147483648s\"", timeout},
        {"\"fail_timeout\":\"9223372036854775808\"", timeout},
        {"\"fail_timeout\":\"9223372036854775807y\"", timeout},
        {"\"fail_timeout\":\"1\\u0000\"", timeout},
    };
    struct pair *p = pair_start(s, NULL);
    const char *before = ask(p->lb, "GET", SERVER, NULL)->body;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = ask(p->lb, "PATCH", SERVER, stage_text(s, "{\"down\":true,%s}", rows[i].member));
        if (a->status != 400 || strcmp(stage_json_string(s, a->json, "error.code"), rows[i].code) != 0)
            stage_fail(s, "%s: %d %s", rows[i].member, a->status, a->body);
        assert_non_null(strstr(stage_json_string(s, a->json, "error.text"), "it takes"));
        assert_string_equal(ask(p->lb, "GET", SERVER, NULL)->body, before);
    }
}

static void a_value_at_its_bound_is_taken(struct stage *s)
{
    static const struct {
        const char *body, *member;
        json_int_t number;
        const char *text;
    } rows[] = {
        {"{\"weight\":2147483647}", "weight", 2147483647, NULL},
        {"{\"weight\":1}", "weight", 1, NULL},
        {"{\"max_conns\":9223372036854775807}", "max_conns", 9223372036854775807, NULL},
        {"{\"max_conns\":0}", "max_conns", 0, NULL},
        {"{\"max_fails\":9223372036854775807}", "max_fails", 9223372036854775807, NULL},
        {"{\"fail_timeout\":\"0\"}", "fail_timeout", 0, "0s"},
        {"{\"fail_timeout\":\"15\"}", "fail_timeout", 0, "15s"},
        {"{\"fail_timeout\":\"1h 1m\"}", "fail_timeout", 0, "3660s"},
        {"{\"fail_timeout\":\"2147483647s\"}", "fail_timeout", 0, "2147483647s"},
    };
    struct pair *p = pair_start(s, "least_conn;");

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *server = patch(p->lb, 0, rows[i].body);

        if (rows[i].text != NULL)
            assert_string_equal(stage_json_string(s, server, rows[i].member), rows[i].text);
        else
            assert_int_equal(stage_json_int(s, server, rows[i].member), rows[i].number);
        for (int k = 0; k < 4; k++)
            assert_int_equal(stage_http(s, "GET", p->lb->url, NULL, NULL)->status, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_new_weight_is_obeyed_by_every_worker_whatever_the_balancer),
        stage_test(a_new_weight_counts_from_the_next_request),
        stage_test(a_consistent_hash_says_why_it_takes_no_other_weight),
        stage_test(a_dead_server_is_given_up_as_max_fails_and_fail_timeout_say),
        stage_test(max_conns_is_the_most_that_a_server_holds),
        stage_test(changes_are_kept_and_the_file_decides_where_there_are_none),
        stage_test(a_server_that_was_gone_is_as_the_file_says),
        stage_test(no_worker_of_any_generation_is_behind_during_reloads),
        stage_test(a_value_out_of_bounds_is_refused_by_its_name_and_changes_nothing),
        stage_test(a_value_at_its_bound_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
