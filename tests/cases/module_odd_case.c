/* module_odd_case.c - what is out of the ordinary: a lock of nginx's that stays taken, a reload that fails, requests
 * that make others, tunnels, peers that are no IPv4 address, names that are no text. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
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

static struct stage_answer *ask(struct stage_nginx *lb, const char *method, const char *path, const char *headers,
                                const char *body)
{
    return stage_http(lb->stage, method, stage_text(lb->stage, "%s/9%s", lb->api, path), headers, body);
}

static struct stage_answer *want_status(struct stage_nginx *lb, const char *method, const char *path, const char *body,
                                        int status)
{
    struct stage_answer *a = ask(lb, method, path, NULL, body);

    if (a->status != status)
        stage_fail(lb->stage, "%s %s %s: %d %s%s", method, path, body != NULL ? body : "", a->status, a->error,
                   a->body);
    return a;
}

static const json_t *look(struct stage_nginx *lb, const char *path)
{
    return want_status(lb, "GET", path, NULL, 200)->json;
}

static json_int_t active(struct stage_nginx *lb, const char *upstream)
{
    return stage_json_int(lb->stage, look(lb, stage_text(lb->stage, "/http/upstreams/%s", upstream)), "peers.0.active");
}

struct want {
    struct stage_nginx *lb;
    const char *upstream;
    json_int_t active;
};

static bool has_active(void *ctx)
{
    const struct want *w = ctx;

    return active(w->lb, w->upstream) == w->active;
}

static void wait_active(struct stage_nginx *lb, const char *upstream, json_int_t n)
{
    struct want w = {lb, upstream, n};

    stage_wait_until(lb->stage, has_active, &w, WAIT_MS, stage_text(lb->stage, "%s to have %d", upstream, (int)n));
}

/* ---- peers that the test plays */

static void close_fd(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

static int kept(struct stage *s, int fd)
{
    assert_true(fd >= 0);
    (void)stage_keep(s, (void *)(intptr_t)fd, close_fd);
    return fd;
}

static int listen_at(struct stage *s, uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = kept(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static void await(struct stage *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, WAIT_MS) != 1)
        stage_fail(s, "nothing came to the peer within %d ms", WAIT_MS);
}

/* The peer's end of the next connection, once a whole head is there. */
static int take(struct stage *s, int listener)
{
    char text[4096] = "";
    size_t size = 0;
    int fd;

    await(s, listener);
    fd = kept(s, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    while (strstr(text, "\r\n\r\n") == NULL) {
        await(s, fd);
        ssize_t n = recv(fd, text + size, sizeof text - 1 - size, 0);

        assert_true(n > 0);
        size += (size_t)n;
    }
    return fd;
}

static int client(struct stage_nginx *lb, const char *path, const char *headers)
{
    int fd = stage_raw_open(lb->stage, lb->port);

    stage_raw_send(lb->stage, fd, stage_text(lb->stage, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, headers));
    return fd;
}

static void want_answer(struct stage *s, int fd, const char *status)
{
    const char *answer = stage_raw_answer(s, fd, WAIT_MS);

    if (strstr(answer, status) == NULL)
        stage_fail(s, "not %s: %s", status, answer);
}

/* ---- the peers' rwlock, as a worker leaves it that is killed while it reads: written into nginx's memory */

#define ZONE_KIB 272 /* no other zone is as large */
#define LOCK_MS  3000

struct words {
    int mem;         /* of a process that has the zone */
    uintptr_t group; /* where nginx's list of primary servers begins: their number, the zone, the rwlock, the next list,
                        the sum of weights; a word each */
};

enum word { WORD_RWLOCK = 2, WORD_WEIGHTS = 4 };

static uint64_t word_get(const struct words *w, enum word word)
{
    uint64_t value = 0;

    assert_int_equal(pread(w->mem, &value, sizeof value, (off_t)(w->group + word * sizeof value)), sizeof value);
    return value;
}

static void word_set(const struct words *w, enum word word, uint64_t value)
{
    assert_int_equal(pwrite(w->mem, &value, sizeof value, (off_t)(w->group + word * sizeof value)), sizeof value);
}

static uintptr_t zone_of(struct stage *s, pid_t pid)
{
    FILE *maps = fopen(stage_text(s, "/proc/%d/maps", (int)pid), "re");
    char line[512], *end;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t from = strtoul(line, &end, 16), to = *end == '-' ? strtoul(end + 1, &end, 16) : from;

        if (to - from == ZONE_KIB * 1024 && strncmp(end, " rw-s", 5) == 0) {
            (void)fclose(maps);
            return from;
        }
    }
    (void)fclose(maps);
    stage_fail(s, "process %d has no zone of %d KiB", (int)pid, ZONE_KIB);
}

static struct words words_of(struct stage *s, pid_t pid, uint64_t servers)
{
    size_t n = ZONE_KIB * 1024 / sizeof(uint64_t);
    uint64_t *zone = stage_alloc(s, n * sizeof *zone);
    uintptr_t base = zone_of(s, pid);
    struct words w = {.mem = kept(s, open(stage_text(s, "/proc/%d/mem", (int)pid), O_RDWR | O_CLOEXEC))};

    assert_int_equal(pread(w.mem, zone, n * sizeof *zone, (off_t)base), n * sizeof *zone);
    for (size_t i = 1; i + 3 < n; i++)
        if (zone[i - 1] == servers && zone[i] == base && zone[i + 1] == 0 && zone[i + 3] == servers) {
            w.group = base + (i - 1) * sizeof *zone;
            return w;
        }
    stage_fail(s, "no list of %d servers in the zone", (int)servers);
}

static pid_t only_worker(struct stage_nginx *lb)
{
    pid_t pid[8];

    assert_int_equal(stage_nginx_workers(lb, pid, 8), 1);
    return pid[0];
}

static unsigned count_text(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* Balanced by `hash`, which only reads under that lock, so nginx itself goes on. */
static struct stage_nginx *start_hashed(struct stage *s, int *guard)
{
    uint16_t node[2], guard_port = stage_port(s);

    stage_nginx_nodes(s, node);
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", node[0]), stage_text(s, "127.0.0.1:%u", node[1]), NULL};
    const char *const asked[] = {stage_text(s, "127.0.0.1:%u", guard_port), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "other", .peers = peers},
        {.name = "app", .peers = peers, .no_zone = true, .extra = "zone app 272k; hash $arg_k;"},
        {.name = "guard", .peers = asked},
        {.name = NULL},
    };

    *guard = listen_at(s, guard_port);
    return stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){.upstreams = upstreams,
                                   .workers = 1,
                                   .server_extra = "location /guarded/ { auth_request /ask; proxy_pass http://app/; }\n"
                                                   "location = /ask { internal; proxy_pass http://guard; }"});
}

#define APP_0    "/http/upstreams/app/servers/0"
#define STUCK_IN "is not given back"

static void requests_are_answered(struct stage_nginx *lb, const char *name)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(
            stage_http(lb->stage, "GET", stage_text(lb->stage, "%s/%s/?k=%d", lb->url, name, i), NULL, NULL)->status,
            200);
}

static void a_lock_that_a_dead_worker_keeps_stops_nothing_but_changes_of_weights(struct stage *s)
{
    int guard;
    struct stage_nginx *lb = start_hashed(s, &guard);
    struct words app = words_of(s, only_worker(lb), 2);
    uint64_t from_ms;

    want_status(lb, "PATCH", APP_0, "{\"weight\":3}", 200);
    assert_int_equal(word_get(&app, WORD_RWLOCK), 0);
    assert_int_equal(word_get(&app, WORD_WEIGHTS), 4);
    word_set(&app, WORD_RWLOCK, 1);
    from_ms = stage_now_ms();
    for (int i = 0; i < 3; i++) {
        struct stage_answer *a = want_status(lb, "PATCH", APP_0, "{\"weight\":7,\"down\":true}", 503);

        assert_string_equal(stage_json_string(s, a->json, "error.code"), "WeightsLocked");
    }
    assert_true(stage_now_ms() - from_ms < stage_limit_ms(s, LOCK_MS));
    assert_int_equal(stage_json_int(s, look(lb, APP_0), "weight"), 3);
    assert_false(stage_json_bool(s, look(lb, APP_0), "down"));
    want_status(lb, "PATCH", APP_0, "{\"weight\":3,\"down\":true}", 200); /* the same weight is no change */
    assert_true(stage_json_bool(s, look(lb, APP_0), "down"));
    requests_are_answered(lb, "app");
    want_status(lb, "PATCH", APP_0, "{\"down\":false,\"max_conns\":9}", 200);
    want_status(lb, "PATCH", "/http/upstreams/other/servers/0", "{\"weight\":5}", 200);
    requests_are_answered(lb, "app");
    requests_are_answered(lb, "other");
    assert_int_equal(count_text(stage_read(s, lb->error_log), STUCK_IN), 1);
    assert_int_equal(word_get(&app, WORD_RWLOCK), 1);
    stage_nginx_reload(lb);
    want_status(lb, "PATCH", APP_0, "{\"weight\":7}", 200);
}

struct weights {
    const struct words *words;
    uint64_t sum;
};

static bool weights_are(void *ctx)
{
    const struct weights *w = ctx;

    return word_get(w->words, WORD_WEIGHTS) == w->sum;
}

static void a_worker_of_before_a_reload_does_not_wait_for_such_a_lock_and_weighs_once_it_is_back(struct stage *s)
{
    int guard, held[2], client_of[2];
    struct stage_nginx *lb = start_hashed(s, &guard);
    struct words old = words_of(s, only_worker(lb), 2);

    for (int i = 0; i < 2; i++) {
        client_of[i] = client(lb, "/guarded/?k=1", "");
        held[i] = take(s, guard);
    }
    wait_active(lb, "guard", 2);
    word_set(&old, WORD_RWLOCK, 1);
    stage_nginx_reload(lb);
    want_status(lb, "PATCH", APP_0, "{\"weight\":7}", 200);
    stage_raw_send(s, held[0], "HTTP/1.1 204 No Content\r\n\r\n");
    want_answer(s, client_of[0], " 200 ");
    assert_int_equal(word_get(&old, WORD_WEIGHTS), 2);
    assert_int_equal(count_text(stage_read(s, lb->error_log), STUCK_IN), 1);
    word_set(&old, WORD_RWLOCK, 0);
    stage_wait_until(s, weights_are, &(struct weights){&old, 8}, WAIT_MS, "the old worker to weigh as is wanted");
    assert_int_equal(word_get(&old, WORD_RWLOCK), 0);
    stage_raw_send(s, held[1], "HTTP/1.1 204 No Content\r\n\r\n");
    want_answer(s, client_of[1], " 200 ");
}

/* ---- numbers at their ends */

static bool downtime_grows(void *ctx)
{
    struct stage_nginx *lb = ctx;

    return stage_json_int(lb->stage, look(lb, "/http/upstreams/app"), "peers.1.downtime") > 0;
}

static void the_longest_fail_timeout_of_the_file_counts_as_a_downtime(struct stage *s)
{
    uint16_t node[2];

    stage_nginx_nodes(s, node);
    const char *const peers[] = {
        stage_text(s, "127.0.0.1:%u", node[0]),
        stage_text(s, "127.0.0.1:%u max_fails=1 fail_timeout=9223372036854775807s", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {{.name = "first", .peers = peers}, {.name = "app", .peers = peers}, {0}};
    struct stage_nginx *lb = stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});

    for (int i = 0; i < 4; i++)
        (void)stage_http(s, "GET", stage_text(s, "%s/app/", lb->url), NULL, NULL);
    assert_string_equal(stage_json_string(s, look(lb, "/http/upstreams/app"), "peers.1.state"), "unavail");
    stage_wait_until(s, downtime_grows, lb, WAIT_MS, "the downtime to grow");
    want_status(lb, "PATCH", "/http/upstreams/app/servers/1", "{\"fail_timeout\":\"9223372036854775807s\"}", 200);
    want_status(lb, "PATCH", "/http/upstreams/app/servers/0", "{\"fail_timeout\":\"9223372036854775807s\"}", 400);
}

/* ---- peers that are no IPv4 address, and names that are no text */

static bool has_ipv6(void)
{
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

static void unix_and_ipv6_peers_are_listed_and_changed(struct stage *s)
{
    uint16_t port = stage_port(s);
    /* below nginx's folder: a whole path may be longer than an address takes */
    const char *unix_peer = "unix:node.sock", *peer6 = stage_text(s, "[::1]:%u", port);
    bool six = has_ipv6(); /* without it the peer is there, and nothing answers */
    const char *const peers[] = {unix_peer, peer6, NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};
    const char *six_server =
        six ? stage_text(s, "server { listen [::1]:%u; location / { return 200 six; } }\n", port) : "";

    (void)stage_nginx_start(s, "nodes",
                            &(struct stage_nginx_conf){
                                .no_module = true,
                                .http_extra = stage_text(s, "server { listen %s; location / { return 200 unix; } }\n%s",
                                                         unix_peer, six_server)});
    struct stage_nginx *lb = stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});
    for (unsigned out = 0; out < 2; out++) {
        const char *path = stage_text(s, "/http/upstreams/app/servers/%u", out);

        assert_string_equal(stage_json_string(s, look(lb, path), "server"), peers[out]);
        want_status(lb, "PATCH", path, stage_text(s, "{\"server\":\"%s\",\"down\":true}", peers[out]), 200);
        assert_string_equal(stage_json_string(s, look(lb, "/http/upstreams/app"), stage_text(s, "peers.%u.state", out)),
                            "down");
        for (int i = 0; i < 4 && (out == 1 || six); i++)
            assert_string_equal(stage_http(s, "GET", stage_text(s, "%s/", lb->url), NULL, NULL)->body,
                                out == 0 ? "six" : "unix");
        want_status(lb, "PATCH", path, "{\"down\":false}", 200);
    }
}

static void names_that_are_no_utf_8_leave_the_list_valid_json(struct stage *s)
{
    const char *const peers[] = {"'unix:d/\xff\xc3.sock'", stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, {.name = "bad\xff", .peers = peers}, {.name = NULL}};
    struct stage_nginx *lb = stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});
    const json_t *app = stage_json_find(look(lb, "/http/upstreams"), "bad\xef\xbf\xbd");

    assert_non_null(app);
    assert_non_null(strstr(stage_json_string(s, app, "peers.0.server"), "/\xef\xbf\xbd\xef\xbf\xbd.sock"));
    want_status(lb, "PATCH", "/http/upstreams/bad%ff/servers/0", "{\"down\":true}", 200);
    assert_true(stage_json_bool(s, look(lb, "/http/upstreams/bad%ff/servers/0"), "down"));
    assert_int_equal(json_array_size(look(lb, "/http/upstreams/bad%ff/servers")), 2);
}

/* ---- requests that are more than one, or longer than one */

struct played {
    struct stage_nginx *lb;
    int app, side; /* listeners: server 0 of upstream app, and of upstream side */
};

static struct played start_played(struct stage *s)
{
    uint16_t port[2] = {stage_port(s), stage_port(s)};
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const char *const app[] = {stage_text(s, "127.0.0.1:%u", port[0]), NULL};
    const char *const side[] = {stage_text(s, "127.0.0.1:%u", port[1]), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, /* the stage tries it, and must get an answer */
        {.name = "app", .peers = app},
        {.name = "side", .peers = side},
        {.name = NULL},
    };
    struct played p = {.app = listen_at(s, port[0]), .side = listen_at(s, port[1])};

    p.lb = stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .server_extra =
                "location /guarded/ { auth_request /ask; proxy_pass http://app/; }\n"
                "location = /ask { internal; proxy_pass http://side; }\n"
                "location /mirrored/ { mirror /ask; proxy_pass http://app/; }\n"
                "location /tunnel/ { proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
                "proxy_pass http://app/; }"});
    return p;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void a_guarded_request_is_at_the_guard_first_and_then_at_its_server(struct stage *s)
{
    struct played p = start_played(s);
    int fd = client(p.lb, "/guarded/", ""), guard = take(s, p.side), node;

    assert_int_equal(active(p.lb, "side"), 1);
    assert_int_equal(active(p.lb, "app"), 0);
    stage_raw_send(s, guard, "HTTP/1.1 204 No Content\r\n\r\n");
    node = take(s, p.app);
    assert_int_equal(active(p.lb, "app"), 1);
    wait_active(p.lb, "side", 0);
    stage_raw_send(s, node, OK_HEAD);
    want_answer(s, fd, " 200 ");
    wait_active(p.lb, "app", 0);
}

static void a_mirrored_request_is_at_the_mirror_after_its_client_has_the_answer(struct stage *s)
{
    struct played p = start_played(s);
    int fd = client(p.lb, "/mirrored/", ""), mirror = take(s, p.side);

    stage_raw_send(s, take(s, p.app), OK_HEAD);
    want_answer(s, fd, " 200 ");
    wait_active(p.lb, "app", 0);
    assert_int_equal(active(p.lb, "side"), 1);
    stage_nginx_reload(p.lb);
    assert_int_equal(active(p.lb, "side"), 1);
    stage_raw_send(s, mirror, OK_HEAD);
    wait_active(p.lb, "side", 0);
}

static void a_tunnel_is_a_request_until_it_is_closed_also_over_a_reload(struct stage *s)
{
    struct played p = start_played(s);
    int fd = client(p.lb, "/tunnel/", "Connection: upgrade\r\nUpgrade: bytes\r\n"), node = take(s, p.app);

    stage_raw_send(s, node, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n");
    want_answer(s, fd, " 101 ");
    assert_int_equal(active(p.lb, "app"), 1);
    want_status(p.lb, "PATCH", APP_0, "{\"drain\":true}", 200);
    stage_nginx_reload(p.lb);
    assert_int_equal(active(p.lb, "app"), 1);
    assert_false(stage_json_bool(s, ask(p.lb, "GET", APP_0, "Prefer: wait=0", NULL)->json, "rollout.quiet"));
    (void)shutdown(node, SHUT_RDWR);
    assert_true(stage_json_bool(s, ask(p.lb, "GET", APP_0, "Prefer: wait=8", NULL)->json, "rollout.quiet"));
}

static void a_head_waits_as_a_get_does(struct stage *s)
{
    struct played p = start_played(s);
    int fd = client(p.lb, "/app/", ""), node = take(s, p.app);
    uint64_t from_ms = stage_now_ms();
    struct stage_answer *a;

    want_status(p.lb, "PATCH", APP_0, "{\"down\":true}", 200);
    a = ask(p.lb, "HEAD", APP_0, "Prefer: wait=1", NULL);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body_size, 0);
    assert_non_null(stage_header(s, a, "Preference-Applied"));
    assert_string_equal(stage_header(s, a, "Preference-Applied"), "wait=1");
    assert_true(stage_now_ms() - from_ms >= 950);
    stage_raw_send(s, node, OK_HEAD);
    want_answer(s, fd, " 200 ");
    from_ms = stage_now_ms();
    a = ask(p.lb, "HEAD", APP_0, "Prefer: wait=20", NULL);
    assert_int_equal(a->status, 200);
    assert_true(stage_now_ms() - from_ms < WAIT_MS);
}

/* ---- a reload that fails */

struct said {
    const struct stage_nginx *lb;
    const char *text;
};

static bool is_said(void *ctx)
{
    const struct said *w = ctx;

    return strstr(stage_read(w->lb->stage, w->lb->error_log), w->text) != NULL;
}

static void want_as_it_was(struct stage_nginx *lb, json_int_t generation)
{
    const json_t *app = look(lb, "/http/upstreams/app"), *server = look(lb, APP_0);

    assert_int_equal(stage_json_int(lb->stage, look(lb, "/nginx"), "generation"), generation);
    assert_true(stage_json_bool(lb->stage, app, "rollout.active_exact"));
    assert_int_equal(stage_json_int(lb->stage, app, "peers.0.active"), 1);
    assert_string_equal(stage_json_string(lb->stage, app, "peers.0.state"), "draining");
    assert_int_equal(stage_json_int(lb->stage, server, "weight"), 5);
    assert_int_equal(stage_json_int(lb->stage, server, "max_fails"), 7);
}

static void a_reload_that_fails_changes_nothing(struct stage *s)
{
    struct played p = start_played(s);
    int fd = client(p.lb, "/app/", ""), node = take(s, p.app);
    const char *conf = stage_read(s, p.lb->conf_path), *end = strrchr(conf, '}');
    json_int_t generation = stage_json_int(s, look(p.lb, "/nginx"), "generation");
    uint16_t taken = stage_port(s);
    const struct {
        const char *more, *said;
    } bad[] = {{"unheard_of;", "unknown directive"}, /* while it is read; then, when its zones are made already: */
               {stage_text(s, "server { listen 127.0.0.1:%u; }", taken), "still could not bind"}};

    (void)listen_at(s, taken);
    want_status(p.lb, "PATCH", APP_0, "{\"drain\":true,\"weight\":5,\"max_fails\":7}", 200);
    assert_non_null(end);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)stage_write(s, p.lb->conf_path, stage_text(s, "%.*s%s\n}\n", (int)(end - conf), conf, bad[i].more));
        assert_int_equal(kill(stage_nginx_pid(p.lb), SIGHUP), 0);
        stage_wait_until(s, is_said, &(struct said){p.lb, bad[i].said}, WAIT_MS, "nginx to refuse the configuration");
        want_as_it_was(p.lb, generation);
    }
    (void)stage_write(s, p.lb->conf_path, conf);
    stage_nginx_reload(p.lb);
    want_as_it_was(p.lb, generation + 1);
    stage_raw_send(s, node, OK_HEAD);
    want_answer(s, fd, " 200 ");
    wait_active(p.lb, "app", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_lock_that_a_dead_worker_keeps_stops_nothing_but_changes_of_weights),
        stage_test(a_worker_of_before_a_reload_does_not_wait_for_such_a_lock_and_weighs_once_it_is_back),
        stage_test(the_longest_fail_timeout_of_the_file_counts_as_a_downtime),
        stage_test(unix_and_ipv6_peers_are_listed_and_changed),
        stage_test(names_that_are_no_utf_8_leave_the_list_valid_json),
        stage_test(a_guarded_request_is_at_the_guard_first_and_then_at_its_server),
        stage_test(a_mirrored_request_is_at_the_mirror_after_its_client_has_the_answer),
        stage_test(a_tunnel_is_a_request_until_it_is_closed_also_over_a_reload),
        stage_test(a_head_waits_as_a_get_does),
        stage_test(a_reload_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
