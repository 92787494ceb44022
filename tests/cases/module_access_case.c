/* module_access_case.c - nginx' own access rules guard the API: whom they refuse changes nothing and learns nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "tests/stage/ca.h"
#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/test.h"

#define LIMIT_MS 10000
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define APP      "/9/http/upstreams/app"
#define SERVER   APP "/servers/0"
#define LEASE    "Rollout-Fence: 5\nRollout-Id: stranger\nRollout-Ttl: 60\nRollout-Holder: stranger\n"
#define RIGHT    "Authorization: Basic b3A6c2VjcmV0\n" /* op:secret */
#define WRONG    "Authorization: Basic b3A6d3Jvbmc=\n" /* op:wrong */

struct guarded {
    struct stage *stage;
    struct stage_nginx *lb;
    uint16_t tls_port, maybe_port;
    const char *peer; /* the address of server 0: a secret to those who are refused */
    const struct stage_tls *cert;
};

static const char *tls_server(struct guarded *g, uint16_t port, const char *verify, const char *location)
{
    return stage_text(g->stage,
                      "server { listen 127.0.0.1:%u ssl; ssl_certificate %s; ssl_certificate_key %s;\n"
                      "    ssl_client_certificate %s; ssl_verify_client %s; location /api { %s } }\n",
                      port, g->cert->cert, g->cert->key, g->cert->ca, verify, location);
}

/* One location for each way to guard, all in front of the same upstream. */
static const char *locations(struct stage *s)
{
    const char *users = stage_write(s, "users", "op:{PLAIN}secret\n");
    const char *basic = stage_text(s, "auth_basic api; auth_basic_user_file %s;", users);

    return stage_text(s,
                      "location /shut { deny all; api write=on; }\n"
                      "location /open { allow 127.0.0.1; deny all; api write=on; }\n"
                      "location /other { allow 127.0.0.2; deny all; api write=on; }\n"
                      "location /basic { %s api write=on; }\n"
                      "location /any { satisfy any; deny all; %s api write=on; }\n"
                      "location /any-open { satisfy any; allow 127.0.0.1; deny all; %s api write=on; }\n"
                      "location /all { satisfy all; allow 127.0.0.1; deny all; %s api write=on; }\n"
                      "location /all-shut { satisfy all; deny all; %s api write=on; }\n"
                      "location /asked-no { auth_request /no; api write=on; }\n"
                      "location /asked-yes { auth_request /yes; api write=on; }\n"
                      "location /read { api write=on; limit_except GET { deny all; } }\n"
                      "location /read-basic { api write=on; limit_except GET { %s } }\n"
                      "location /read-any { satisfy any; api write=on; limit_except GET { deny all; %s } }\n"
                      "location /returned { api write=on; if ($http_x_pass != yes) { return 403; } }\n"
                      "location = /no { internal; return 403; }\n"
                      "location = /yes { internal; return 204; }\n",
                      basic, basic, basic, basic, basic, basic, basic);
}

static struct guarded *start(struct stage *s)
{
    struct guarded *g = stage_alloc(s, sizeof *g);
    uint16_t port = stage_port(s);

    *g = (struct guarded){.stage = s,
                          .tls_port = stage_port(s),
                          .maybe_port = stage_port(s),
                          .peer = stage_text(s, "127.0.0.1:%u", port),
                          .cert = stage_cert(s, "lb")};
    const char *const peers[] = {g->peer, stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "fixed", .peers = peers, .no_zone = true}, {.name = "app", .peers = peers}, {.name = NULL}};
    const char *optional = "if ($ssl_client_verify != SUCCESS) { return 403; } api write=on;";

    g->lb = stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .server_extra = locations(s),
            .http_extra = stage_text(s,
                                     "%s%sserver { listen unix:lb/api.sock; location /api { api write=on; } }\n"
                                     "server { listen unix:lb/only.sock; allow unix:; deny all;\n"
                                     "    location /api { api write=on; } }\n"
                                     "server { listen unix:lb/shut.sock; deny unix:; allow all;\n"
                                     "    location /api { api write=on; } }\n",
                                     tls_server(g, g->tls_port, "on", "api write=on;"),
                                     tls_server(g, g->maybe_port, "optional", optional)),
        });
    return g;
}

/* What the API knows of the upstream, by the way that the stage itself uses. */
static const char *see(struct guarded *g)
{
    struct stage_answer *a = stage_http(g->stage, "GET", stage_text(g->stage, "%s" APP, g->lb->api), NULL, NULL);

    assert_int_equal(a->status, 200);
    return a->body;
}

static void check_refused(struct guarded *g, const char *what, const struct stage_answer *a, int status)
{
    if (a->status != status)
        stage_fail(g->stage, "%s: %d, not %d: %s", what, a->status, status, a->body);
    if (strstr(a->body, "app") != NULL || strstr(a->body, g->peer) != NULL || strstr(a->headers, g->peer) != NULL ||
        strstr(a->headers, "Allow:") != NULL)
        stage_fail(g->stage, "%s tells too much: %s%s", what, a->headers, a->body);
}

/* They take server 0 out and put it back. */
static void check_obeyed(struct guarded *g, const char *what, const struct stage_answer *a)
{
    const char *back = stage_text(g->stage, "%s" SERVER, g->lb->api);

    if (a->status != 200)
        stage_fail(g->stage, "%s: %d %s", what, a->status, a->body);
    assert_non_null(strstr(see(g), "\"state\":\"down\""));
    assert_int_equal(stage_http(g->stage, "PATCH", back, NULL, "{\"down\":false}")->status, 200);
}

static void each_rule_guards_reading_and_changing(struct stage *s)
{
    static const struct {
        const char *location, *headers;
        int get, patch;
    } rows[] = {
        {"shut", "", 403, 403},          {"open", "", 200, 200},          {"other", "", 403, 403},
        {"basic", "", 401, 401},         {"basic", WRONG, 401, 401},      {"basic", RIGHT, 200, 200},
        {"any", "", 401, 401},           {"any", WRONG, 401, 401},        {"any", RIGHT, 200, 200},
        {"any-open", "", 200, 200},      {"any-open", WRONG, 200, 200},   {"all", "", 401, 401},
        {"all", RIGHT, 200, 200},        {"all-shut", RIGHT, 403, 403},   {"asked-no", "", 403, 403},
        {"asked-yes", "", 200, 200},     {"read", "", 200, 403},          {"read-basic", "", 200, 401},
        {"read-basic", WRONG, 200, 401}, {"read-basic", RIGHT, 200, 200}, {"read-any", "", 200, 401},
        {"read-any", RIGHT, 200, 200},   {"returned", "", 403, 403},      {"returned", "X-Pass: yes\n", 200, 200},
    };
    struct guarded *g = start(s);

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *url = stage_text(s, "%s/%s" SERVER, g->lb->url, rows[i].location);
        const char *what = stage_text(s, "/%s with \"%s\"", rows[i].location, rows[i].headers), *before = see(g);
        struct stage_answer *get = stage_http(s, "GET", url, rows[i].headers, NULL);
        struct stage_answer *patch;

        if (rows[i].get == 200)
            assert_string_equal(stage_json_string(s, get->json, "server"), g->peer);
        else
            check_refused(g, what, get, rows[i].get);
        if (rows[i].patch == 200) {
            check_obeyed(g, what, stage_http(s, "PATCH", url, rows[i].headers, "{\"down\":true}"));
            continue;
        }
        patch = stage_http(s, "PATCH", url, stage_text(s, "%s" LEASE, rows[i].headers), "{\"down\":true,\"weight\":7}");
        check_refused(g, what, patch, rows[i].patch);
        assert_string_equal(see(g), before);
    }
}

static void a_client_certificate_is_asked_for(struct stage *s)
{
    struct guarded *g = start(s);
    const struct stage_tls *own = stage_cert(s, "operator"), *foreign = stage_cert_foreign(s, "operator");
    const struct stage_tls none = {.ca = own->ca};
    const struct {
        const char *what;
        uint16_t port;
        const struct stage_tls *tls;
        int status;
    } rows[] = {
        {"verify on, none", g->tls_port, &none, 400},       {"verify on, foreign", g->tls_port, foreign, 400},
        {"verify on, own", g->tls_port, own, 200},          {"optional, none", g->maybe_port, &none, 403},
        {"optional, foreign", g->maybe_port, foreign, 400}, {"optional, own", g->maybe_port, own, 200},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *connect = stage_text(s, "127.0.0.1:%u", rows[i].port), *before = see(g);
        bool good = rows[i].status == 200;
        const char *body = "{\"down\":true}";
        struct stage_answer *a = stage_https(s, rows[i].tls, connect, "PATCH", "https://lb/api" SERVER,
                                             good ? NULL : LEASE, body, strlen(body));

        if (good) {
            check_obeyed(g, rows[i].what, a);
            continue;
        }
        check_refused(g, rows[i].what, a, rows[i].status);
        check_refused(g, rows[i].what, stage_https(s, rows[i].tls, connect, "GET", "https://lb/api" APP, NULL, NULL, 0),
                      rows[i].status);
        assert_string_equal(see(g), before);
    }
}

/* ---- a unix socket */

struct text {
    char bytes[4096];
    size_t size;
};

static size_t take(char *from, size_t one, size_t n, void *ctx)
{
    struct text *t = ctx;
    size_t size = one * n, room = sizeof t->bytes - 1 - t->size;

    size = size < room ? size : room;
    memcpy(t->bytes + t->size, from, size);
    t->size += size;
    return one * n;
}

/* The way through /proc is short whatever the length of the folder's path, which a socket's address cannot hold. */
static long ask_unix(struct guarded *g, const char *socket, const char *path, const char *body, struct text *answer)
{
    int dir = open(g->lb->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CURL *curl = curl_easy_init();
    long status = 0;

    *answer = (struct text){.size = 0};
    assert_true(dir >= 0);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, stage_text(g->stage, "/proc/self/fd/%d/%s", dir, socket));
    curl_easy_setopt(curl, CURLOPT_URL, stage_text(g->stage, "http://lb/api%s", path));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)stage_limit_ms(g->stage, LIMIT_MS));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PATCH");
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    (void)close(dir);
    return status;
}

static void the_api_is_served_on_a_unix_socket(struct stage *s)
{
    struct guarded *g = start(s);
    struct text answer;

    assert_int_equal(ask_unix(g, "api.sock", "/9/nginx", NULL, &answer), 200);
    assert_non_null(strstr(answer.bytes, "\"address\":\"unix:lb/api.sock\""));
    assert_int_equal(ask_unix(g, "only.sock", SERVER, "{\"down\":true}", &answer), 200);
    assert_non_null(strstr(see(g), "\"state\":\"down\""));
    assert_int_equal(ask_unix(g, "api.sock", SERVER, "{\"down\":false}", &answer), 200);
    assert_null(strstr(see(g), "\"state\":\"down\""));
    assert_int_equal(ask_unix(g, "shut.sock", SERVER, "{\"down\":true}", &answer), 403);
    assert_null(strstr(answer.bytes, g->peer));
    assert_null(strstr(see(g), "\"state\":\"down\""));
}

/* ---- what refusals cost */

static unsigned count_open(struct guarded *g)
{
    pid_t pids[16];
    unsigned found = 0, n = stage_nginx_workers(g->lb, pids, 16);

    for (unsigned i = 0; i < n && i < 16; i++) {
        DIR *dir = opendir(stage_text(g->stage, "/proc/%d/fd", pids[i]));

        while (dir != NULL && readdir(dir) != NULL)
            found++;
        if (dir != NULL)
            (void)closedir(dir);
    }
    return found;
}

struct settled {
    struct guarded *g;
    unsigned open;
};

static bool is_settled(void *ctx)
{
    struct settled *c = ctx;

    return count_open(c->g) <= c->open;
}

static void refused_requests_leave_nothing_open(struct stage *s)
{
    struct guarded *g = start(s);
    const char *spooled = stage_text(s, "{\"down\":true,%-60000s", "");
    const struct {
        const char *path, *body;
        int status;
    } rows[] = {
        {"/shut" SERVER, "{\"down\":true}", 403},
        {"/shut" SERVER, spooled, 403},
        {"/basic" SERVER, spooled, 401},
        {"/open" SERVER, spooled, 415},
        {"/open" SERVER, "{\"down\":{}}", 400},
        {"/open" APP "/servers/9", "{\"down\":true}", 404},
        {"/open" APP "/servers", "{\"down\":true}", 405},
    };
    const char *before = see(g);
    struct settled c = {g, count_open(g)};

    for (size_t i = 0; i < 30 * COUNT(rows); i++) {
        size_t k = i % COUNT(rows);

        assert_int_equal(
            stage_http(s, "PATCH", stage_text(s, "%s%s", g->lb->url, rows[k].path), LEASE, rows[k].body)->status,
            rows[k].status);
    }
    stage_wait_until(s, is_settled, &c, LIMIT_MS, "the workers to have as many files open as before");
    assert_string_equal(see(g), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(each_rule_guards_reading_and_changing),
        stage_test(a_client_certificate_is_asked_for),
        stage_test(the_api_is_served_on_a_unix_socket),
        stage_test(refused_requests_leave_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
