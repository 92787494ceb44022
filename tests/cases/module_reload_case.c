/* module_reload_case.c - what the API says holds for every worker, every balancer and over reloads. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/test.h"

#define WAIT_MS 8000

/* Two nodes, each an nginx server that answers with its name, and a load balancer over them. */
struct pair {
    struct stage *stage;
    struct stage_nginx *lb;
    const char *peers[3];
    struct stage_upstream upstreams[2];
    struct stage_nginx_conf conf;
};

static struct pair *start_pair(struct stage *s, const char *balancer)
{
    struct pair *p = stage_alloc(s, sizeof *p);
    uint16_t node[2];

    stage_nginx_nodes(s, node);
    p->stage = s;
    p->peers[0] = stage_text(s, "127.0.0.1:%u max_fails=0", node[0]);
    p->peers[1] = stage_text(s, "127.0.0.1:%u max_fails=0", node[1]);
    p->upstreams[0] = (struct stage_upstream){.name = "app", .peers = p->peers, .extra = balancer};
    p->conf = (struct stage_nginx_conf){.upstreams = p->upstreams, .workers = 3};
    p->lb = stage_nginx_start(s, "lb", &p->conf);
    return p;
}

static void patch(struct stage_nginx *n, unsigned id, const char *body)
{
    struct stage_answer *a = stage_http(
        n->stage, "PATCH", stage_text(n->stage, "%s/9/http/upstreams/app/servers/%u", n->api, id), NULL, body);

    if (a->status != 200)
        stage_fail(n->stage, "PATCH %s: %d %s%s", body, a->status, a->error, a->body);
}

static const json_t *look(struct stage_nginx *n)
{
    struct stage_answer *a =
        stage_http(n->stage, "GET", stage_text(n->stage, "%s/9/http/upstreams/app", n->api), NULL, NULL);

    if (a->status != 200)
        stage_fail(n->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return a->json;
}

static const char *state_of(struct stage_nginx *n, unsigned id)
{
    return stage_json_string(n->stage, look(n), stage_text(n->stage, "peers.%u.state", id));
}

/* Every one of `times` requests, each over a connection of its own, is answered by that node. */
static void only_node_answers(struct stage_nginx *n, const char *name, int times)
{
    for (int i = 0; i < times; i++) {
        struct stage_answer *a = stage_http(n->stage, "GET", stage_text(n->stage, "%s/?k=%d", n->url, i), NULL, NULL);

        if (a->status != 200 || strcmp(a->body, name) != 0)
            stage_fail(n->stage, "want node %s: %d %s%s", name, a->status, a->error, a->body);
    }
}

static void every_balancer_in_every_worker_obeys_at_once(struct stage *s)
{
    static const char *const balancers[] = {
        "", "least_conn;", "ip_hash;", "hash $arg_k consistent;", "hash $arg_k;", "random two;"};

    for (size_t i = 0; i < sizeof balancers / sizeof *balancers; i++) {
        struct pair *p = start_pair(s, balancers[i]);

        for (int round = 0; round < 3; round++) {
            patch(p->lb, 0, "{\"drain\":true}");
            only_node_answers(p->lb, "b", 9);
            patch(p->lb, 0, "{\"down\":false}");
            patch(p->lb, 1, "{\"down\":true}");
            only_node_answers(p->lb, "a", 9);
            patch(p->lb, 1, "{\"down\":false}");
        }
        stage_nginx_stop(p->lb, SIGTERM);
    }
}

/* PATCH, GET and traffic go on while nginx reloads: old and new workers say and do the same. */
static void no_worker_of_any_generation_is_behind_during_reloads(struct stage *s)
{
    struct pair *p = start_pair(s, "least_conn;");
    uint64_t until_ms = stage_now_ms() + 4000, reload_ms = 0;

    for (unsigned out = 0; stage_now_ms() < until_ms; out = 1 - out) {
        if (stage_now_ms() >= reload_ms) {
            assert_int_equal(kill(p->lb->proc->pid, SIGHUP), 0);
            reload_ms = stage_now_ms() + 700;
        }
        patch(p->lb, 1 - out, "{\"down\":false}");
        patch(p->lb, out, "{\"drain\":true}");
        for (int i = 0; i < 4; i++) {
            assert_string_equal(state_of(p->lb, out), "draining");
            assert_string_equal(state_of(p->lb, 1 - out), "up");
        }
        only_node_answers(p->lb, out == 0 ? "b" : "a", 4);
    }
}

static void changes_are_kept_and_the_file_decides_where_there_are_none(struct stage *s)
{
    struct pair *p = start_pair(s, NULL);

    patch(p->lb, 0, "{\"drain\":true}");
    for (int i = 0; i < 2; i++) {
        stage_nginx_reload(p->lb);
        assert_string_equal(state_of(p->lb, 0), "draining");
    }
    patch(p->lb, 0, "{\"drain\":false}");
    p->peers[0] = stage_text(s, "%s down", p->peers[0]);
    stage_nginx_write(p->lb, &p->conf);
    stage_nginx_reload(p->lb);
    assert_string_equal(state_of(p->lb, 0), "down");
    patch(p->lb, 0, "{\"down\":false}");
    stage_nginx_reload(p->lb);
    assert_string_equal(state_of(p->lb, 0), "up");
}

static json_int_t generation(struct stage_nginx *n)
{
    struct stage_answer *a = stage_http(n->stage, "GET", stage_text(n->stage, "%s/9/nginx", n->api), NULL, NULL);

    return stage_json_int(n->stage, a->json, "generation");
}

static void the_generation_rises_with_a_reload_and_not_with_a_test(struct stage *s)
{
    struct pair *p = start_pair(s, NULL);
    const char *const test[] = {
        "/usr/sbin/nginx", "-t", "-e", stage_text(s, "%s/test.log", p->lb->dir), "-p", p->lb->dir, "-c",
        p->lb->conf_path,  NULL};

    assert_int_equal(generation(p->lb), 1);
    patch(p->lb, 0, "{\"down\":true}");
    assert_int_equal(stage_nginx_run(s, WAIT_MS, test).exit_code, 0);
    assert_int_equal(generation(p->lb), 1);
    assert_string_equal(state_of(p->lb, 0), "down");
    for (json_int_t i = 2; i <= 4; i++) {
        stage_nginx_reload(p->lb);
        assert_int_equal(generation(p->lb), i);
    }
}

/* ---- requests that stay in flight: a node that takes connections and never answers */

#define HELD 4

struct held {
    struct stage_nginx *lb;
    int node, client[HELD];
    json_int_t want;
};

static int dial(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool active_is(void *ctx)
{
    struct held *h = ctx;
    const json_t *app = look(h->lb);

    return stage_json_int(h->lb->stage, app, "peers.0.active") == h->want;
}

static void want_active(struct held *h, json_int_t want)
{
    h->want = want;
    stage_wait_until(h->lb->stage, active_is, h, WAIT_MS, stage_text(h->lb->stage, "active to be %d", (int)want));
    assert_true(stage_json_bool(h->lb->stage, look(h->lb), "rollout.active_exact"));
}

static struct held *hold(struct stage *s)
{
    struct held *h = stage_alloc(s, sizeof *h);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port = stage_port(s);
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", port), NULL};
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody}, /* the stage tries it, and must get an answer */
        {.name = "app", .peers = peers},
        {.name = NULL},
    };
    const char request[] = "GET /app/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    at.sin_port = htons(port);
    h->node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(h->node, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(h->node, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(h->node, 64), 0);
    h->lb = stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .workers = 3});
    for (int i = 0; i < HELD; i++) {
        h->client[i] = dial(h->lb->port);
        assert_int_equal(send(h->client[i], request, strlen(request), MSG_NOSIGNAL), strlen(request));
    }
    return h;
}

static void drop(struct held *h)
{
    for (int i = 0; i < HELD; i++)
        close(h->client[i]);
    close(h->node);
}

static void active_counts_what_workers_of_before_a_reload_hold(struct stage *s)
{
    struct held *h = hold(s);

    want_active(h, HELD);
    for (int i = 0; i < 2; i++) {
        stage_nginx_reload(h->lb);
        for (int k = 0; k < 10; k++)
            want_active(h, HELD);
    }
    close(h->client[0]);
    h->client[0] = dial(h->lb->port);
    want_active(h, HELD - 1);
    drop(h);
    want_active(h, 0);
}

static void what_a_killed_worker_held_is_not_counted(struct stage *s)
{
    struct held *h = hold(s);
    pid_t workers[16];
    unsigned n;

    want_active(h, HELD);
    n = stage_nginx_workers(h->lb, workers, 16);
    for (unsigned i = 0; i < n && i < 16; i++)
        assert_int_equal(kill(workers[i], SIGKILL), 0);
    want_active(h, 0);
    drop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(every_balancer_in_every_worker_obeys_at_once),
        stage_test(no_worker_of_any_generation_is_behind_during_reloads),
        stage_test(changes_are_kept_and_the_file_decides_where_there_are_none),
        stage_test(the_generation_rises_with_a_reload_and_not_with_a_test),
        stage_test(active_counts_what_workers_of_before_a_reload_hold),
        stage_test(what_a_killed_worker_held_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
