/* module_unused_case.c - where no `api` directive is used, nginx with our modules loaded answers as stock nginx does.
 *
 * Two nginx with the same configuration and the same nodes get the same requests in the same order; one of them has
 * loaded both modules. A worker each, so that turns are the same, too. */
#include <stdio.h>
#include <string.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/test.h"

#define STREAM_MODULE "/usr/lib/nginx/modules/ngx_stream_module.so"
#define ROUNDS        4

enum side { WITH, STOCK, SIDES };

struct two {
    struct stage *stage;
    struct stage_nginx *lb[SIDES];
    uint16_t stream_port[SIDES];
};

static const char *start_nodes(struct stage *s)
{
    uint16_t a = stage_port(s), b = stage_port(s);
    const char *node =
        "location / { return 200 \"$request_method $uri $http_connection\"; } location /503 { return 503; } "
        "location /404 { return 404; } location /302 { return 302 /else; } location /204 { return 204; } ";

    (void)stage_nginx_start(
        s, "nodes",
        &(struct stage_nginx_conf){.no_module = true,
                                   .http_extra =
                                       stage_text(s,
                                                  "server { listen 127.0.0.1:%u; add_header X-Node a always; %s}\n"
                                                  "server { listen 127.0.0.1:%u; add_header X-Node b always; %s}\n",
                                                  a, node, b, node)});
    return stage_text(s,
                      "server 127.0.0.1:%u weight=2 max_conns=9; server 127.0.0.1:%u; "
                      "server 127.0.0.1:%u max_fails=1 fail_timeout=1h;",
                      a, b, stage_port(s));
}

static struct stage_nginx *start_side(struct stage *s, enum side side, const char *servers, const char *dead,
                                      uint16_t stream_port)
{
    const char *const nobody[] = {dead, NULL};
    const struct stage_upstream upstreams[] = {{.name = "first", .peers = nobody}, {.name = NULL}}; /* the stage's */
    const char *ours = stage_text(s,
                                  "load_module %s/nginx-module/ngx_http_upstream_api_module.so;\n"
                                  "load_module %s/nginx-module/ngx_stream_upstream_api_module.so;\n",
                                  s->build, s->build);

    return stage_nginx_start(
        s, side == WITH ? "with" : "stock",
        &(struct stage_nginx_conf){
            .no_module = true,
            .workers = 1,
            .upstreams = upstreams,
            .main_extra = stage_text(
                s,
                "load_module " STREAM_MODULE ";\n%s"
                "stream { upstream tcp { zone tcp 64k; %s } server { listen 127.0.0.1:%u; proxy_pass tcp; } }",
                side == WITH ? ours : "", servers, stream_port),
            .http_extra =
                stage_text(s,
                           "proxy_cache_path %s/%s.cache keys_zone=kept:1m;\n"
                           "upstream turns { zone turns 64k; %s keepalive 4; }\n"
                           "upstream least { zone least 64k; least_conn; %s }\n"
                           "upstream ip { zone ip 64k; ip_hash; %s }\n"
                           "upstream ring { zone ring 64k; hash $request_uri consistent; %s }\n"
                           "upstream fixed { %s }",
                           s->dir, side == WITH ? "with" : "stock", servers, servers, servers, servers, servers),
            .server_extra =
                "add_header X-Tried \"$upstream_addr $upstream_status $upstream_cache_status\" always;\n"
                "proxy_next_upstream error http_503;\n"
                "location /turns/ { proxy_pass http://turns/; } location /least/ { proxy_pass http://least/; }\n"
                "location /ip/ { proxy_pass http://ip/; } location /ring/ { proxy_pass http://ring/; }\n"
                "location /fixed/ { proxy_pass http://fixed/; }\n"
                "location /kept/ { proxy_cache kept; proxy_cache_valid 200 404 1h; proxy_pass http://turns/; }\n"
                "location /guarded/ { auth_request /turns/204; proxy_pass http://turns/; }\n"
                "location /denied/ { deny all; proxy_pass http://turns/; }\n"
                "location /api { limit_except GET { deny all; } proxy_pass http://turns; }\n"
                "location /other { proxy_intercept_errors on; error_page 404 = /least/found; proxy_pass "
                "http://turns/404; }\n"});
}

static struct two *start(struct stage *s)
{
    struct two *t = stage_alloc(s, sizeof *t);
    const char *servers = start_nodes(s), *dead = stage_text(s, "127.0.0.1:%u", stage_port(s));

    t->stage = s;
    for (enum side side = 0; side < SIDES; side++) {
        t->stream_port[side] = stage_port(s);
        t->lb[side] = start_side(s, side, servers, dead, t->stream_port[side]);
    }
    return t;
}

/* Status, headers but for the date, and body. */
static const char *told(struct stage *s, const struct stage_answer *a)
{
    const char *date = strstr(a->headers, "\r\nDate:"), *rest = date != NULL ? strstr(date + 2, "\r\n") : NULL;

    if (rest == NULL)
        return stage_text(s, "%d %s%s%s", a->status, a->error, a->headers, a->body);
    return stage_text(s, "%.*s%s%s", (int)(date - a->headers), a->headers, rest, a->body);
}

static void want_same(struct two *t, const char *method, const char *path, const char *headers, const char *body)
{
    const char *said[SIDES];

    for (enum side side = 0; side < SIDES; side++) {
        const char *url = path == NULL ? stage_text(t->stage, "http://127.0.0.1:%u/", t->stream_port[side])
                                       : stage_text(t->stage, "http://a:b@127.0.0.1:%u%s", t->lb[side]->port, path);

        said[side] = told(t->stage, stage_http(t->stage, method, url, headers, body));
    }
    if (strcmp(said[WITH], said[STOCK]) != 0)
        stage_fail(t->stage, "%s %s: with the modules\n%s\nand without\n%s", method, path != NULL ? path : "(stream)",
                   said[WITH], said[STOCK]);
}

static void ask_both(struct two *t)
{
    static const struct {
        const char *method, *path, *headers, *body;
    } rows[] = {
        {"GET", "/turns/x", NULL, NULL},
        {"GET", "/turns/503", NULL, NULL},
        {"GET", "/turns/404", NULL, NULL},
        {"GET", "/turns/302", NULL, NULL},
        {"HEAD", "/turns/x", NULL, NULL},
        {"POST", "/turns/x", NULL, "some body"},
        {"DELETE", "/turns/204", NULL, NULL},
        {"PATCH", "/turns/9/http/upstreams/app/servers/0", NULL, "{\"down\":true}"},
        {"GET", "/least/x", NULL, NULL},
        {"GET", "/least/503", NULL, NULL},
        {"GET", "/ip/x", NULL, NULL},
        {"GET", "/ring/x", NULL, NULL},
        {"GET", "/ring/y", NULL, NULL},
        {"GET", "/fixed/x", NULL, NULL},
        {"GET", "/kept/x", NULL, NULL},
        {"GET", "/kept/404", NULL, NULL},
        {"GET", "/guarded/x", NULL, NULL},
        {"GET", "/denied/x", NULL, NULL},
        {"GET", "/api/9/http/upstreams", NULL, NULL},
        {"PATCH", "/api/9/http/upstreams/turns/servers/0", "Rollout-Fence: 1", "{\"down\":true}"},
        {"GET", "/api/9/http/upstreams/turns/servers/0", "Prefer: wait=5", NULL},
        {"GET", "/other", NULL, NULL},
        {"GET", "/first/", NULL, NULL},
        {"GET", "/turns/x?fields=a", "Range: bytes=0-1", NULL},
        {"GET", NULL, NULL, NULL},
    };

    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            want_same(t, rows[i].method, rows[i].path, rows[i].headers, rows[i].body);
}

static void without_the_directive_answers_are_those_of_stock_nginx(struct stage *s)
{
    struct two *t = start(s);

    ask_both(t);
    for (enum side side = 0; side < SIDES; side++)
        stage_nginx_reload(t->lb[side]);
    ask_both(t);
    assert_null(strstr(stage_read(s, t->lb[WITH]->error_log), "upstream_api"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {stage_test(without_the_directive_answers_are_those_of_stock_nginx)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
