/* module_counts_case.c - what a peer's counts say is what the peer itself has seen.
 *
 * The backends are nginx servers whose access log is the other side's own account: a line a request, with its status,
 * its bytes and those of its answer. Or a socket of the test's, where what a peer does is out of the ordinary. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/load.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define WAIT_MS 8000
#define NODES   2

/* ---- what the load balancer says */

static const json_t *look(struct stage_nginx *lb, unsigned version, const char *upstream)
{
    struct stage_answer *a = stage_http(
        lb->stage, "GET", stage_text(lb->stage, "%s/%u/http/upstreams/%s", lb->api, version, upstream), NULL, NULL);

    if (a->status != 200)
        stage_fail(lb->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return a->json;
}

static json_int_t number(struct stage_nginx *lb, const char *upstream, unsigned id, const char *member)
{
    return stage_json_int(lb->stage, look(lb, 9, upstream), stage_text(lb->stage, "peers.%u.%s", id, member));
}

static void want(struct stage_nginx *lb, const char *upstream, unsigned id, const char *member, json_int_t value)
{
    json_int_t have = number(lb, upstream, id, member);

    if (have != value)
        stage_fail(lb->stage, "%s.%u.%s is %lld, and should be %lld", upstream, id, member, (long long)have,
                   (long long)value);
}

struct quiet {
    struct stage_nginx *lb;
    const char *upstream;
};

static bool is_quiet(void *ctx)
{
    const struct quiet *q = ctx;
    const json_t *json = look(q->lb, 9, q->upstream), *peers = stage_json(q->lb->stage, json, "peers");
    json_int_t active = 0;

    for (size_t i = 0; i < json_array_size(peers); i++)
        active += stage_json_int(q->lb->stage, json, stage_text(q->lb->stage, "peers.%zu.active", i));
    return active == 0;
}

static void wait_quiet(struct stage_nginx *lb, const char *upstream)
{
    struct quiet q = {lb, upstream};

    stage_wait_until(lb->stage, is_quiet, &q, WAIT_MS, "all requests to have ended");
}

/* ---- what the nodes say */

struct seen {
    json_int_t requests, total, classes[6], sent, received;
    json_int_t codes[600];
};

struct nodes {
    struct stage *stage;
    uint16_t port[NODES];
    const char *peers[NODES + 1];
};

static struct nodes *start_nodes(struct stage *s)
{
    struct nodes *n = stage_alloc(s, sizeof *n);
    uint16_t sink = stage_port(s);
    const char *servers = stage_text(s,
                                     "log_format seen '$status $request_length $bytes_sent';\n"
                                     "server { listen 127.0.0.1:%u; location / { return 200 taken; } }\n",
                                     sink);
    char *body = stage_alloc(s, 30001);

    memset(body, 'b', 30000);
    n->stage = s;
    for (int i = 0; i < NODES; i++) {
        n->port[i] = stage_port(s);
        n->peers[i] = stage_text(s, "127.0.0.1:%u max_fails=0", n->port[i]);
        (void)stage_mkdir(s, "www");
        servers =
            stage_text(s,
                       "%sserver { listen 127.0.0.1:%u; access_log %s/node%d.log seen; root %s/www;\n"
                       "location / { return 200 hello; } location /file { }\n"
                       "location /take { proxy_pass http://127.0.0.1:%u/; }\n" /* that reads a body first */
                       "location /204 { return 204; } location /302 { return 302 /x; }\n"
                       "location /404 { return 404; } location /503 { return 503; } location /500 { return 500; } "
                       "location /accel { add_header X-Accel-Redirect /again/; return 200; }\n}\n",
                       servers, n->port[i], s->dir, i, s->dir, sink);
    }
    (void)stage_write(s, "www/file", body);
    (void)stage_nginx_start(s, "nodes", &(struct stage_nginx_conf){.no_module = true, .http_extra = servers});
    return n;
}

static struct seen read_seen(struct nodes *n, int node)
{
    const char *text = stage_read(n->stage, stage_text(n->stage, "%s/node%d.log", n->stage->dir, node));
    struct seen seen = {0};
    int status, used;
    long long in, out;

    for (; sscanf(text, "%d %lld %lld\n%n", &status, &in, &out, &used) == 3; text += used) {
        seen.requests++;
        seen.sent += in;
        seen.received += out;
        if (status < 100 || status > 598) /* 499: it was left alone, and answered nothing */
            stage_fail(n->stage, "a node logged status %d", status);
        if (status == 499)
            continue;
        seen.total++;
        seen.classes[status / 100]++;
        seen.codes[status]++;
    }
    return seen;
}

/* nginx logs an answer after the client has it. */
struct logged {
    struct nodes *nodes;
    json_int_t wanted;
};

static bool is_logged(void *ctx)
{
    struct logged *l = ctx;
    json_int_t have = 0;

    for (int i = 0; i < NODES; i++)
        have += read_seen(l->nodes, i).requests;
    return have >= l->wanted;
}

static void want_as_seen(struct stage_nginx *lb, struct nodes *n, json_int_t requests)
{
    static const char *const classes[] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};
    struct logged l = {n, requests};

    wait_quiet(lb, "app");
    stage_wait_until(lb->stage, is_logged, &l, WAIT_MS, "the nodes to have logged all requests");
    for (unsigned i = 0; i < NODES; i++) {
        struct seen seen = read_seen(n, (int)i);

        want(lb, "app", i, "requests", seen.requests);
        want(lb, "app", i, "responses.total", seen.total);
        for (int c = 1; c <= 5; c++)
            want(lb, "app", i, stage_text(lb->stage, "responses.%s", classes[c]), seen.classes[c]);
        for (int code = 0; code < 600; code++)
            if (seen.codes[code] != 0)
                want(lb, "app", i, stage_text(lb->stage, "responses.codes.%d", code), seen.codes[code]);
        want(lb, "app", i, "sent", seen.sent);
        want(lb, "app", i, "received", seen.received);
    }
}

static struct stage_nginx *start_lb(struct stage *s, const char *const *peers, const char *extra,
                                    const char *server_extra)
{
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers, .extra = extra}, {.name = NULL}};

    return stage_nginx_start(
        s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .workers = 3, .server_extra = server_extra});
}

static int ask(struct stage_nginx *lb, const char *method, const char *path, const char *body)
{
    return stage_http(lb->stage, method, stage_text(lb->stage, "%s%s", lb->url, path), NULL, body)->status;
}

static void counts_are_what_the_backends_have_logged(struct stage *s)
{
    static const struct {
        const char *method, *path;
        int status;
    } kinds[] = {
        {"GET", "/", 200},         {"GET", "/404", 404},         {"GET", "/503", 503},    {"GET", "/204", 204},
        {"GET", "/file", 200},     {"GET", "/500", 500},         {"HEAD", "/file", 200},  {"POST", "/take", 200},
        {"GET", "/302", 302},      {"GET", "/stream/file", 200}, {"DELETE", "/404", 404}, {"GET", "/old/file", 200},
        {"GET", "/mirrored", 200}, {"GET", "/guarded", 200},     {"GET", "/accel", 200},
    };
    struct nodes *n = start_nodes(s);
    struct stage_nginx *lb = start_lb(
        s, n->peers, NULL,
        "location /stream/ { proxy_buffering off; proxy_pass http://app/; }\n"
        "location /old/ { proxy_http_version 1.0; proxy_set_header Connection close; proxy_pass http://app/; }\n"
        "location /mirrored { mirror /copy; proxy_pass http://app; } location = /copy { internal; proxy_pass "
        "http://app; }\n"
        "location /guarded { auth_request /204; proxy_pass http://app; }\n"
        "location /again/ { internal; proxy_pass http://app; }\n");
    char *body = stage_alloc(s, 40001);
    json_int_t first = number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests"), sent = first;

    memset(body, 'p', 40000);
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            int status = ask(lb, kinds[i].method, kinds[i].path, strcmp(kinds[i].method, "POST") == 0 ? body : NULL);

            if (status != kinds[i].status)
                stage_fail(s, "%s %s: %d", kinds[i].method, kinds[i].path, status);
        }
        sent +=
            (json_int_t)(sizeof kinds / sizeof *kinds) + 3; /* the copy, the guard's question and the redirected one */
        want_as_seen(lb, n, sent);
        stage_nginx_reload(lb);
        /* the stage asked until the new workers answered */
        wait_quiet(lb, "app");
        sent = number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests");
    }
    assert_null(stage_json_find(look(lb, 6, "app"), "peers.0.responses.codes"));
    assert_non_null(stage_json_find(look(lb, 7, "app"), "peers.0.responses.codes"));
    assert_non_null(stage_json_string(s, look(lb, 9, "app"), "peers.0.selected"));
    want(lb, "app", 0, "fails", 0);
}

static void want_ok(struct stage_nginx *lb, const char *path, int times)
{
    for (int i = 0; i < times; i++) {
        int status = ask(lb, "GET", path, NULL);

        if (status != 200)
            stage_fail(lb->stage, "%s: %d", path, status);
    }
}

static void patch_down(struct stage_nginx *lb, unsigned id)
{
    const char *url = stage_text(lb->stage, "%s/9/http/upstreams/app/servers/%u", lb->api, id);

    assert_int_equal(stage_http(lb->stage, "PATCH", url, NULL, "{\"down\":true}")->status, 200);
}

static void each_try_of_a_retried_request_counts_where_it_was_made(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    const char *const peers[] = {n->peers[0], n->peers[1],
                                 stage_text(s, "127.0.0.1:%u max_fails=0", stage_port(s)), /* nobody is there */
                                 NULL};
    struct stage_nginx *lb = start_lb(s, peers, NULL, "proxy_next_upstream error http_404 http_503;");
    json_int_t first = number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests");
    json_int_t failed;

    want_ok(lb, "/", 30);
    want_as_seen(lb, n, first + 30);
    failed = number(lb, "app", 2, "fails");
    assert_true(failed >= 10);
    want(lb, "app", 2, "requests", failed);
    want(lb, "app", 2, "responses.total", 0);
    want(lb, "app", 2, "sent", 0);
    want(lb, "app", 0, "fails", 0);
    patch_down(lb, 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(lb, "GET", "/503", NULL), 503); /* of the second node that was asked, and passed on */
        assert_int_equal(ask(lb, "GET", "/404", NULL), 404);
    }
    want_as_seen(lb, n, first + 30 + 20);
    want(lb, "app", 0, "responses.codes.503", 5);
    want(lb, "app", 1, "responses.4xx", 5);
    assert_int_equal(number(lb, "app", 0, "fails") + number(lb, "app", 1, "fails"), 5); /* a 404 is none */
}

static void what_no_peer_was_asked_for_counts_nowhere(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = n->peers}, {.name = NULL}};
    struct stage_nginx *lb = stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .http_extra = stage_text(s, "proxy_cache_path %s/cache keys_zone=cache:1m;", s->dir),
            .server_extra =
                "location /cached { proxy_cache cache; proxy_cache_valid 200 1h; proxy_pass http://app; }"});
    json_int_t sum = number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests");

    want_ok(lb, "/cached", 1);
    wait_quiet(lb, "app"); /* by then it is in the cache */
    want_ok(lb, "/cached", 8);
    want_as_seen(lb, n, sum + 1);
    assert_int_equal(number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests"), sum + 1);
    for (unsigned i = 0; i < NODES; i++)
        patch_down(lb, i);
    assert_int_equal(ask(lb, "GET", "/", NULL), 502);
    assert_int_equal(number(lb, "app", 0, "requests") + number(lb, "app", 1, "requests"), sum + 1);
    want(lb, "app", 0, "fails", 0);
    want(lb, "app", 0, "downtime", 0); /* down because somebody said so is not a failure */
}

/* ---- a peer that is a socket of the test's */

struct odd {
    struct stage *stage;
    struct stage_nginx *lb;
    int listener;
    json_int_t requests, fails, sent, received;
};

static void close_fd(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

static int listen_at(struct stage *s, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    (void)stage_keep(s, (void *)(intptr_t)fd, close_fd);
    return fd;
}

static struct odd *start_odd(struct stage *s)
{
    struct odd *o = stage_alloc(s, sizeof *o);
    uint16_t port = stage_port(s);
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", port), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, /* the stage tries it, and must get an answer */
        {.name = "app", .peers = peers},
        {.name = NULL},
    };

    o->stage = s;
    o->listener = listen_at(s, port);
    o->lb = stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .workers = 3,
            .server_extra =
                "location /short/ { proxy_read_timeout 200ms; proxy_pass http://app/; }\n"
                "location /tunnel/ { proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
                "proxy_pass http://app/; }"});
    return o;
}

static void await(struct stage *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, WAIT_MS) != 1)
        stage_fail(s, "nothing came to the peer within %d ms", WAIT_MS);
}

/* The peer's end of the next connection, once a whole head is there. */
static int take(struct odd *o)
{
    char text[4096] = "";
    size_t size = 0;
    int fd;

    await(o->stage, o->listener);
    fd = accept(o->listener, NULL, NULL);
    assert_true(fd >= 0);
    (void)stage_keep(o->stage, (void *)(intptr_t)fd, close_fd);
    while (strstr(text, "\r\n\r\n") == NULL) {
        await(o->stage, fd);
        ssize_t n = recv(fd, text + size, sizeof text - 1 - size, 0);
        assert_true(n > 0);
        size += (size_t)n;
    }
    o->requests++;
    o->sent += (json_int_t)size;
    return fd;
}

static void say(struct odd *o, int fd, const char *bytes)
{
    stage_raw_send(o->stage, fd, bytes);
    o->received += (json_int_t)strlen(bytes);
}

static int client(struct odd *o, const char *path, const char *headers)
{
    int fd = stage_raw_open(o->stage, o->lb->port);

    stage_raw_send(o->stage, fd, stage_text(o->stage, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, headers));
    return fd;
}

static void want_odd(struct odd *o, json_int_t answers)
{
    wait_quiet(o->lb, "app");
    want(o->lb, "app", 0, "requests", o->requests);
    want(o->lb, "app", 0, "responses.total", answers);
    want(o->lb, "app", 0, "fails", o->fails);
    want(o->lb, "app", 0, "sent", o->sent);
    want(o->lb, "app", 0, "received", o->received);
}

static void hang_up(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
}

static void an_attempt_without_an_answer_is_a_request_without_a_response(struct stage *s)
{
    struct odd *o = start_odd(s);
    int peer, fd = client(o, "/app/left", "");

    (void)take(o);
    hang_up(fd); /* 499 */
    want_odd(o, 0);

    fd = client(o, "/short/slow", "");
    (void)take(o);
    assert_non_null(strstr(stage_raw_answer(s, fd, WAIT_MS), " 504 "));
    o->fails++;
    want_odd(o, 0);

    fd = client(o, "/app/half", "");
    peer = take(o);
    say(o, peer, "HTTP/1.1 200 OK\r\nX-Half: ");
    hang_up(peer);
    assert_non_null(strstr(stage_raw_answer(s, fd, WAIT_MS), " 502 "));
    o->fails++;
    want_odd(o, 0);
    assert_null(stage_json_find(look(o->lb, 9, "app"), "peers.0.header_time"));

    fd = client(o, "/app/cut", "");
    peer = take(o);
    say(o, peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    hang_up(peer);
    want_odd(o, 1); /* nginx does not take it for a failure: the head was there */
    hang_up(fd);
    assert_non_null(stage_json_find(look(o->lb, 9, "app"), "peers.0.header_time"));
    assert_null(stage_json_find(look(o->lb, 9, "app"), "peers.0.response_time"));
}

static void a_tunnel_counts_all_that_went_through_it(struct stage *s)
{
    struct odd *o = start_odd(s);
    int fd = client(o, "/tunnel/", "Connection: upgrade\r\nUpgrade: bytes\r\n"), peer = take(o);
    char bytes[16];

    say(o, peer, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\nabc");
    (void)stage_raw_answer(s, fd, WAIT_MS);
    stage_raw_send(s, fd, "12345");
    await(s, peer);
    assert_int_equal(recv(peer, bytes, sizeof bytes, 0), 5);
    o->sent += 5;
    say(o, peer, "defg");
    want(o->lb, "app", 0, "active", 1);
    hang_up(peer);
    want_odd(o, 1);
    want(o->lb, "app", 0, "responses.1xx", 1);
    want(o->lb, "app", 0, "responses.codes.101", 1);
    assert_null(stage_json_find(look(o->lb, 9, "app"), "peers.0.response_time"));
}

static void kill_workers(struct stage_nginx *lb)
{
    pid_t workers[16];
    unsigned n = stage_nginx_workers(lb, workers, 16);

    for (unsigned i = 0; i < n && i < 16; i++)
        assert_int_equal(kill(workers[i], SIGKILL), 0);
}

static void killed_workers_and_reloads_lose_no_count(struct stage *s)
{
    struct odd *o = start_odd(s);

    for (int round = 0; round < 5; round++) {
        int held[4];

        for (int i = 0; i < 4; i++) {
            int fd = client(o, "/app/", ""), peer = take(o);

            say(o, peer, "HTTP/1.1 203 So\r\nContent-Length: 2\r\n\r\nok");
            (void)stage_raw_answer(s, fd, WAIT_MS);
            hang_up(peer); /* not kept */
            hang_up(fd);
        }
        want_odd(o, 4 * (round + 1));
        for (int i = 0; i < 4; i++) {
            held[i] = client(o, "/app/", "");
            (void)take(o);
            o->sent = number(o->lb, "app", 0, "sent"); /* what they were sent dies with them */
        }
        kill_workers(o->lb);
        want_odd(o, 4 * (round + 1));
        for (int i = 0; i < 4; i++)
            hang_up(held[i]);
        stage_nginx_reload(o->lb);
        want_odd(o, 4 * (round + 1));
    }
}

static void a_peer_that_comes_back_to_the_file_starts_at_zero(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    const char *const both[] = {n->peers[1], n->peers[0], NULL}, *const one[] = {n->peers[0], NULL};
    const struct stage_upstream with[] = {{.name = "app", .peers = both}, {.name = NULL}};
    const struct stage_upstream without[] = {{.name = "app", .peers = one}, {.name = NULL}};
    struct stage_nginx_conf conf = {.upstreams = with};
    struct stage_nginx *lb = stage_nginx_start(s, "lb", &conf);
    json_int_t kept;

    /* A worker of the first configuration lives on, and with it what it may point to. */
    stage_raw_send(s, stage_raw_open(s, lb->port), "GET / HTTP/1.1\r\n");
    want_ok(lb, "/", 8);
    (void)ask(lb, "GET", "/404", NULL);
    (void)ask(lb, "GET", "/404", NULL);
    wait_quiet(lb, "app");
    assert_true(number(lb, "app", 0, "requests") >= 4);
    want(lb, "app", 0, "responses.codes.404", 1);
    conf.upstreams = without;
    stage_nginx_write(lb, &conf);
    stage_nginx_reload(lb);
    wait_quiet(lb, "app");
    kept = number(lb, "app", 0, "requests");
    assert_true(kept >= 8 / 2);
    conf.upstreams = with;
    stage_nginx_write(lb, &conf);
    stage_nginx_reload(lb);
    wait_quiet(lb, "app");
    assert_true(number(lb, "app", 0, "requests") <= 2); /* the stage has asked until it was answered */
    assert_true(number(lb, "app", 1, "requests") >= kept);
    assert_null(stage_json_find(look(lb, 9, "app"), "peers.0.responses.codes.404"));
    stage_nginx_stop(lb, SIGTERM);
    stage_nginx_again(lb);
    wait_quiet(lb, "app");
    assert_true(number(lb, "app", 1, "requests") <= 2);
}

/* ---- when nginx gives up on a peer */

struct expected {
    struct stage_nginx *lb;
    const char *state;
};

static bool state_is(void *ctx)
{
    const struct expected *e = ctx;

    return strcmp(stage_json_string(e->lb->stage, look(e->lb, 9, "app"), "peers.1.state"), e->state) == 0;
}

static void want_state(struct stage_nginx *lb, const char *state)
{
    struct expected e = {lb, state};

    stage_wait_until(lb->stage, state_is, &e, WAIT_MS, stage_text(lb->stage, "the peer to be %s", state));
}

static bool has_failed(void *ctx)
{
    const struct expected *e = ctx;

    return ask(e->lb, "GET", "/", NULL) == 200 && state_is(ctx);
}

/* Requests until nginx has given up on it, or has not. */
static void ask_until(struct stage_nginx *lb, const char *state)
{
    struct expected e = {lb, state};

    stage_wait_until(lb->stage, has_failed, &e, WAIT_MS, stage_text(lb->stage, "requests to make the peer %s", state));
}

static bool is_in_downtime(struct stage_nginx *lb)
{
    return stage_json_find(look(lb, 9, "app"), "peers.1.downstart") != NULL;
}

static void an_outage_is_counted_once_and_timed(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    uint16_t port = stage_port(s);
    const char *const peers[] = {n->peers[0], stage_text(s, "127.0.0.1:%u max_fails=2 fail_timeout=1s", port), NULL};
    struct stage_nginx *lb = start_lb(s, peers, NULL, "proxy_next_upstream error;"), *late;
    const struct stage_nginx_conf conf = {
        .no_module = true, .http_extra = stage_text(s, "server { listen 127.0.0.1:%u; return 200 late; }", port)};
    uint64_t began_ms = stage_now_ms();
    json_int_t downtime, fails;

    ask_until(lb, "unavail");
    want(lb, "app", 1, "unavail", 1);
    want(lb, "app", 1, "fails", 2);
    assert_true(is_in_downtime(lb));
    want_state(lb, "up"); /* nobody has asked for it meanwhile */
    assert_false(is_in_downtime(lb));
    downtime = number(lb, "app", 1, "downtime");
    assert_in_range(downtime, 1000, (json_int_t)(stage_now_ms() - began_ms));
    want(lb, "app", 1, "downtime", downtime); /* and it stays that */

    ask_until(lb, "unavail"); /* tried, in vain */
    fails = number(lb, "app", 1, "fails");
    assert_int_equal(fails, 3);
    want(lb, "app", 1, "unavail", 1);
    want_state(lb, "up");
    assert_in_range(number(lb, "app", 1, "downtime"), downtime + 1000, (json_int_t)(stage_now_ms() - began_ms));

    late = stage_nginx_start(s, "late", &conf);
    want_ok(lb, "/", 4);
    wait_quiet(lb, "app");
    downtime = number(lb, "app", 1, "downtime");
    assert_true(number(lb, "app", 1, "responses.2xx") >= 1);
    want(lb, "app", 1, "downtime", downtime);

    stage_nginx_stop(late, SIGTERM);
    ask_until(lb, "unavail");
    want(lb, "app", 1, "unavail", 2);
    stage_nginx_reload(lb); /* its workers start to judge anew */
    wait_quiet(lb, "app");
    want(lb, "app", 1, "unavail", 2);
    assert_true(number(lb, "app", 1, "downtime") >= downtime);
}

static void a_peer_on_trial_is_still_unavail(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    uint16_t port = stage_port(s);
    const char *const peers[] = {n->peers[0], stage_text(s, "127.0.0.1:%u max_fails=1 fail_timeout=1s", port), NULL};
    struct stage_nginx *lb = start_lb(s, peers, NULL, "proxy_next_upstream error;");
    struct odd o = {.stage = s, .lb = lb};
    json_int_t downtime;
    int fd = -1, peer;

    ask_until(lb, "unavail");
    want_state(lb, "up");
    downtime = number(lb, "app", 1, "downtime");
    want(lb, "app", 1, "downtime", downtime);
    o.listener = listen_at(s, port);
    for (struct pollfd p = {.fd = o.listener, .events = POLLIN}; poll(&p, 1, 200) == 0;)
        fd = client(&o, "/", ""); /* one of two goes to it */
    peer = take(&o);
    want(lb, "app", 1, "active", 1);
    assert_string_equal(stage_json_string(s, look(lb, 9, "app"), "peers.1.state"), "unavail");
    assert_true(is_in_downtime(lb));
    want(lb, "app", 1, "unavail", 1);
    say(&o, peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_non_null(strstr(stage_raw_answer(s, fd, WAIT_MS), "ok"));
    wait_quiet(lb, "app");
    assert_string_equal(stage_json_string(s, look(lb, 9, "app"), "peers.1.state"), "up");
    assert_true(number(lb, "app", 1, "downtime") > downtime);
    assert_false(is_in_downtime(lb));
}

struct downtime {
    struct stage_nginx *lb;
    json_int_t was;
};

static bool downtime_grows(void *ctx)
{
    const struct downtime *d = ctx;

    return number(d->lb, "app", 1, "downtime") != d->was;
}

static void want_no_downtime(struct stage_nginx *lb)
{
    struct downtime d = {lb, number(lb, "app", 1, "downtime")};

    assert_false(is_in_downtime(lb));
    assert_false(stage_comes_true(lb->stage, downtime_grows, &d, 100));
}

static void patch(struct stage_nginx *lb, const char *body)
{
    const char *url = stage_text(lb->stage, "%s/9/http/upstreams/app/servers/1", lb->api);

    assert_int_equal(stage_http(lb->stage, "PATCH", url, NULL, body)->status, 200);
}

static void a_downtime_is_as_long_as_a_change_makes_it(struct stage *s)
{
    struct nodes *n = start_nodes(s);
    const char *dead = stage_text(s, "127.0.0.1:%u max_fails=1 fail_timeout=60s", stage_port(s));
    const char *const peers[] = {n->peers[0], dead, NULL};
    struct stage_nginx *lb = start_lb(s, peers, NULL, "proxy_next_upstream error;");

    ask_until(lb, "unavail");
    patch(lb, "{\"max_fails\":0}");
    want_state(lb, "up");
    want_no_downtime(lb);
    want(lb, "app", 1, "unavail", 1);

    patch(lb, "{\"max_fails\":1}"); /* nginx has not forgotten what failed */
    want_state(lb, "unavail");
    want(lb, "app", 1, "unavail", 2);
    assert_true(is_in_downtime(lb));

    patch(lb, "{\"fail_timeout\":\"1s\"}");
    want_state(lb, "up");
    want_no_downtime(lb);
    patch(lb, "{\"fail_timeout\":\"60s\"}"); /* the same outage goes on */
    want_state(lb, "unavail");
    want(lb, "app", 1, "unavail", 2);
    assert_true(is_in_downtime(lb));
}

static void reloads_under_load_lose_no_count(struct stage *s)
{
    struct stage_server *nodes[2] = {stage_server_start(s, "node0", "v1"), stage_server_start(s, "node1", "v1")};
    const char *const peers[] = {nodes[0]->peer, nodes[1]->peer, NULL};
    struct stage_nginx *lb = start_lb(s, peers, NULL, NULL);
    struct stage_load *load = stage_load_start(s, (const char *const[]){lb->url, NULL});
    json_int_t answered[2];

    for (int i = 0; i < 4; i++)
        stage_nginx_reload(lb);
    stage_load_until(s, load, 300, WAIT_MS);
    stage_load_end(s, load);
    wait_quiet(lb, "app");
    for (unsigned i = 0; i < 2; i++) {
        want(lb, "app", i, "requests", number(lb, "app", i, "responses.total"));
        answered[i] = number(lb, "app", i, "responses.2xx");
        want(lb, "app", i, "responses.codes.200", answered[i]);
    }
    assert_true(answered[0] + answered[1] >= (json_int_t)load->answered);
    for (unsigned i = 0; i < 2; i++) {
        stage_server_kill(nodes[i], SIGTERM);
        assert_int_equal(stage_server_answered(nodes[i]), answered[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(counts_are_what_the_backends_have_logged),
        stage_test(each_try_of_a_retried_request_counts_where_it_was_made),
        stage_test(what_no_peer_was_asked_for_counts_nowhere),
        stage_test(an_attempt_without_an_answer_is_a_request_without_a_response),
        stage_test(a_tunnel_counts_all_that_went_through_it),
        stage_test(killed_workers_and_reloads_lose_no_count),
        stage_test(a_peer_that_comes_back_to_the_file_starts_at_zero),
        stage_test(an_outage_is_counted_once_and_timed),
        stage_test(a_peer_on_trial_is_still_unavail),
        stage_test(a_downtime_is_as_long_as_a_change_makes_it),
        stage_test(reloads_under_load_lose_no_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
