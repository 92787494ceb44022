/* route_test.c - which path means what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/route.h"

static void each_path_finds_its_route(void **state)
{
    static const struct {
        const char *path;
        enum route route;
        const char *upstream, *server;
    } rows[] = {
        {"", ROUTE_VERSIONS, NULL, NULL},
        {"/", ROUTE_VERSIONS, NULL, NULL},
        {"/4", ROUTE_ROOT, NULL, NULL},
        {"9/", ROUTE_ROOT, NULL, NULL},
        {"/3/", ROUTE_UNKNOWN_VERSION, NULL, NULL},
        {"/10/", ROUTE_UNKNOWN_VERSION, NULL, NULL},
        {"/v9/", ROUTE_UNKNOWN_VERSION, NULL, NULL},
        {"//9/", ROUTE_UNKNOWN_VERSION, NULL, NULL},
        {"/9/nginx", ROUTE_NGINX, NULL, NULL},
        {"/9/nginx/", ROUTE_NGINX, NULL, NULL},
        {"/9/nginxx", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/ngin", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/nginx/x", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/http/", ROUTE_HTTP, NULL, NULL},
        {"/9/http/upstreams/", ROUTE_UPSTREAMS, NULL, NULL},
        {"/9/http/upstreams/app", ROUTE_UPSTREAM, "app", NULL},
        {"/9/http/upstreams/*/", ROUTE_UPSTREAM, "*", NULL},
        {"/9/http/upstreams//", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/http/upstreams/app/servers", ROUTE_SERVERS, "app", NULL},
        {"/9/http/upstreams/app/peers", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/http/upstreams/app/servers/7", ROUTE_SERVER, "app", "7"},
        {"/9/http/upstreams/servers/servers/7/", ROUTE_SERVER, "servers", "7"},
        {"/9/http/upstreams/app/servers/7/x", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/stream/upstreams", ROUTE_STREAM_UPSTREAMS, NULL, NULL},
        {"/9/stream/upstreams/app/servers/7", ROUTE_STREAM_SERVER, "app", "7"},
        {"/9/stream/server_zones", ROUTE_STREAM_SERVER_ZONES, NULL, NULL},
        {"/9/stream/server_zones/app", ROUTE_STREAM_SERVER_ZONES_ONE, "app", NULL},
        {"/9/stream/server_zones/app/x", ROUTE_UNKNOWN_PATH, NULL, NULL},
        {"/9/slabs/app", ROUTE_SLAB, "app", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route_part stars[2] = {{NULL, 0}, {NULL, 0}};
        unsigned version;
        const char *const want[2] = {rows[i].upstream, rows[i].server};

        if (route_find(rows[i].path, strlen(rows[i].path), stars, &version) != rows[i].route)
            fail_msg("%s", rows[i].path);
        for (int k = 0; k < 2 && want[k] != NULL; k++) {
            assert_int_equal(stars[k].size_bytes, strlen(want[k]));
            assert_memory_equal(stars[k].bytes, want[k], stars[k].size_bytes);
        }
    }
}

/* From NGINX Plus' list of what came with which version. */
static void a_path_is_there_from_its_version_on(void **state)
{
    static const struct {
        const char *path;
        unsigned since;
    } rows[] = {
        {"nginx", 4},
        {"processes", 4},
        {"connections", 4},
        {"slabs", 4},
        {"ssl", 4},
        {"http/requests", 4},
        {"http/server_zones", 4},
        {"http/caches", 4},
        {"http/keyvals", 4},
        {"stream/server_zones", 4},
        {"stream/keyvals", 4},
        {"stream/zone_sync", 4},
        {"resolvers", 5},
        {"http/location_zones", 5},
        {"http/limit_reqs", 6},
        {"http/limit_conns", 6},
        {"resolvers/x", 5},
        {"stream/limit_conns", 6},
        {"http/limit_reqs/x", 6},
        {"stream/limit_conns/x", 6},
        {"http/upstreams", 4},
        {"workers", 9},
        {"workers/0", 9},
        {"stream/upstreams", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned version = ROUTE_VERSION_MIN; version <= ROUTE_VERSION_MAX; version++) {
            struct route_part stars[2] = {{NULL, 0}, {NULL, 0}};
            char path[64];
            unsigned found = 0;

            (void)snprintf(path, sizeof path, "/%u/%s/", version, rows[i].path);
            if ((route_find(path, strlen(path), stars, &found) == ROUTE_UNKNOWN_PATH) != (version < rows[i].since))
                fail_msg("%s", path);
            assert_int_equal(found, version);
        }
}

static const char *listed(enum route route, unsigned version)
{
    static char text[256];
    const char *name;
    enum route below;
    size_t next = 0;

    text[0] = '\0';
    while ((name = route_below(route, version, &next, &below)) != NULL) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof text - used, "%s ", name);
    }
    return text;
}

static void a_list_names_what_is_one_level_below_in_its_version(void **state)
{
    (void)state;
    assert_string_equal(listed(ROUTE_ROOT, 4), "nginx processes connections slabs http stream ssl ");
    assert_string_equal(listed(ROUTE_ROOT, 9), "nginx processes connections slabs http stream resolvers ssl workers ");
    assert_string_equal(listed(ROUTE_HTTP, 4), "requests server_zones caches upstreams keyvals ");
    assert_string_equal(listed(ROUTE_HTTP, 6),
                        "requests server_zones location_zones caches limit_conns limit_reqs upstreams keyvals ");
    assert_string_equal(listed(ROUTE_STREAM, 5), "server_zones upstreams keyvals zone_sync ");
    assert_string_equal(listed(ROUTE_STREAM, 6), "server_zones limit_conns upstreams keyvals zone_sync ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_finds_its_route),
        cmocka_unit_test(a_path_is_there_from_its_version_on),
        cmocka_unit_test(a_list_names_what_is_one_level_below_in_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
