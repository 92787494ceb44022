/* module_stream_case.c - the upstreams of the stream block by the same API, from a module of their own. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS       8000
#define STREAM_MODULE "/usr/lib/nginx/modules/ngx_stream_module.so"

/* Two nodes that answer with their names, and a load balancer that passes TCP connections to them; an http upstream of
 * the same name stands beside. */
struct tcp {
    struct stage *stage;
    struct stage_nginx *lb;
    uint16_t port; /* the stream server's */
    const char *peers[2], *http_peers[2];
    struct stage_upstream upstreams[2];
    struct stage_nginx_conf conf;
};

static const char *load_modules(struct stage *s)
{
    return stage_text(s,
                      "load_module " STREAM_MODULE ";\n"
                      "load_module %s/nginx-module/ngx_stream_upstream_api_module.so;\n",
                      s->build);
}

static struct tcp *start_tcp(struct stage *s, const char *balancer)
{
    struct tcp *t = stage_alloc(s, sizeof *t);
    uint16_t node[2];

    stage_nginx_nodes(s, node);
    t->stage = s;
    t->port = stage_port(s);
    t->peers[0] = stage_text(s, "127.0.0.1:%u", node[0]);
    t->peers[1] = stage_text(s, "127.0.0.1:%u", node[1]);
    t->http_peers[0] = t->peers[0];
    t->upstreams[0] = (struct stage_upstream){.name = "app", .peers = t->http_peers};
    t->conf = (struct stage_nginx_conf){
        .upstreams = t->upstreams,
        .workers = 3,
        .main_extra =
            stage_text(s,
                       "%sstream {\n"
                       "    upstream app { zone tcp_app 64k; %s server %s; server %s; }\n"
                       "    upstream fixed { server %s; }\n"
                       "    server { listen 127.0.0.1:%u; proxy_pass app; }\n"
                       "    server { listen 127.0.0.1:%u; proxy_pass fixed; }\n"
                       "}",
                       load_modules(s), balancer, t->peers[0], t->peers[1], t->peers[0], t->port, stage_port(s))};
    t->lb = stage_nginx_start(s, "lb", &t->conf);
    return t;
}

static struct stage_answer *ask(struct tcp *t, const char *method, const char *path, const char *body)
{
    return stage_http(t->stage, method, stage_text(t->stage, "%s/9/%s", t->lb->api, path), NULL, body);
}

static void patch(struct tcp *t, unsigned id, const char *body)
{
    struct stage_answer *a = ask(t, "PATCH", stage_text(t->stage, "stream/upstreams/app/servers/%u", id), body);

    if (a->status != 200)
        stage_fail(t->stage, "PATCH %s: %d %s%s", body, a->status, a->error, a->body);
}

static const json_t *peer(struct tcp *t, unsigned id)
{
    struct stage_answer *a = ask(t, "GET", "stream/upstreams/app", NULL);

    if (a->status != 200)
        stage_fail(t->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return stage_json(t->stage, a->json, stage_text(t->stage, "peers.%u", id));
}

static const char *state_of(struct tcp *t, unsigned id)
{
    return stage_json_string(t->stage, peer(t, id), "state");
}

static json_int_t active(struct tcp *t, unsigned id)
{
    return stage_json_int(t->stage, peer(t, id), "active");
}

/* `times` new connections, each answered by that node. */
static void only_node_answers(struct tcp *t, const char *name, int times)
{
    for (int i = 0; i < times; i++) {
        struct stage_answer *a =
            stage_http(t->stage, "GET", stage_text(t->stage, "http://127.0.0.1:%u/", t->port), NULL, NULL);

        if (a->status != 200 || strcmp(a->body, name) != 0)
            stage_fail(t->stage, "want node %s: %d %s%s", name, a->status, a->error, a->body);
    }
}

struct session {
    struct tcp *tcp;
    unsigned id;
    json_int_t wanted;
};

static bool active_is(void *ctx)
{
    struct session *session = ctx;

    return active(session->tcp, session->id) == session->wanted;
}

static void wait_active(struct tcp *t, unsigned id, json_int_t wanted)
{
    struct session session = {t, id, wanted};

    stage_wait_until(t->stage, active_is, &session, WAIT_MS,
                     stage_text(t->stage, "%d sessions at server %u", (int)wanted, id));
}

/* A connection that stays, and the node that it is at. */
static int session_open(struct tcp *t, const char **node)
{
    int fd = stage_raw_open(t->stage, t->port);

    stage_raw_send(t->stage, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    *node = strstr(stage_raw_answer(t->stage, fd, WAIT_MS), "\r\n\r\n") + 4;
    return fd;
}

static void a_stream_upstream_is_listed_and_changed_by_the_same_api(struct stage *s)
{
    struct tcp *t = start_tcp(s, "");
    struct stage_answer *all = ask(t, "GET", "stream/upstreams", NULL);
    struct stage_answer *servers = ask(t, "GET", "stream/upstreams/app/servers/", NULL);

    assert_int_equal(all->status, 200);
    assert_int_equal(json_object_size(all->json), 1);
    assert_string_equal(stage_json_string(s, all->json, "app.peers.1.server"), t->peers[1]);
    assert_string_equal(stage_json_string(s, all->json, "app.zone"), "tcp_app");
    assert_int_equal(servers->status, 200);
    assert_int_equal(json_array_size(servers->json), 2);
    assert_string_equal(stage_json_string(s, servers->json, "0.server"), t->peers[0]);
    /* what a stream server has no use for */
    assert_null(stage_json_find(servers->json, "0.route"));
    assert_null(stage_json_find(servers->json, "0.drain"));

    patch(t, 0, "{\"down\":true}");
    assert_string_equal(state_of(t, 0), "down");
    only_node_answers(t, "b", 9);
    patch(t, 0, "{\"down\":false}");
    patch(t, 1, "{\"down\":true}");
    only_node_answers(t, "a", 9);
}

static void every_stream_balancer_in_every_worker_obeys_at_once(struct stage *s)
{
    static const char *const balancers[] = {"", "least_conn;", "hash $remote_port consistent;", "hash $remote_port;",
                                            "random two;"};

    for (size_t i = 0; i < sizeof balancers / sizeof *balancers; i++) {
        struct tcp *t = start_tcp(s, balancers[i]);

        for (int round = 0; round < 3; round++) {
            patch(t, 0, "{\"down\":true}");
            only_node_answers(t, "b", 9);
            patch(t, 0, "{\"down\":false}");
            patch(t, 1, "{\"down\":true}");
            only_node_answers(t, "a", 9);
            patch(t, 1, "{\"down\":false}");
        }
        stage_nginx_stop(t->lb, SIGTERM);
    }
}

/* A session goes on at a server that was taken out, is counted there until it ends, and by then nobody else came. */
static void a_stream_server_is_quiet_when_its_last_session_has_ended(struct stage *s)
{
    struct tcp *t = start_tcp(s, "");
    const char *node, *again;
    int fd = session_open(t, &node);
    unsigned id = strcmp(node, "a") == 0 ? 0 : 1;

    assert_int_equal(active(t, id), 1);
    patch(t, id, "{\"down\":true}");
    only_node_answers(t, id == 0 ? "b" : "a", 6);
    assert_int_equal(active(t, id), 1);
    stage_raw_send(s, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    again = stage_raw_answer(s, fd, WAIT_MS);
    assert_non_null(strstr(again, "200 OK"));
    (void)shutdown(fd, SHUT_RDWR);
    wait_active(t, id, 0);
}

static void stream_changes_and_sessions_outlive_a_reload(struct stage *s)
{
    struct tcp *t = start_tcp(s, "least_conn;");
    const char *node;
    int fd = session_open(t, &node);
    unsigned id = strcmp(node, "a") == 0 ? 0 : 1;

    patch(t, id, "{\"down\":true}");
    for (int i = 0; i < 2; i++) {
        stage_nginx_reload(t->lb);
        assert_string_equal(state_of(t, id), "down");
        assert_int_equal(active(t, id), 1); /* held by a worker of before */
        only_node_answers(t, id == 0 ? "b" : "a", 6);
    }
    (void)shutdown(fd, SHUT_RDWR);
    wait_active(t, id, 0);
}

static void stream_changes_outlive_a_stop_of_nginx_in_the_state_file(struct stage *s)
{
    struct tcp *t = start_tcp(s, "");

    t->conf.http_extra = stage_text(s, "api_state %s/state;", stage_mkdir(s, "keep"));
    stage_nginx_write(t->lb, &t->conf);
    stage_nginx_reload(t->lb);
    patch(t, 0, "{\"down\":true,\"max_conns\":9}");
    stage_nginx_stop(t->lb, SIGKILL);
    stage_nginx_again(t->lb);
    assert_string_equal(state_of(t, 0), "down");
    assert_string_equal(state_of(t, 1), "up");
    assert_int_equal(stage_json_int(s, peer(t, 0), "max_conns"), 9);
    assert_string_equal(stage_json_string(s, ask(t, "GET", "http/upstreams/app", NULL)->json, "peers.0.state"), "up");
    only_node_answers(t, "b", 6);
}

/* What 12 connections carried, by what the client itself sent and got. */
static void connections_and_their_bytes_are_counted(struct stage *s)
{
    static const char question[] = "GET / HTTP/1.0\r\nHost: x\r\n\r\n";
    struct tcp *t = start_tcp(s, "");
    uint64_t received = 0, counted_sent = 0, counted_received = 0, connections = 0;

    for (int i = 0; i < 12; i++) {
        int fd = stage_raw_open(s, t->port);

        stage_raw_send(s, fd, question);
        received += strlen(stage_raw_answer(s, fd, WAIT_MS));
        assert_true(stage_raw_closes(s, fd, WAIT_MS));
    }
    for (unsigned id = 0; id < 2; id++) {
        wait_active(t, id, 0);
        connections += (uint64_t)stage_json_int(s, peer(t, id), "connections");
        counted_sent += (uint64_t)stage_json_int(s, peer(t, id), "sent");
        counted_received += (uint64_t)stage_json_int(s, peer(t, id), "received");
        assert_int_equal(stage_json_int(s, peer(t, id), "fails"), 0);
        assert_non_null(stage_json_find(peer(t, id), "selected"));
        assert_non_null(stage_json_find(peer(t, id), "connect_time"));
        assert_null(stage_json_find(peer(t, id), "responses"));
    }
    assert_int_equal(connections, 12);
    assert_int_equal(counted_sent, 12 * (sizeof question - 1));
    assert_int_equal(counted_received, received);
}

static int listen_at(struct stage *s, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
        stage_fail(s, "cannot listen on port %u", port);
    return fd;
}

struct outage {
    struct tcp *tcp;
    const char *state;
    json_int_t downtime;
    int listener, fd;
};

static bool has_state(void *ctx)
{
    const struct outage *o = ctx;

    return strcmp(state_of(o->tcp, 0), o->state) == 0;
}

static bool connects_until_state(void *ctx)
{
    const struct outage *o = ctx;
    const char *node;

    (void)shutdown(session_open(o->tcp, &node), SHUT_RDWR);
    return has_state(ctx);
}

static bool connects_until_held(void *ctx)
{
    const struct outage *o = ctx;

    (void)stage_raw_open(o->tcp->stage, o->tcp->port);
    return active(o->tcp, 0) > 0;
}

static bool accepts(void *ctx)
{
    struct outage *o = ctx;

    o->fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);
    return o->fd >= 0;
}

static bool downtime_grows(void *ctx)
{
    const struct outage *o = ctx;

    return stage_json_int(o->tcp->stage, peer(o->tcp, 0), "downtime") != o->downtime;
}

/* Not first when its session ends, which may last. */
static void an_outage_ends_when_a_connection_comes_about(struct stage *s)
{
    uint16_t port = stage_port(s);
    struct tcp *t = start_tcp(s, stage_text(s, "server 127.0.0.1:%u max_fails=1 fail_timeout=2s;", port));
    struct outage o = {.tcp = t, .state = "unavail"};

    stage_wait_until(s, connects_until_state, &o, WAIT_MS, "a connection to make the dead server unavail");
    o.state = "up";
    stage_wait_until(s, has_state, &o, WAIT_MS, "its fail_timeout to be over");
    o.listener = listen_at(s, port);
    stage_wait_until(s, connects_until_held, &o, WAIT_MS, "a session at the server that came back");
    stage_wait_until(s, accepts, &o, WAIT_MS, "its connection");
    stage_wait_until(s, has_state, &o, WAIT_MS, "it to be up");
    o.downtime = stage_json_int(s, peer(t, 0), "downtime");
    assert_false(stage_comes_true(s, downtime_grows, &o, 200));

    (void)close(o.listener); /* the session lasts, and the server dies for others */
    o.state = "unavail";
    stage_wait_until(s, connects_until_state, &o, WAIT_MS, "a connection to make it unavail again");
    assert_int_equal(active(t, 0), 1);
    assert_int_equal(stage_json_int(s, peer(t, 0), "unavail"), 2);
    (void)close(o.fd);
}

static void http_and_stream_upstreams_of_one_name_are_two(struct stage *s)
{
    static const char lease[] = "Rollout-Fence: 7\nRollout-Id: one\nRollout-Ttl: 60";
    struct tcp *t = start_tcp(s, "");
    struct stage_answer *a = stage_http(s, "PATCH", stage_text(s, "%s/9/stream/upstreams/app/servers/0", t->lb->api),
                                        lease, "{\"down\":true}");

    assert_int_equal(a->status, 200);
    a = ask(t, "GET", "http/upstreams/app", NULL);
    assert_string_equal(stage_json_string(s, a->json, "peers.0.state"), "up");
    assert_int_equal(stage_json_int(s, a->json, "rollout.fence"), 0);
    a = ask(t, "GET", "stream/upstreams/app", NULL);
    assert_string_equal(stage_json_string(s, a->json, "peers.0.state"), "down");
    assert_int_equal(stage_json_int(s, a->json, "rollout.fence"), 7);
}

static void stream_refusals_are_those_of_http(struct stage *s)
{
    static const struct {
        const char *method, *path, *body, *code;
        int status;
    } rows[] = {
        {"GET", "stream/upstreams/none", NULL, "UpstreamNotFound", 404},
        {"GET", "stream/upstreams/fixed", NULL, "UpstreamStatic", 400},
        {"GET", "stream/upstreams/app/servers/2", NULL, "UpstreamServerNotFound", 404},
        {"PATCH", "stream/upstreams/app/servers/x", "{\"down\":true}", "UpstreamBadServerId", 400},
        {"POST", "stream/upstreams/app/servers", "{\"server\":\"127.0.0.1:1\"}", "MethodDisabled", 405},
        {"DELETE", "stream/upstreams/app/servers/0", NULL, "MethodDisabled", 405},
        /* what NGINX Plus has for http only */
        {"PATCH", "stream/upstreams/app/servers/0", "{\"drain\":true}", "UpstreamConfFormatError", 400},
        {"PATCH", "stream/upstreams/app/servers/0", "{\"route\":\"\"}", "UpstreamConfFormatError", 400},
    };
    struct tcp *t = start_tcp(s, "");

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = ask(t, rows[i].method, rows[i].path, rows[i].body);

        assert_int_equal(a->status, rows[i].status);
        assert_string_equal(stage_json_string(s, a->json, "error.code"), rows[i].code);
    }
}

static void without_the_stream_module_there_are_no_stream_upstreams(struct stage *s)
{
    const struct stage_nginx_conf conf = {.main_extra = NULL};
    struct stage_nginx *n = stage_nginx_start(s, "lb", &conf);
    struct stage_answer *a = stage_http(s, "GET", stage_text(s, "%s/9/stream/upstreams", n->api), NULL, NULL);

    assert_int_equal(a->status, 404);
    assert_string_equal(stage_json_string(s, a->json, "error.code"), "PathNotFound");
}

static void a_stream_module_without_the_http_one_is_refused_with_a_sentence(struct stage *s)
{
    const char *path =
        stage_write(s, "alone.conf", stage_text(s, "%spid %s/pid;\nevents { }\nstream { }\n", load_modules(s), s->dir));
    struct stage_run run =
        stage_nginx_run(s, WAIT_MS, (const char *const[]){"/usr/sbin/nginx", "-t", "-e", "stderr", "-c", path, NULL});

    assert_int_not_equal(run.exit_code, 0);
    assert_non_null(strstr(run.err, "load that one before it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_stream_upstream_is_listed_and_changed_by_the_same_api),
        stage_test(every_stream_balancer_in_every_worker_obeys_at_once),
        stage_test(a_stream_server_is_quiet_when_its_last_session_has_ended),
        stage_test(stream_changes_and_sessions_outlive_a_reload),
        stage_test(stream_changes_outlive_a_stop_of_nginx_in_the_state_file),
        stage_test(connections_and_their_bytes_are_counted),
        stage_test(an_outage_ends_when_a_connection_comes_about),
        stage_test(http_and_stream_upstreams_of_one_name_are_two),
        stage_test(stream_refusals_are_those_of_http),
        stage_test(without_the_stream_module_there_are_no_stream_upstreams),
        stage_test(a_stream_module_without_the_http_one_is_refused_with_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
