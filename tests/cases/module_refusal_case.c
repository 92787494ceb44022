/* module_refusal_case.c - a refused request is told why, changes nothing, and its connection goes on. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "tests/stage/ca.h"
#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/quick.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define LIMIT_MS      10000
#define COUNT(a)      (sizeof(a) / sizeof *(a))
#define STREAM_MODULE "/usr/lib/nginx/modules/ngx_stream_module.so"
#define APP           "/9/http/upstreams/app"
#define SERVER        APP "/servers/0"
#define VERSIONS      "[4,5,6,7,8,9]"
#define NEXT          "GET /api/ HTTP/1.1\r\nHost: a\r\n\r\n"

/* Two http servers and a stream server that nobody listens on; below /api with write=on, below /ro with what is the
 * default. */
static struct stage_nginx *start(struct stage *s, const char *http_extra)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)),
                                 stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "fixed", .peers = peers, .no_zone = true}, {.name = "app", .peers = peers}, {.name = NULL}};

    return stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .http_extra = http_extra,
            .server_extra = "location /ro { api; }\n"
                            "location /api { api write=on; }\n"
                            "location /elsewhere { rewrite ^/elsewhere/(.*)$ /somewhere/$1 break;\n"
                            "    rewrite ^/elsewhere$ /x break; api write=on; }\n",
            .main_extra = stage_text(s,
                                     "load_module " STREAM_MODULE ";\n"
                                     "load_module %s/nginx-module/ngx_stream_upstream_api_module.so;\n"
                                     "stream { upstream tcp { zone tcp 64k; server 127.0.0.1:9; } }",
                                     s->build),
        });
}

static struct stage_answer *ask(struct stage_nginx *n, const char *method, const char *path, const char *body)
{
    return stage_http(n->stage, method, stage_text(n->stage, "%s%s", n->url, path), NULL, body);
}

static void nothing_has_changed(struct stage_nginx *n)
{
    const json_t *app = ask(n, "GET", "/api" APP, NULL)->json;

    assert_string_equal(stage_json_string(n->stage, app, "peers.0.state"), "up");
    assert_string_equal(stage_json_string(n->stage, app, "peers.1.state"), "up");
    assert_int_equal(stage_json_int(n->stage, app, "peers.0.weight"), 1);
    assert_int_equal(stage_json_int(n->stage, app, "rollout.fence"), 0);
}

/* ---- methods */

static void a_refused_method_says_why_and_what_is_allowed(struct stage *s)
{
    static const char fixed[] = "fixed when nginx loads its configuration: edit the file and reload";
    static const char off[] = "write=off";
    const struct {
        const char *method, *path, *allow, *why;
    } rows[] = {
        {"POST", "/api" APP "/servers", "GET, HEAD", fixed},
        {"POST", "/api" APP "/servers/", "GET, HEAD", fixed},
        {"DELETE", "/api" SERVER, "GET, HEAD, PATCH", fixed},
        {"DELETE", "/api" SERVER, "GET, HEAD, PATCH", "PATCH it with {\"down\":true}"},
        {"POST", "/api/9/stream/upstreams/tcp/servers", "GET, HEAD", fixed},
        {"DELETE", "/api/9/stream/upstreams/tcp/servers/0", "GET, HEAD, PATCH", fixed},
        {"POST", "/ro" APP "/servers", "GET, HEAD", fixed},
        {"DELETE", "/ro" SERVER, "GET, HEAD", fixed},
        {"PATCH", "/ro" SERVER, "GET, HEAD", off},
        {"PATCH", "/ro/9/stream/upstreams/tcp/servers/0", "GET, HEAD", off},
        {"PATCH", "/api" APP "/servers", "GET, HEAD", "PATCH one server"},
        {"PATCH", "/api/", "GET, HEAD", "PATCH one server"},
        {"DELETE", "/api" APP, "GET, HEAD", "counters are not reset"},
        {"PUT", "/api" SERVER, "GET, HEAD, PATCH", "GET, HEAD and PATCH"},
        {"OPTIONS", "/api" SERVER, "GET, HEAD, PATCH", "GET, HEAD and PATCH"},
        {"OPTIONS", "/ro" SERVER, "GET, HEAD", "GET and HEAD"},
        {"PROPFIND", "/api/9/nginx", "GET, HEAD", "GET and HEAD"},
        {"X_ODD", "/api/9/", "GET, HEAD", "GET and HEAD"},
        {"X_ODD", "/api", "GET, HEAD", "GET and HEAD"},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stage_answer *a = ask(n, rows[i].method, rows[i].path, "{\"down\":true}");
        const char *allow = stage_header(s, a, "Allow");

        if (a->status != 405 || a->json == NULL || allow == NULL || strcmp(allow, rows[i].allow) != 0 ||
            strstr(stage_json_string(s, a->json, "error.text"), rows[i].why) == NULL)
            stage_fail(s, "%s %s: %s%s", rows[i].method, rows[i].path, a->headers, a->body);
        assert_string_equal(stage_json_string(s, a->json, "error.code"), "MethodDisabled");
    }
    nothing_has_changed(n);
    assert_string_equal(stage_json_string(s, ask(n, "GET", "/api/9/stream/upstreams/tcp", NULL)->json, "peers.0.state"),
                        "up");
}

static void head_is_get_without_the_body(struct stage *s)
{
    static const char *const paths[] = {"",   "/9/",     "/9/nginx",      APP, APP "/servers/", SERVER,
                                        "/3", "/9/none", APP "/servers/9"};
    struct stage_nginx *n = start(s, NULL);
    struct stage_quick *q = stage_alloc(s, sizeof *q);
    int fd = stage_raw_open(s, n->port);

    for (size_t i = 0; i < COUNT(paths); i++) {
        const char *path = stage_text(s, "/api%s", paths[i]);
        struct stage_answer *get = ask(n, "GET", path, NULL);

        q->is_head = true;
        stage_raw_send(s, fd, stage_text(s, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", path));
        assert_true(stage_quick_take(q, fd, LIMIT_MS));
        assert_int_equal(q->status, get->status);
        assert_non_null(strstr(q->bytes, "Content-Type: application/json\r\n"));
        assert_non_null(
            strstr(q->bytes, stage_text(s, "Content-Length: %s\r\n", stage_header(s, get, "Content-Length"))));
        q->is_head = false;
        stage_raw_send(s, fd, NEXT);
        assert_true(stage_quick_take(q, fd, LIMIT_MS)); /* a body would be taken for this answer */
        assert_int_equal(q->status, 200);
        assert_string_equal(q->body, VERSIONS);
    }
}

/* ---- paths */

static void a_slash_at_the_end_does_not_matter(struct stage *s)
{
    static const char *const paths[] = {"", "/9", "/9/http", "/9/http/upstreams", APP, APP "/servers", SERVER};
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < COUNT(paths); i++) {
        struct stage_answer *a = ask(n, "GET", stage_text(s, "/api%s", paths[i]), NULL);

        assert_int_equal(a->status, 200);
        assert_string_equal(a->body, ask(n, "GET", stage_text(s, "/api%s/", paths[i]), NULL)->body);
    }
    assert_int_equal(ask(n, "PATCH", "/api" SERVER "/", "{\"down\":true}")->status, 200);
}

static void an_upstream_of_any_name_is_reached_by_its_escapes(struct stage *s)
{
    static const struct {
        const char *name, *conf, *path;
    } rows[] = {
        {"caf\xc3\xa9", "caf\xc3\xa9", "caf%C3%A9"},
        {"caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9"},
        {"a b", "\"a b\"", "a%20b"},
        {"50%", "50%", "50%25"},
        {"q\"x", "'q\"x'", "q%22x"},
        {"b\\\\s", "'b\\\\\\\\s'", "b%5C%5Cs"},
        {"a+b", "a+b", "a+b"},
        {"a+b", "a+b", "a%2bb"},
        {"semi;colon?", "'semi;colon?'", "semi;colon%3F"},
        {"#", "'#'", "%23"},
    };
    const char *conf = "";

    for (size_t i = 0; i < COUNT(rows); i++)
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            conf = stage_text(s, "%supstream %s { zone z%zu 64k; server 127.0.0.1:9; server 127.0.0.1:10; }\n", conf,
                              rows[i].conf, i);
    struct stage_nginx *n = start(s, conf);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *path = stage_text(s, "/api/9/http/upstreams/%s", rows[i].path);
        struct stage_answer *a = ask(n, "PATCH", stage_text(s, "%s/servers/1", path), "{\"down\":true}");

        if (a->status != 200)
            stage_fail(s, "%s: %d %s", path, a->status, a->body);
        assert_string_equal(stage_json_string(s, ask(n, "GET", path, NULL)->json, "peers.1.state"), "down");
        assert_non_null(json_object_get(ask(n, "GET", "/api/9/http/upstreams", NULL)->json, rows[i].name));
        assert_int_equal(ask(n, "PATCH", stage_text(s, "%s/servers/1", path), "{\"down\":false}")->status, 200);
    }
    nothing_has_changed(n);
}

static void odd_escapes_name_nothing(struct stage *s)
{
    static const struct {
        const char *path;
        int status;
        const char *code; /* NULL: the answer is nginx's own */
    } rows[] = {
        {"/api/9/http/upstreams/app%00/servers/0", 400, NULL},
        {"/api/9/http/upstreams/app/servers/%", 400, NULL},
        {"/api/9/http/upstreams/app/servers/%3", 400, NULL},
        {"/api/9/http/upstreams/%zz/servers/0", 400, NULL},
        {"/api/9/../../../etc", 400, NULL},
        {"/api/9/%2e%2e/%2e%2e/%2e%2e/etc", 400, NULL},
        {"/api/../etc", 405, NULL},
        {"/api/9/http/upstreams/%c0%af/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/%c0%ae%c0%ae/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/app%c0%80/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/%ff%fe/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/%2561pp/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/app%0d%0aX:%20y/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/app%2f..%2fnone/servers/0", 404, "UpstreamNotFound"},
        {"/api/9/http/upstreams/app%2fservers%2f0%2f1", 404, "PathNotFound"},
        {"/api/9/http/upstreams/app/servers/0%20", 400, "UpstreamBadServerId"},
        {"/api/9/http/upstreams/app/servers/0x0", 400, "UpstreamBadServerId"},
        {"/api/9/http/upstreams/app/servers/-0", 400, "UpstreamBadServerId"},
        {"/api/9/http/upstreams/app/servers/18446744073709551616", 400, "UpstreamBadServerId"},
        {"/api/9%2e0/http/upstreams/app/servers/0", 404, "UnknownVersion"},
        {"/api/9/HTTP/upstreams/app/servers/0", 404, "PathNotFound"},
        {"/apis/9/http/upstreams/app/servers/0", 404, "PathNotFound"},
        {"/elsewhere", 404, "PathNotFound"}, /* by `rewrite ... break` */
        {"/elsewhere/9/http/upstreams/app/servers/0", 404, "PathNotFound"},
    };
    struct stage_nginx *n = start(s, "server_tokens off;");
    const char *long_name = stage_text(s, "/api/9/http/upstreams/%07000d/servers/0", 0);

    for (size_t i = 0; i < COUNT(rows); i++) {
        bool ours = rows[i].code != NULL;
        const char *host = strncmp(rows[i].path, "/elsewhere", 10) == 0 || strncmp(rows[i].path, "/apis", 5) == 0
                               ? n->url
                               : stage_text(s, "http://127.0.0.1:%u", n->api_port); /* nothing but the API is there */
        struct stage_answer *a =
            stage_http(s, "PATCH", stage_text(s, "%s%s", host, rows[i].path), NULL, "{\"down\":true}");

        if (a->status != rows[i].status || ours != (a->json != NULL))
            stage_fail(s, "%s: %d %s", rows[i].path, a->status, a->body);
        if (ours)
            assert_string_equal(stage_json_string(s, a->json, "error.code"), rows[i].code);
        assert_null(stage_header(s, a, "X"));
    }
    assert_int_equal(ask(n, "PATCH", long_name, "{\"down\":true}")->status, 404);
    assert_int_equal(ask(n, "PATCH", stage_text(s, "%s%05000d", long_name, 0), "{\"down\":true}")->status, 414);
    nothing_has_changed(n);
    assert_int_equal(ask(n, "GET", "/api/9/http/upstreams/app%2fservers%2f0", NULL)->status,
                     200); /* as nginx reads it */
    assert_int_equal(ask(n, "GET", "/api//9/./http/x/../upstreams/%61pp", NULL)->status, 200);
    assert_null(strstr(stage_read(s, n->error_log), "exited on signal"));
}

/* ---- bodies */

struct framing {
    const char *name, *version, *headers;
    bool chunked, expects, late, pipelined;
};

static const char *frame_body(struct stage *s, const struct framing *f, const char *body)
{
    size_t size = strlen(body), half = size / 2;

    if (!f->chunked)
        return body;
    return stage_text(s, "%zx\r\n%.*s\r\n%zx;x=y\r\n%s\r\n0\r\n\r\n", half, (int)half, body, size - half, body + half);
}

static const char *frame_head(struct stage *s, const struct framing *f, const char *request, const char *more,
                              const char *body)
{
    const char *length =
        f->chunked ? "Transfer-Encoding: chunked\r\n" : stage_text(s, "Content-Length: %zu\r\n", strlen(body));

    return stage_text(s, "%s %s\r\nHost: a\r\n%s%s%s\r\n", request, f->version, f->headers, more, length);
}

static bool has_status(const char *answer, int status)
{
    char text[16];

    (void)snprintf(text, sizeof text, "HTTP/1.1 %d ", status);
    return strncmp(answer, text, strlen(text)) == 0;
}

/* The answer to one request; its body comes with it, later, or when the server says so. judged: the answer needs it. */
static const char *send_framed(struct stage *s, int fd, const struct framing *f, bool judged, const char *head,
                               const char *body)
{
    const char *answer;

    if (f->pipelined) {
        stage_raw_send(s, fd, stage_text(s, "%s%s" NEXT, head, body));
    } else if (f->expects) {
        stage_raw_send(s, fd, head);
        answer = stage_raw_answer(s, fd, LIMIT_MS);
        if (!has_status(answer, 100))
            return answer;
        stage_raw_send(s, fd, body);
    } else if (f->late) {
        stage_raw_send(s, fd, head);
        stage_raw_send(s, fd, stage_text(s, "%.9s", body));
        if (!judged) {
            answer = stage_raw_answer(s, fd, LIMIT_MS);
            stage_raw_send(s, fd, body + 9);
            return answer;
        }
        stage_raw_send(s, fd, body + 9);
    } else {
        stage_raw_send(s, fd, stage_text(s, "%s%s", head, body));
    }
    return stage_raw_answer(s, fd, LIMIT_MS);
}

/* What they carry is a request itself where nothing else is said: it must not be taken for one. */
static const struct refused {
    const char *request, *headers, *body;
    int status;
} refused[] = {
    {"PATCH /api/9/http/upstreams/none/servers/0", "", NULL, 404},
    {"PATCH /api/9/http/upstreams/fixed/servers/0", "", NULL, 400},
    {"PATCH /api" APP "/servers/77", "", NULL, 404},
    {"PATCH /api" APP "/servers/x", "", NULL, 400},
    {"POST /api" APP "/servers", "", NULL, 405},
    {"DELETE /api" SERVER, "", NULL, 405},
    {"PATCH /ro" SERVER, "", NULL, 405},
    {"X_ODD /api", "", NULL, 405},
    {"GET /api/77/", "", NULL, 404},
    {"GET /api/9/none", "", NULL, 404},
    {"GET /api" APP, "", NULL, 200},
    {"PATCH /api" SERVER "?min_up=x", "", NULL, 400},
    {"PATCH /api" SERVER, "Rollout-Fence: x\r\n", NULL, 400},
    {"PATCH /api" SERVER, "Rollout-Fence: 5\r\n", "{\"down\":true}", 400},
    {"PATCH /api" SERVER "?min_up=9", "Rollout-Fence: 5\r\nRollout-Id: a\r\nRollout-Ttl: 9\r\n", "{\"down\":true}",
     409},
    {"PATCH /api" SERVER, "", NULL, 415},
    {"PATCH /api" SERVER, "", "{\"down\":true,", 415},
    {"PATCH /api" SERVER, "", "{\"down\":true,\"x\":[[[[{}]]]]}", 400},
    {"PATCH /api" SERVER, "", "{\"down\":true,\"x\":{\"y\":1}}", 400},
    {"PATCH /api" SERVER, "", "{\"down\":true,\"server\":\"127.0.0.1:1\"}", 400},
    {"PATCH /api" SERVER, "", "{\"down\":true,\"weight\":0}", 400},
};

/* Else it is answered before its body is here. */
static bool is_judged_by_body(const struct refused *r)
{
    return strncmp(r->request, "PATCH /api" SERVER, strlen("PATCH /api" SERVER)) == 0 &&
           strstr(r->request, "min_up=x") == NULL &&
           (r->headers[0] == '\0' || strstr(r->headers, "Rollout-Id") != NULL);
}

static const char *smuggled(struct stage *s, size_t size)
{
    return stage_text(s, "%-*s", (int)size,
                      "PATCH /api" APP "/servers/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n{\"down\":true}");
}

static void check_connection(struct stage_nginx *n, int fd, const struct framing *f, const char *what)
{
    const char *answer;

    if (!f->pipelined)
        stage_raw_send(n->stage, fd, NEXT);
    answer = stage_raw_answer(n->stage, fd, LIMIT_MS);
    if (!has_status(answer, 200) || strstr(answer, VERSIONS) == NULL)
        stage_fail(n->stage, "%s: the next request got: %s", what, answer);
}

static void refuse(struct stage_nginx *n, int fd, const struct refused *r, const struct framing *f, bool large)
{
    struct stage *s = n->stage;
    bool judged = is_judged_by_body(r);
    const char *body =
        r->body == NULL ? smuggled(s, large ? 70000 : 1) : stage_text(s, "%-*s", large ? 70000 : 1, r->body);
    const char *head = frame_head(s, f, r->request, r->headers, body);
    const char *answer = send_framed(s, fd, f, judged, head, frame_body(s, f, body));
    int status = large && judged ? 413 : r->status;

    if (!has_status(answer, status))
        stage_fail(s, "%s, %s, %s body: not %d but %s", f->name, r->request, large ? "large" : "small", status, answer);
    check_connection(n, fd, f, stage_text(s, "%s, %s", f->name, r->request));
}

static void the_next_request_is_answered_whatever_the_refused_ones_body(struct stage *s)
{
    static const struct framing framings[] = {
        {.name = "length", .version = "HTTP/1.1", .headers = ""},
        {.name = "chunks", .version = "HTTP/1.1", .headers = "", .chunked = true},
        {.name = "length, late", .version = "HTTP/1.1", .headers = "", .late = true},
        {.name = "chunks, late", .version = "HTTP/1.1", .headers = "", .chunked = true, .late = true},
        {.name = "length, expects", .version = "HTTP/1.1", .headers = "Expect: 100-continue\r\n", .expects = true},
        {.name = "chunks, expects",
         .version = "HTTP/1.1",
         .headers = "Expect: 100-continue\r\n",
         .expects = true,
         .chunked = true},
        {.name = "length, pipelined", .version = "HTTP/1.1", .headers = "", .pipelined = true},
        {.name = "chunks, pipelined", .version = "HTTP/1.1", .headers = "", .chunked = true, .pipelined = true},
        {.name = "HTTP/1.0", .version = "HTTP/1.0", .headers = "Connection: keep-alive\r\n"},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t f = 0; f < COUNT(framings); f++) {
        int fd = stage_raw_open(s, n->port), on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a late piece is not held back */
        for (size_t i = 0; i < 2 * COUNT(refused); i++)
            refuse(n, fd, &refused[i / 2], &framings[f], i % 2 == 1);
    }
    nothing_has_changed(n);
}

static void a_body_is_refused_however_deep_it_is(struct stage *s)
{
    static char deep[60000];
    struct stage_nginx *n = start(s, NULL);

    for (const char *c = "[{"; *c != '\0'; c++) {
        struct stage_answer *a;

        memset(deep, *c, sizeof deep - 1);
        a = ask(n, "PATCH", "/api" SERVER, stage_text(s, "{\"down\":%s", deep));
        assert_int_equal(a->status, 400);
        assert_string_equal(stage_json_string(s, a->json, "error.text"), "nested object or list");
    }
    nothing_has_changed(n);
}

static void a_broken_body_changes_nothing_and_ends_its_connection(struct stage *s)
{
    static const struct {
        const char *rest;
        int status; /* 0: the client goes away, nobody is there to be answered */
    } rows[] = {
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"down\":true}\r\nxyz\r\n\r\n", 400},
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{\"down\":true}", 400},
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
         "13\r\n\r\nd\r\n{\"down\":true}\r\n0\r\n\r\n",
         400},
        {"HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\nContent-Length: 13\r\n\r\n{\"down\":true}", 400},
        {"HTTP/1.1\r\nHost: a\r\nContent-Length: -13\r\n\r\n{\"down\":true}", 400},
        {"HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"down\":true}\r\n0\r\n\r\n", 400},
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n{\"down\":true}", 501},
        {"HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{\"down\":true}", 0},
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"down\":true}\r\n", 0},
        {"HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n{\"down\":true}", 413},
        {"HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n{\"down\":true}", 413},
    };
    struct stage_nginx *n = start(s, NULL);

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = stage_raw_open(s, n->port);
        const char *answer;

        stage_raw_send(s, fd, stage_text(s, "PATCH /api" SERVER " %s", rows[i].rest));
        if (rows[i].status == 0)
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        answer = stage_raw_answer(s, fd, LIMIT_MS);
        if (rows[i].status != 0 && !has_status(answer, rows[i].status))
            stage_fail(s, "%s\ngot: %s", rows[i].rest, answer);
        if (answer[0] != '\0') {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            assert_true(stage_raw_closes(s, fd, LIMIT_MS));
        }
    }
    nothing_has_changed(n);
    assert_null(strstr(stage_read(s, n->error_log), "exited on signal"));
}

static size_t drop(const char *from, size_t one, size_t n, void *ctx)
{
    (void)from;
    (void)ctx;
    return one * n;
}

/* On the connection of the handle; its status, and whether it took a new one. */
static long ask_http2(CURL *curl, const char *method, const char *url, const char *body, long *connects)
{
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    CURLcode rc = curl_easy_perform(curl);
    if (rc != CURLE_OK)
        fail_msg("%s %s with %zu bytes: %s", method, url, body != NULL ? strlen(body) : 0, curl_easy_strerror(rc));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, connects);
    return status;
}

static void free_list(void *list)
{
    curl_slist_free_all(list);
}

static void free_curl(void *curl)
{
    curl_easy_cleanup(curl);
}

/* Over TLS: libcurl 7.88 cannot take an HTTP/2 connection without it for a second request. */
static CURL *open_http2(struct stage *s, uint16_t port)
{
    const struct stage_tls *tls = stage_cert(s, "lb");
    struct curl_slist *to = curl_slist_append(NULL, stage_text(s, "::127.0.0.1:%u", port));
    CURL *curl = curl_easy_init();

    (void)stage_keep(s, to, free_list);
    (void)stage_keep(s, curl, free_curl);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(curl, CURLOPT_CAINFO, tls->ca);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, to);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)stage_limit_ms(s, LIMIT_MS));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    return curl;
}

static void http2_goes_on_after_a_refusal_too(struct stage *s)
{
    uint16_t port = stage_port(s);
    const struct stage_tls *tls = stage_cert(s, "lb");
    struct stage_nginx *n =
        start(s, stage_text(s,
                            "server { listen 127.0.0.1:%u ssl http2; ssl_certificate %s; ssl_certificate_key %s;\n"
                            "location /api { api write=on; } location /ro { api; } }",
                            port, tls->cert, tls->key));
    CURL *curl = open_http2(s, port);
    long connects;

    (void)ask_http2(curl, "GET", "https://lb/api/", NULL, &connects);
    for (size_t i = 0; i < 2 * COUNT(refused); i++) {
        const struct refused *r = &refused[i / 2];
        const char *path = strchr(r->request, ' ') + 1, *body = r->body != NULL ? r->body : smuggled(s, 1);
        const char *method = stage_text(s, "%.*s", (int)(path - 1 - r->request), r->request);
        bool large = i % 2 == 1;

        if (r->headers[0] != '\0' || strcmp(method, "GET") == 0)
            continue;
        long status = ask_http2(curl, method, stage_text(s, "https://lb%s", path),
                                stage_text(s, "%-*s", large ? 70000 : 1, body), &connects);
        if (status != (large && is_judged_by_body(r) ? 413 : r->status))
            stage_fail(s, "%s: %ld, not %d", r->request, status, r->status);
        assert_int_equal(connects, 0);
        assert_int_equal(ask_http2(curl, "GET", "https://lb/api" APP, NULL, &connects), 200);
        assert_int_equal(connects, 0);
    }
    nothing_has_changed(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_refused_method_says_why_and_what_is_allowed),
        stage_test(head_is_get_without_the_body),
        stage_test(a_slash_at_the_end_does_not_matter),
        stage_test(an_upstream_of_any_name_is_reached_by_its_escapes),
        stage_test(odd_escapes_name_nothing),
        stage_test(the_next_request_is_answered_whatever_the_refused_ones_body),
        stage_test(a_body_is_refused_however_deep_it_is),
        stage_test(a_broken_body_changes_nothing_and_ends_its_connection),
        stage_test(http2_goes_on_after_a_refusal_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
