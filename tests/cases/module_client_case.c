/* module_client_case.c - the official client of the NGINX Plus API, unmodified (tests/client/plus.go): what it reads
 * and changes. Skipped where make has not built it, since Go or the client's package is not installed (make
 * check-client). */
#include <string.h>
#include <unistd.h>

#include "tests/stage/nginx.h"
#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define STREAM_MODULE "/usr/lib/nginx/modules/ngx_stream_module.so"

static struct stage_nginx *start(struct stage *s, bool has_stream)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)),
                                 stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    /* Nobody listens there; the stage tries the first upstream only. */
    const struct stage_upstream upstreams[] = {
        {.name = "fixed", .peers = peers, .no_zone = true}, {.name = "app", .peers = peers}, {.name = NULL}};
    const char *main_extra = stage_text(s,
                                        "load_module " STREAM_MODULE ";\n"
                                        "load_module %s/nginx-module/ngx_stream_upstream_api_module.so;\n"
                                        "stream { upstream tcp { zone tcp 64k; server %s; server %s; }\n"
                                        "    server { listen 127.0.0.1:%u; proxy_pass tcp; } }",
                                        s->build, peers[0], peers[1], stage_port(s));

    return stage_nginx_start(
        s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .main_extra = has_stream ? main_extra : NULL});
}

static void run_client(struct stage *s, bool has_stream)
{
    const char *client = stage_text(s, "%s/tests/client/plus", s->build);
    const char *argv[] = {client, NULL, "app", has_stream ? "tcp" : "-", NULL};

    if (access(client, X_OK) != 0)
        skip();
    argv[1] = start(s, has_stream)->api;
    struct stage_run r = stage_run(s, 60000, argv);
    if (r.exit_code != 0 || strcmp(r.out, "versions 4 to 8\n") != 0)
        stage_fail(s, "the client ends with %d: %s%s", r.exit_code, r.out, r.err);
}

static void the_official_client_reads_and_changes_servers_in_all_its_versions(struct stage *s)
{
    run_client(s, true);
}

static void without_a_stream_block_the_official_client_sees_none(struct stage *s)
{
    run_client(s, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_official_client_reads_and_changes_servers_in_all_its_versions),
        stage_test(without_a_stream_block_the_official_client_sees_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
