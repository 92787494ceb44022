/* module_api_case.c - what the nginx module answers: the paths, bodies and errors of the NGINX Plus API. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/test.h"

#define SERVER "/9/http/upstreams/app/servers/0"

/* Upstream app with a zone (two servers and a backup; nobody listens there) and, in front of it since the stage tries
 * the first one, `fixed` without. */
static struct stage_nginx *start(struct stage *s, const char *api_args)
{
    const char *const app[] = {stage_text(s, "127.0.0.1:%u weight=3 max_fails=2 fail_timeout=5s", stage_port(s)),
                               stage_text(s, "127.0.0.1:%u", stage_port(s)),
                               stage_text(s, "127.0.0.1:%u backup", stage_port(s)), NULL};
    const char *const fixed[] = {app[1], NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "fixed", .peers = fixed, .no_zone = true}, {.name = "app", .peers = app}, {.name = NULL}};

    return stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .api_args = api_args});
}

static struct stage_answer *ask(struct stage_nginx *n, const char *method, const char *path, const char *body)
{
    return stage_http(n->stage, method, stage_text(n->stage, "%s%s", n->api, path), NULL, body);
}

static void good_paths_answer_as_plus_does(struct stage *s)
{
    static const struct {
        const char *path, *body;
    } rows[] = {
        {"", "[4,5,6,7,8,9]"},
        {"/", "[4,5,6,7,8,9]"},
        {"/4/", "[\"nginx\",\"processes\",\"connections\",\"slabs\",\"http\",\"ssl\"]"},
        {"/9", "[\"nginx\",\"processes\",\"connections\",\"slabs\",\"http\",\"resolvers\",\"ssl\",\"workers\"]"},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = ask(n, "GET", rows[i].path, NULL);

        assert_int_equal(a->status, 200);
        assert_string_equal(a->body, rows[i].body);
        assert_string_equal(stage_header(s, a, "Content-Type"), "application/json");
    }
    struct stage_answer *a = ask(n, "GET", "/9/nginx", NULL);
    assert_string_equal(stage_json_string(s, a->json, "version"), "1.22.1");
    assert_int_equal(stage_json_int(s, a->json, "generation"), 1);
    assert_int_equal(stage_json_int(s, a->json, "ppid"), n->proc->pid);
    assert_string_equal(stage_json_string(s, a->json, "address"), "127.0.0.1");
    assert_int_equal(strlen(stage_json_string(s, a->json, "load_timestamp")), strlen("2026-11-23T15:11:15.467Z"));
}

static void an_upstream_shows_its_peers_and_one_without_a_zone_is_not_listed(struct stage *s)
{
    struct stage_nginx *n = start(s, NULL);
    const json_t *list = ask(n, "GET", "/9/http/upstreams", NULL)->json;

    assert_int_equal(json_object_size(list), 1);
    assert_int_equal(json_array_size(stage_json(s, list, "app.peers")), 3);
    assert_int_equal(stage_json_int(s, list, "app.peers.0.id"), 0);
    assert_int_equal(stage_json_int(s, list, "app.peers.0.weight"), 3);
    assert_int_equal(stage_json_int(s, list, "app.peers.0.active"), 0);
    assert_string_equal(stage_json_string(s, list, "app.peers.0.state"), "up");
    assert_false(stage_json_bool(s, list, "app.peers.1.backup"));
    assert_true(stage_json_bool(s, list, "app.peers.2.backup"));
    assert_string_equal(stage_json_string(s, list, "app.zone"), "app");
    assert_int_equal(stage_json_int(s, list, "app.rollout.fence"), 0);
    assert_true(stage_json_bool(s, list, "app.rollout.active_exact"));
    assert_false(stage_json_bool(s, list, "app.rollout.state_kept"));

    const json_t *one = ask(n, "GET", SERVER, NULL)->json;
    assert_string_equal(stage_json_string(s, one, "server"), stage_json_string(s, list, "app.peers.0.server"));
    assert_string_equal(stage_json_string(s, one, "fail_timeout"), "5s");
    assert_int_equal(stage_json_int(s, one, "max_fails"), 2);
    assert_false(stage_json_bool(s, one, "down"));
    assert_null(stage_json_find(one, "drain"));
}

static void errors_have_the_status_and_code_of_plus(struct stage *s)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *code;
    } rows[] = {
        {"GET", "/3/", NULL, 404, "UnknownVersion"},
        {"GET", "/10/nginx", NULL, 404, "UnknownVersion"},
        {"GET", "/9/connection", NULL, 404, "PathNotFound"},
        {"GET", "s", NULL, 404, "PathNotFound"},
        {"GET", "/9/http/upstreams/none", NULL, 404, "UpstreamNotFound"},
        {"GET", "/9/http/upstreams/fixed", NULL, 400, "UpstreamStatic"},
        {"GET", "/9/http/upstreams/app/servers/x", NULL, 400, "UpstreamBadServerId"},
        {"GET", "/9/http/upstreams/app/servers/3", NULL, 404, "UpstreamServerNotFound"},
        {"POST", "/9/http/upstreams/app/servers", "{}", 405, "MethodDisabled"},
        {"DELETE", SERVER, NULL, 405, "MethodDisabled"},
        {"PATCH", "/9/http/upstreams/app/servers/3", "{}", 404, "UpstreamServerNotFound"},
        {"PATCH", SERVER, "", 415, "JsonError"},
        {"PATCH", SERVER, "{\"down\":true", 415, "JsonError"},
        {"PATCH", SERVER, "[true]", 415, "JsonError"},
        {"PATCH", SERVER, "{\"down\":1}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"down\":null}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"drain\":\"yes\"}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"down\":true,\"down\":false}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"down\":true,\"speed\":9}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"down\":[true]}", 400, "UpstreamConfFormatError"},
        {"PATCH", SERVER, "{\"down\":true,\"slow_start\":\"9s\"}", 400, "UpstreamServerImmutable"},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = ask(n, rows[i].method, rows[i].path, rows[i].body);

        if (a->status != rows[i].status || a->json == NULL)
            stage_fail(s, "%s %s: %d %s", rows[i].method, rows[i].path, a->status, a->body);
        assert_string_equal(stage_json_string(s, a->json, "error.code"), rows[i].code);
        assert_int_equal(stage_json_int(s, a->json, "error.status"), rows[i].status);
        assert_int_equal(strlen(stage_json_string(s, a->json, "request_id")), 32);
        assert_true(strlen(stage_json_string(s, a->json, "href")) > 0);
    }
    assert_false(stage_json_bool(s, ask(n, "GET", SERVER, NULL)->json, "down"));
}

static void without_write_nothing_can_be_changed(struct stage *s)
{
    struct stage_nginx *n = start(s, "write=off");
    struct stage_answer *a = ask(n, "PATCH", SERVER, "{\"down\":true}");

    assert_int_equal(a->status, 405);
    assert_string_equal(stage_json_string(s, a->json, "error.code"), "MethodDisabled");
    assert_false(stage_json_bool(s, ask(n, "GET", SERVER, NULL)->json, "down"));
}

static void drain_and_down_lead_from_state_to_state(struct stage *s)
{
    static const struct {
        const char *body, *state;
    } rows[] = {
        {"{\"drain\":true}", "draining"},
        {"{}", "draining"},
        {"{\"drain\":false}", "up"},
        {"{\"drain\":true}", "draining"},
        {"{\"down\":false}", "up"}, /* some clients cannot send drain:false */
        {"{\"drain\":true}", "draining"},
        {"{\"down\":true}", "down"},
        {"{\"drain\":false}", "down"},
        {"{\"down\":false,\"drain\":true}", "draining"},
        {"{\"down\":true,\"drain\":true}", "down"},
        {" {\"weight\":3,\"backup\":false,\"fail_timeout\":\"5s\",\"down\":false} ", "up"},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_answer *a = ask(n, "PATCH", SERVER, rows[i].body);
        const json_t *app = ask(n, "GET", "/9/http/upstreams/app", NULL)->json;
        const char *state = stage_json_string(s, app, "peers.0.state");

        if (a->status != 200 || strcmp(state, rows[i].state) != 0)
            stage_fail(s, "%s gives %d and %s", rows[i].body, a->status, state);
        assert_int_equal(stage_json_bool(s, a->json, "down"), strcmp(state, "down") == 0);
        assert_int_equal(stage_json_find(a->json, "drain") != NULL, strcmp(state, "draining") == 0);
        assert_string_equal(stage_json_string(s, app, "peers.1.state"), "up");
    }
}

/* Several requests in one write on one connection; the statuses of the answers, each with a space behind it. */
static void talk(struct stage *s, uint16_t port, const char *requests, char *statuses, size_t size)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[64 * 1024] = "";
    size_t got = 0;
    ssize_t k = -1;

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(send(fd, requests, strlen(requests), MSG_NOSIGNAL), strlen(requests));
    while (got < sizeof text - 1 && (k = recv(fd, text + got, sizeof text - 1 - got, 0)) > 0)
        got += (size_t)k;
    close(fd);
    if (k != 0)
        stage_fail(s, "the connection did not end after %zu bytes: %s", got, text);
    statuses[0] = '\0';
    for (const char *at = text; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++) {
        size_t used = strlen(statuses);

        (void)snprintf(statuses + used, size - used, "%.3s ", at + 9);
    }
}

static void a_refused_request_leaves_its_connection_usable(struct stage *s)
{
    static const char *const refused[] = {
        "PATCH /api/9/http/upstreams/none/servers/0", "PATCH /api/9/http/upstreams/app/servers/77",
        "POST /api/9/http/upstreams/app/servers",     "GET /api/77/",
        "PATCH /api/9/http/upstreams/app/servers/0",
    };
    const char *text = "";
    char statuses[256];
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        text = stage_text(s, "%s%s HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n{\"nothing\":1", text, refused[i]);
    text = stage_text(s,
                      "%sPATCH "
                      "/api" SERVER " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "7\r\n{\"drain\r\n7\r\n\":true}\r\n0\r\n\r\n"
                      "GET /api/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                      text);
    talk(s, n->api_port, text, statuses, sizeof statuses);
    assert_string_equal(statuses, "404 404 405 404 415 200 200 ");
}

static void a_large_body_is_refused_and_a_spooled_one_is_read(struct stage *s)
{
    struct stage_nginx *n = start(s, NULL);
    const char *spooled = stage_text(s, "{\"down\":true%60000s}", "");
    const char *large = stage_text(s, "{\"down\":false%70000s}", "");

    assert_int_equal(ask(n, "PATCH", SERVER, spooled)->status, 200);
    struct stage_answer *a = ask(n, "PATCH", SERVER, large);
    assert_int_equal(a->status, 413);
    assert_string_equal(stage_json_string(s, a->json, "error.code"), "BodyTooLarge");
    assert_true(stage_json_bool(s, ask(n, "GET", SERVER, NULL)->json, "down"));
}

static void a_long_name_is_cut_between_its_characters(struct stage *s)
{
    struct stage_nginx *n = start(s, NULL);
    const char *name = "\xc3\xa9";

    for (int i = 0; i < 10; i++)
        name = stage_text(s, "%s%s", name, name);
    for (int i = 0; i < 2;
         i++, name = stage_text(s, "x%s", name)) { /* a text that ends in mid-character, and one not */
        struct stage_answer *a = ask(n, "PATCH", SERVER, stage_text(s, "{\"%s\":1}", name));
        const char *text = stage_json_string(s, a->json, "error.text");

        assert_in_range(strlen(text), 1000, strlen(name));
        assert_null(strstr(text, "\xef\xbf\xbd")); /* what stands for a broken one */
    }
}

/* The directive's location is guarded by `limit_except`, as in the manual of NGINX Plus, or split by an `if`. */
static void a_guard_within_the_location_leaves_the_api_in_place(struct stage *s)
{
    const char *const app[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "fixed", .peers = app, .no_zone = true}, {.name = "app", .peers = app}, {.name = NULL}};
    struct stage_nginx *n = stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .server_extra = "location /open { api write=on; limit_except GET { allow 127.0.0.1; deny all; } }\n"
                            "location /shut { limit_except GET { deny all; } api write=on; }\n"
                            "location /if { api write=on; if ($request_method = PATCH) { set $a b; } }\n"});
    static const struct {
        const char *path;
        int get, patch;
    } rows[] = {{"/open", 200, 200}, {"/shut", 200, 403}, {"/if", 200, 200}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *url = stage_text(s, "%s%s%s", n->url, rows[i].path, SERVER);

        assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, rows[i].get);
        assert_int_equal(stage_http(s, "PATCH", url, NULL, "{\"drain\":true}")->status, rows[i].patch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(good_paths_answer_as_plus_does),
        stage_test(an_upstream_shows_its_peers_and_one_without_a_zone_is_not_listed),
        stage_test(errors_have_the_status_and_code_of_plus),
        stage_test(without_write_nothing_can_be_changed),
        stage_test(drain_and_down_lead_from_state_to_state),
        stage_test(a_refused_request_leaves_its_connection_usable),
        stage_test(a_large_body_is_refused_and_a_spooled_one_is_read),
        stage_test(a_long_name_is_cut_between_its_characters),
        stage_test(a_guard_within_the_location_leaves_the_api_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
