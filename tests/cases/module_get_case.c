/* module_get_case.c - what else a client of the NGINX Plus API reads: lists, nginx's own numbers, and what free nginx
 * does not have, as Plus answers where there is none. */
#include <string.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS       8000
#define STREAM_MODULE "/usr/lib/nginx/modules/ngx_stream_module.so"

enum stream { STREAM_NONE, STREAM_BLOCK, STREAM_OUR_MODULE_MISSING };

/* Upstreams a and b of http (nobody listens there); c of stream. */
static struct stage_nginx *start(struct stage *s, enum stream stream)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "a", .peers = peers}, {.name = "b", .peers = peers}, {.name = NULL}};
    const char *ours = stage_text(s, "load_module %s/nginx-module/ngx_stream_upstream_api_module.so;\n", s->build);
    const char *main_extra = stage_text(s,
                                        "load_module " STREAM_MODULE ";\n%s"
                                        "stream { upstream c { zone c 64k; server %s; }\n"
                                        "    server { listen 127.0.0.1:%u; proxy_pass c; } }",
                                        stream == STREAM_BLOCK ? ours : "", peers[0], stage_port(s));

    return stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){.upstreams = upstreams, .main_extra = stream == STREAM_NONE ? NULL : main_extra});
}

static struct stage_answer *get(struct stage_nginx *n, const char *path)
{
    return stage_http(n->stage, "GET", stage_text(n->stage, "%s%s", n->api, path), NULL, NULL);
}

static void check_body(struct stage_nginx *n, const char *path, const char *body)
{
    struct stage_answer *a = get(n, path);

    if (a->status != 200 || strcmp(a->body, body) != 0)
        stage_fail(n->stage, "GET %s: %d %s, and not %s", path, a->status, a->body, body);
    assert_string_equal(stage_header(n->stage, a, "Content-Type"), "application/json");
}

static void check_error(struct stage_nginx *n, const char *path, const char *code)
{
    struct stage_answer *a = get(n, path);

    if (a->status != 404 || a->json == NULL)
        stage_fail(n->stage, "GET %s: %d %s", path, a->status, a->body);
    assert_string_equal(stage_json_string(n->stage, a->json, "error.code"), code);
}

static void a_list_names_what_its_version_has(struct stage *s)
{
    struct stage_nginx *n = start(s, STREAM_BLOCK);

    check_body(n, "/4/", "[\"nginx\",\"processes\",\"connections\",\"slabs\",\"http\",\"stream\",\"ssl\"]");
    check_body(
        n, "/9/",
        "[\"nginx\",\"processes\",\"connections\",\"slabs\",\"http\",\"stream\",\"resolvers\",\"ssl\",\"workers\"]");
    check_body(n, "/4/http", "[\"requests\",\"server_zones\",\"caches\",\"upstreams\",\"keyvals\"]");
    check_body(n, "/9/http/",
               "[\"requests\",\"server_zones\",\"location_zones\",\"caches\",\"limit_conns\",\"limit_reqs\","
               "\"upstreams\",\"keyvals\"]");
    check_body(n, "/9/stream/", "[\"server_zones\",\"limit_conns\",\"upstreams\",\"keyvals\",\"zone_sync\"]");
}

/* The answers are those of the API's description for a server without any. */
static void what_free_nginx_does_not_have_is_empty_and_its_elements_are_not_found(struct stage *s)
{
    static const struct {
        const char *path, *code; /* of an element */
        unsigned since;
    } rows[] = {
        {"http/server_zones", "ServerZoneNotFound", 4},
        {"http/location_zones", "LocationZoneNotFound", 5},
        {"http/caches", "CacheNotFound", 4},
        {"http/limit_conns", "LimitConnNotFound", 6},
        {"http/limit_reqs", "LimitReqNotFound", 6},
        {"http/keyvals", "KeyvalNotFound", 4},
        {"resolvers", "ResolverZoneNotFound", 5},
        {"stream/server_zones", "ServerZoneNotFound", 4},
        {"stream/keyvals", "KeyvalNotFound", 4},
        {"stream/limit_conns", "LimitConnNotFound", 6},
        {"workers", "WorkerNotFound", 9},
    };
    struct stage_nginx *n = start(s, STREAM_BLOCK);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_list = strcmp(rows[i].path, "workers") == 0;

        check_body(n, stage_text(s, "/%u/%s", rows[i].since, rows[i].path), is_list ? "[]" : "{}");
        check_body(n, stage_text(s, "/9/%s/", rows[i].path), is_list ? "[]" : "{}");
        check_error(n, stage_text(s, "/9/%s/0", rows[i].path), rows[i].code);
        if (rows[i].since > 4)
            check_error(n, stage_text(s, "/%u/%s", rows[i].since - 1, rows[i].path), "PathNotFound");
    }
    check_error(n, "/9/license", "PathNotFound");
}

static void what_free_nginx_does_not_count_is_0(struct stage *s)
{
    struct stage_nginx *n = start(s, STREAM_BLOCK);

    check_body(n, "/9/processes", "{\"respawned\":0}");
    check_body(n, "/7/ssl", "{\"handshakes\":0,\"handshakes_failed\":0,\"session_reuses\":0}");
    check_body(n, "/8/ssl",
               "{\"handshakes\":0,\"handshakes_failed\":0,\"session_reuses\":0,\"no_common_protocol\":0,"
               "\"no_common_cipher\":0,\"handshake_timeout\":0,\"peer_rejected_cert\":0,\"verify_failures\":"
               "{\"no_cert\":0,\"expired_cert\":0,\"revoked_cert\":0,\"hostname_mismatch\":0,\"other\":0}}");
    check_body(n, "/9/stream/zone_sync/",
               "{\"zones\":{},\"status\":{\"bytes_in\":0,\"msgs_in\":0,\"msgs_out\":0,\"bytes_out\":0,"
               "\"nodes_online\":0}}");
}

static void without_a_stream_block_there_is_nothing_of_stream(struct stage *s)
{
    struct stage_nginx *n = start(s, STREAM_NONE);

    check_error(n, "/9/stream", "PathNotFound");
    check_error(n, "/9/stream/upstreams", "PathNotFound");
    check_error(n, "/9/stream/upstreams/c/servers/0", "PathNotFound");
    check_error(n, "/9/stream/server_zones/x", "PathNotFound");
    check_error(n, "/9/stream/zone_sync", "PathNotFound");
    assert_null(strstr(get(n, "/9/")->body, "stream"));
}

/* An empty map would say that nobody is there. */
static void a_stream_block_that_our_module_does_not_see_is_not_shown_as_empty(struct stage *s)
{
    check_error(start(s, STREAM_OUR_MODULE_MISSING), "/9/stream/upstreams", "PathNotFound");
}

struct idle {
    struct stage_nginx *n;
    int64_t want;
};

/* What has been answered may be there for a moment longer. */
static bool that_many_are_idle(void *ctx)
{
    const struct idle *idle = ctx;
    const json_t *now = get(idle->n, "/9/connections")->json;

    return stage_json_int(idle->n->stage, now, "idle") == idle->want &&
           stage_json_int(idle->n->stage, now, "active") == 1; /* the one that asks */
}

static bool one_request_is_there(void *ctx)
{
    const struct idle *idle = ctx;

    return stage_json_int(idle->n->stage, get(idle->n, "/9/http/requests")->json, "current") == 1;
}

static void connections_and_requests_are_nginxs_own_numbers(struct stage *s)
{
    enum { CONNECTIONS = 5, REQUESTS = 3 };
    struct stage_nginx *n = start(s, STREAM_NONE);
    struct idle idle = {n, 0};

    stage_wait_until(s, that_many_are_idle, &idle, WAIT_MS, "nobody else to be connected");
    const json_t *before = get(n, "/9/connections")->json, *requests = get(n, "/9/http/requests")->json, *after;
    assert_int_equal(stage_json_int(s, before, "dropped"), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = stage_raw_open(s, n->api_port);

        for (int k = 0; k < REQUESTS; k++) {
            stage_raw_send(s, fd, "GET /api/ HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_non_null(strstr(stage_raw_answer(s, fd, WAIT_MS), " 200 "));
        }
    }
    idle.want = CONNECTIONS;
    stage_wait_until(s, that_many_are_idle, &idle, WAIT_MS, "the kept connections to be idle");
    /* All else that asked, the wait too, came with a connection of its own for each request. */
    after = get(n, "/9/connections")->json;
    int64_t accepted = stage_json_int(s, after, "accepted") - stage_json_int(s, before, "accepted");
    assert_in_range(accepted, CONNECTIONS + 3, 10000);
    after = get(n, "/9/http/requests")->json;
    assert_int_equal(stage_json_int(s, after, "total") - stage_json_int(s, requests, "total"),
                     accepted - CONNECTIONS + CONNECTIONS * REQUESTS);
    stage_wait_until(s, one_request_is_there, &idle, WAIT_MS, "no other request to be there");
}

static void slabs_show_each_zone_of_nginx(struct stage *s)
{
    struct stage_nginx *n = start(s, STREAM_BLOCK);
    const json_t *all = get(n, "/9/slabs/")->json;
    static const char *const sizes[] = {"8", "16", "32", "64", "128", "256", "512", "1024", "2048"};
    const json_t *c = get(n, "/9/slabs/c")->json;
    int64_t used = 0;

    assert_non_null(stage_json(s, all, "a.slots.8"));
    assert_non_null(stage_json(s, all, "b.slots.8"));
    assert_true(json_equal(stage_json(s, all, "c"), c));
    assert_in_range(stage_json_int(s, c, "pages.used"), 1, 15);
    assert_in_range(stage_json_int(s, c, "pages.used") + stage_json_int(s, c, "pages.free"), 14, 16); /* of 64 kB */
    assert_int_equal(json_object_size(stage_json(s, c, "slots")), sizeof sizes / sizeof *sizes);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const json_t *slot = stage_json(s, c, stage_text(s, "slots.%s", sizes[i]));

        used += stage_json_int(s, slot, "used");
        assert_true(stage_json_int(s, slot, "reqs") >= stage_json_int(s, slot, "used"));
        assert_true(stage_json_int(s, slot, "free") >= 0);
        assert_int_equal(stage_json_int(s, slot, "fails"), 0);
    }
    assert_true(used > 0);
    check_error(n, "/9/slabs/none", "SlabNotFound");
}

static void fields_choose_members_of_an_object_and_of_the_elements_of_a_map(struct stage *s)
{
    static const struct {
        const char *path, *body;
    } rows[] = {
        {"/9/nginx?fields=generation,version", "{\"version\":\"1.22.1\",\"generation\":1}"},
        {"/9/nginx?fields=version", "{\"version\":\"1.22.1\"}"},
        {"/9/nginx?x=y&fields=nothing,%67eneration", "{\"generation\":1}"},
        {"/9/nginx?fields=nothing", "{}"},
        {"/9/nginx?fields=", "{}"},
        {"/9/connections?fields=dropped", "{\"dropped\":0}"},
        {"/9/ssl?fields=session_reuses,other", "{\"session_reuses\":0}"},
        {"/9/ssl?fields=verify_failures",
         "{\"verify_failures\":{\"no_cert\":0,\"expired_cert\":0,\"revoked_cert\":0,\"hostname_mismatch\":0,"
         "\"other\":0}}"},
        {"/9/http/upstreams?fields=zone", "{\"a\":{\"zone\":\"a\"},\"b\":{\"zone\":\"b\"}}"},
        {"/9/http/upstreams?fields=zombies,zone",
         "{\"a\":{\"zombies\":0,\"zone\":\"a\"},\"b\":{\"zombies\":0,\"zone\":\"b\"}}"},
        {"/9/http/upstreams/?fields=none", "{\"a\":{},\"b\":{}}"},
        {"/9/http/upstreams/?fields=", "[\"a\",\"b\"]"},
        {"/9/http/upstreams/a?fields=zone", "{\"zone\":\"a\"}"},
        {"/9/http/upstreams/a?fields=id,a,server", "{}"},
        {"/9/stream/upstreams/?fields=", "[\"c\"]"},
        {"/9/stream/upstreams/c?fields=zone", "{\"zone\":\"c\"}"},
        {"/9/http/server_zones?fields=", "[]"},
        {"/9/http/server_zones?fields=requests", "{}"},
        {"/9/workers?fields=", "[]"},
        {"/9/processes?fields=", "{\"respawned\":0}"}, /* which has none */
        {"/9/http/?fields=upstreams", "[\"requests\",\"server_zones\",\"location_zones\",\"caches\",\"limit_conns\","
                                      "\"limit_reqs\",\"upstreams\",\"keyvals\"]"},
    };
    struct stage_nginx *n = start(s, STREAM_BLOCK);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_body(n, rows[i].path, rows[i].body);
    const json_t *peers = get(n, "/9/http/upstreams?fields=peers")->json;
    assert_int_equal(json_object_size(stage_json(s, peers, "b")), 1);
    assert_true(
        json_equal(stage_json(s, peers, "b.peers"), stage_json(s, get(n, "/9/http/upstreams/b")->json, "peers")));
    const json_t *slabs = get(n, "/9/slabs?fields=pages")->json;
    assert_int_equal(json_object_size(stage_json(s, slabs, "a")), 1);
    assert_int_equal(json_object_size(stage_json(s, slabs, "a.pages")), 2);
    assert_true(json_is_array(get(n, "/9/slabs?fields=")->json));
    /* A server's configuration is shown whole. */
    const json_t *server = get(n, "/9/http/upstreams/a/servers/0?fields=weight")->json;
    assert_non_null(stage_json(s, server, "max_conns"));
    const json_t *servers = get(n, "/9/http/upstreams/a/servers?fields=")->json;
    assert_non_null(stage_json(s, servers, "0.weight"));
}

static void what_is_only_read_cannot_be_changed(struct stage *s)
{
    static const char *const paths[] = {"/9/processes",     "/9/connections", "/9/ssl",           "/9/slabs/a",
                                        "/9/http/requests", "/9/workers",     "/9/http/keyvals/x"};
    static const char *const methods[] = {"DELETE", "POST", "PATCH"};
    struct stage_nginx *n = start(s, STREAM_NONE);

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
            const char *url = stage_text(s, "%s%s", n->api, paths[i]);
            struct stage_answer *a = stage_http(s, methods[k], url, NULL, NULL);

            assert_int_equal(a->status, 405);
            assert_string_equal(stage_json_string(s, a->json, "error.code"), "MethodDisabled");
            assert_string_equal(stage_header(s, a, "Allow"), "GET, HEAD");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_list_names_what_its_version_has),
        stage_test(what_free_nginx_does_not_have_is_empty_and_its_elements_are_not_found),
        stage_test(what_free_nginx_does_not_count_is_0),
        stage_test(without_a_stream_block_there_is_nothing_of_stream),
        stage_test(a_stream_block_that_our_module_does_not_see_is_not_shown_as_empty),
        stage_test(connections_and_requests_are_nginxs_own_numbers),
        stage_test(slabs_show_each_zone_of_nginx),
        stage_test(fields_choose_members_of_an_object_and_of_the_elements_of_a_map),
        stage_test(what_is_only_read_cannot_be_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
