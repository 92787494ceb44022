/* route_test.c - which path means what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
        {"/9/stream/server_zones", ROUTE_UNKNOWN_PATH, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route_part stars[2] = {{NULL, 0}, {NULL, 0}};
        const char *const want[2] = {rows[i].upstream, rows[i].server};

        if (route_find(rows[i].path, strlen(rows[i].path), stars) != rows[i].route)
            fail_msg("%s", rows[i].path);
        for (int k = 0; k < 2 && want[k] != NULL; k++) {
            assert_int_equal(stars[k].size_bytes, strlen(want[k]));
            assert_memory_equal(stars[k].bytes, want[k], stars[k].size_bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_path_finds_its_route)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
