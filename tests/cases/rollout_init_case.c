/* rollout_init_case.c - the first hour: a hosts file from a real nginx, which `rollout hosts` then reads. */
#include <string.h>

#include "tests/stage/nginx.h"
#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define LIMIT_MS 20000

static struct stage_run rollout(struct stage *s, const char *args)
{
    return stage_run(s, LIMIT_MS,
                     (const char *const[]){"/bin/sh", "-c", stage_text(s, "%s/rollout %s", s->build, args), NULL});
}

static void a_hosts_file_comes_from_what_nginx_lists(struct stage *s)
{
    static const char *const peers[] = {"127.0.0.1:31001", "127.0.0.2:31001", "127.0.0.1:31002", NULL};
    static const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};
    struct stage_nginx *lb = stage_nginx_start(s, "lb1", &(struct stage_nginx_conf){.upstreams = upstreams});
    struct stage_run r = rollout(s, stage_text(s, "init --lb %s > %s/fleet.ini", lb->api, s->dir));

    assert_int_equal(r.exit_code, 0);
    assert_string_equal(r.err, "");
    r = rollout(s, stage_text(s, "hosts --hosts %s/fleet.ini", s->dir));
    assert_string_equal(r.out, "127.0.0.1\n127.0.0.2\n");
    r = rollout(s, stage_text(s, "hosts --hosts %s/fleet.ini --limit 127.0.0.2", s->dir));
    assert_string_equal(r.out, "127.0.0.2\n");
}

static void an_nginx_that_cannot_be_read_is_named(struct stage *s)
{
    struct stage_run r = rollout(s, "init --request-timeout 1s --lb http://127.0.0.1:1/api");

    assert_int_equal(r.exit_code, 4);
    assert_non_null(strstr(r.err, "rollout: lb1: "));
    assert_int_equal(rollout(s, "init").exit_code, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_hosts_file_comes_from_what_nginx_lists),
        stage_test(an_nginx_that_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
