/* module_full_case.c - the shared zone has much in it, or no room left: what is in it stays right, and is found soon.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS       10000
#define FILLERS       8190 /* upstreams, each with a page of the zone for its name */
#define FILLER_NAME   2000
#define HELD          4
#define OTHERS        30 /* upstreams that use freed memory anew */
#define OTHER_PEERS   40
#define MANY          40000 /* servers of one upstream */
#define MANY_LIMIT_MS 3000
#define OLD_MAX       64

struct full {
    struct stage *stage;
    struct stage_nginx *lb;
    int node; /* listens, and answers when it is told to */
    const char *peers[2], *nobody[2];
    struct stage_nginx_conf conf;
    struct stage_upstream upstreams[OTHERS + 3];
    json_int_t active;
    pid_t old[OLD_MAX]; /* workers */
    unsigned n_old;
};

static uint16_t listen_at(struct full *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port = stage_port(f->stage);
    const int on = 1; /* as the stage looks for it: what waits out its time there is in nobody's way */

    address.sin_port = htons(port);
    f->node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (setsockopt(f->node, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(f->node, (struct sockaddr *)&address, sizeof address) != 0 || listen(f->node, 64) != 0)
        stage_fail(f->stage, "no port for the node");
    return port;
}

static const char *fillers(struct stage *s)
{
    size_t capacity = (size_t)FILLERS * (FILLER_NAME + 100), at = 0;
    char *text = stage_alloc(s, capacity), name[FILLER_NAME + 1];

    memset(name, 'x', FILLER_NAME);
    name[FILLER_NAME] = '\0';
    for (int i = 0; i < FILLERS; i++)
        at += (size_t)snprintf(text + at, capacity - at, "upstream a%05d%s { zone z 128m; server 127.0.0.1:9; }\n", i,
                               name);
    return stage_write(s, "fillers.conf", text);
}

/* Upstream `app` is registered first, then there is no room for others. */
static struct full *start(struct stage *s)
{
    struct full *f = stage_alloc(s, sizeof *f);

    f->stage = s;
    f->peers[0] = stage_text(s, "127.0.0.1:%u", listen_at(f));
    f->nobody[0] = stage_text(s, "127.0.0.1:%u", stage_port(s));
    f->upstreams[0] =
        (struct stage_upstream){.name = "first", .peers = f->nobody, .no_zone = true}; /* the stage tries it */
    f->conf = (struct stage_nginx_conf){
        .upstreams = f->upstreams,
        .http_extra = stage_text(s, "upstream app { zone app 256k; server %s; }\ninclude %s;", f->peers[0], fillers(s)),
        .server_extra = "location /app/ { proxy_pass http://app/; }",
    };
    f->lb = stage_nginx_start(s, "lb", &f->conf);
    return f;
}

static const json_t *look(struct full *f, const char *upstream)
{
    struct stage_answer *a =
        stage_http(f->stage, "GET", stage_text(f->stage, "%s/9/http/upstreams/%s", f->lb->api, upstream), NULL, NULL);

    if (a->status != 200)
        stage_fail(f->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return a->json;
}

static bool app_has(void *ctx)
{
    struct full *f = ctx;

    return stage_json_int(f->stage, look(f, "app"), "peers.0.active") == f->active;
}

static void hold(struct full *f, int fd[HELD])
{
    for (int i = 0; i < HELD; i++) {
        fd[i] = stage_raw_open(f->stage, f->lb->port);
        stage_raw_send(f->stage, fd[i], "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    f->active = HELD;
    stage_wait_until(f->stage, app_has, f, WAIT_MS, "the requests that are held to be counted");
}

/* The node answers whatever waits at it, and those who asked have it. */
static void let_go(struct full *f, const int fd[HELD])
{
    struct pollfd ready = {.fd = f->node, .events = POLLIN};

    while (poll(&ready, 1, 0) == 1) {
        int c = accept4(f->node, NULL, NULL, SOCK_CLOEXEC);

        stage_raw_send(f->stage, c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    for (int i = 0; i < HELD; i++)
        assert_non_null(strstr(stage_raw_answer(f->stage, fd[i], WAIT_MS), "200 OK"));
}

/* An upstream that there was no room for. */
static void refuses_changes_of(struct full *f, int filler)
{
    char name[FILLER_NAME + 1] = {0};

    memset(name, 'x', FILLER_NAME);
    const char *url = stage_text(f->stage, "%s/9/http/upstreams/a%05d%s/servers/0", f->lb->api, filler, name);
    struct stage_answer *a = stage_http(f->stage, "PATCH", url, NULL, "{\"down\":true}");
    assert_int_equal(a->status, 400);
    assert_string_equal(stage_json_string(f->stage, a->json, "error.code"), "UpstreamOutOfMemory");
    assert_false(stage_json_bool(f->stage, stage_http(f->stage, "GET", url, NULL, NULL)->json, "down"));
}

static void requests_are_counted_where_the_zone_is_full(struct stage *s)
{
    struct full *f = start(s);
    int fd[HELD];

    assert_non_null(strstr(stage_read(s, f->lb->error_log), "bytes is full"));
    refuses_changes_of(f, FILLERS - 1);
    hold(f, fd);
    assert_true(stage_json_bool(s, look(f, "app"), "rollout.active_exact"));
    let_go(f, fd);
    f->active = 0;
    stage_wait_until(s, app_has, f, WAIT_MS, "the requests to be over");
    assert_true(stage_json_bool(s, look(f, "app"), "rollout.active_exact"));
}

static bool new_is_exact(void *ctx)
{
    struct full *f = ctx;

    return stage_json_bool(f->stage, look(f, "new"), "rollout.active_exact");
}

static void reload(struct full *f)
{
    stage_nginx_write(f->lb, &f->conf);
    stage_nginx_reload(f->lb);
}

static bool old_are_gone(void *ctx)
{
    struct full *f = ctx;
    pid_t now[OLD_MAX];
    unsigned n = stage_nginx_workers(f->lb, now, OLD_MAX);

    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < f->n_old; k++)
            if (now[i] == f->old[k])
                return false;
    return true;
}

static void old_workers_of_a_full_zone_write_to_nothing_of_others(struct stage *s)
{
    struct full *f = start(s);
    const char *peers[OTHER_PEERS + 1] = {NULL};
    int fd[HELD];

    for (unsigned i = 0; i < OTHER_PEERS; i++)
        peers[i] = stage_text(s, "127.0.0.1:%u", 1000 + i);
    hold(f, fd);
    f->upstreams[1] = (struct stage_upstream){.name = "new", .peers = f->peers};
    f->conf.http_extra = f->conf.server_extra = NULL;
    for (int i = 0; i < 3; i++)
        reload(f); /* of `app`, and of the others, nothing is configured any more */
    for (unsigned i = 0; i < OTHERS; i++)
        f->upstreams[2 + i] = (struct stage_upstream){.name = stage_text(s, "other%u", i), .peers = peers};
    f->n_old = stage_nginx_workers(f->lb, f->old, OLD_MAX);
    reload(f);
    let_go(f, fd);
    assert_int_equal(stage_json_int(s, look(f, "new"), "peers.0.responses.total"), 0);
    assert_int_equal(stage_json_int(s, look(f, "new"), "peers.0.received"), 0);
    for (unsigned i = 0; i < OTHERS; i++)
        for (unsigned p = 0; p < OTHER_PEERS; p += 13)
            assert_int_equal(
                stage_json_int(s, look(f, f->upstreams[2 + i].name), stage_text(s, "peers.%u.received", p)), 0);
    stage_wait_until(s, old_are_gone, f, WAIT_MS, "the old workers to be gone, who may still write");
    reload(f); /* there is room again */
    stage_wait_until(s, new_is_exact, f, WAIT_MS, "the counts to be exact, with room for all");
}

static void forty_thousand_servers_are_loaded_in_a_moment(struct stage *s)
{
    const char **peers = stage_alloc(s, (MANY + 1) * sizeof *peers);
    const char *nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody, .no_zone = true},
        {.name = "many", .peers = peers, .no_zone = true, .extra = "zone many 64m;"},
        {.name = NULL}};
    uint64_t from_ms;

    for (unsigned i = 0; i < MANY; i++)
        peers[i] = stage_text(s, "127.%u.%u.%u:9", 1 + i / 10000, i / 100 % 100, i % 100 + 1);
    from_ms = stage_now_ms();
    (void)stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});
    assert_in_range(stage_now_ms() - from_ms, 0, stage_limit_ms(s, MANY_LIMIT_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(requests_are_counted_where_the_zone_is_full),
        stage_test(old_workers_of_a_full_zone_write_to_nothing_of_others),
        stage_test(forty_thousand_servers_are_loaded_in_a_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
