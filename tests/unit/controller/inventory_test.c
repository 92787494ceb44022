/* The hosts file of `rollout init`: what nginx lists, in a form that the reader of hosts files takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/inventory.h"

#define LBS "lb1 rollout_api=https://10.0.0.1:8443/api\nlb2 rollout_api=https://10.0.0.2:8443/api\n"

struct written {
    char *text;
    unsigned nodes;
    struct fleet *lbs, *fleet;
};

/* What is written of these upstreams at lb1; lb2 has the first of them, or could not be read. */
static struct written write_with(struct survey_upstream *upstreams, uint32_t n, bool lb2_good,
                                 const struct inventory_files *files)
{
    struct survey_lb lbs[2] = {{.host = 0, .good = true, .n_upstreams = n, .upstreams = upstreams},
                               {.host = 1, .good = lb2_good, .n_upstreams = lb2_good ? 1 : 0, .upstreams = upstreams}};
    struct survey s = {.n_lbs = 2, .lbs = lbs};
    struct written w = {0};
    struct err err = {""};
    size_t size;
    FILE *f = open_memstream(&w.text, &size);

    if (!lb2_good)
        (void)snprintf(lbs[1].text, sizeof lbs[1].text, "no answer");
    assert_true(fleet_parse("lbs", LBS, strlen(LBS), &w.lbs, &err));
    w.nodes = inventory_write(f, w.lbs, &s, files);
    (void)fclose(f);
    if (!fleet_parse("written", w.text, size, &w.fleet, &err))
        fail_msg("%s in\n%s", err.text, w.text);
    return w;
}

static struct written write_of(struct survey_upstream *upstreams, uint32_t n, bool lb2_good)
{
    return write_with(upstreams, n, lb2_good, &(struct inventory_files){NULL});
}

static void end(struct written *w)
{
    fleet_free(&w->lbs);
    fleet_free(&w->fleet);
    free(w->text);
}

static const struct fleet_host *host(const struct written *w, const char *name)
{
    int64_t i = fleet_find_host(w->fleet, name);

    if (i < 0)
        fail_msg("%s is not in\n%s", name, w->text);
    return &w->fleet->hosts[i];
}

static void each_upstream_is_a_group_and_each_address_a_host(void **state)
{
    struct survey_peer web[] = {{.server = "10.0.1.1:8001", .name = "10.0.1.1:8001"},
                                {.server = "10.0.1.2:8001", .name = "web2.example:8001"},
                                {.server = "10.0.1.2:8002", .name = "web2.example:8002"},
                                {.server = "[fd00::1]:8001", .name = "[fd00::1]:8001"},
                                {.server = "unix:/run/app.sock", .name = "unix:/run/app.sock"}};
    struct survey_peer jobs[] = {{.server = "10.0.1.2:9001", .name = "web2.example:9001"}};
    struct survey_upstream upstreams[] = {{.name = "web", .n_peers = 5, .peers = web},
                                          {.name = "back end]", .n_peers = 1, .peers = jobs}};
    struct written w = write_of(upstreams, 2, true);

    (void)state;
    assert_int_equal(w.nodes, 3);
    assert_int_equal(w.fleet->n_lbs, 2);
    assert_int_equal(w.fleet->n_hosts, 5);
    assert_string_equal(host(&w, "10.0.1.1")->address, "10.0.1.1");
    assert_non_null(strstr(w.text, "\n# rollout_service=web\n")); /* web2 is in both: one word would win, unseen */
    assert_non_null(strstr(w.text, "--limit web --service NAME"));
    assert_string_equal(host(&w, "web2.example")->address, "10.0.1.2");
    assert_string_equal(host(&w, "fd00__1")->address, "fd00::1");
    assert_string_equal(host(&w, "lb2")->api_url, "https://10.0.0.2:8443/api");
    assert_true(fleet_find_group(w.fleet, "web") >= 0);
    assert_true(fleet_find_group(w.fleet, "back_end_") >= 0);
    assert_non_null(strstr(w.text, "# 2 peers are no host")); /* at both load balancers */
    end(&w);
}

static void a_load_balancer_that_was_not_read_is_named(void **state)
{
    struct survey_peer web[] = {{.server = "10.0.1.1:8001", .name = "10.0.1.1:8001"}};
    struct survey_upstream upstreams[] = {{.name = "web", .n_peers = 1, .peers = web}};
    struct written w = write_of(upstreams, 1, false);

    (void)state;
    assert_non_null(strstr(w.text, "lb2  rollout_api=https://10.0.0.2:8443/api\n# could not be read: no answer\n"));
    end(&w);
}

static void files_that_were_given_are_in_it(void **state)
{
    struct survey_peer web[] = {{.server = "10.0.1.1:8001", .name = "10.0.1.1:8001"}};
    struct survey_upstream upstreams[] = {{.name = "web", .n_peers = 1, .peers = web}};
    struct written w = write_with(
        upstreams, 1, true,
        &(struct inventory_files){.cert = "/srv/pki/me.pem", .key = "/srv/pki/me.key", .cacert = "/srv/pki/ca.pem"});

    (void)state;
    assert_non_null(strstr(w.text, "\nrollout_cert=/srv/pki/me.pem\nrollout_key=/srv/pki/me.key\n"
                                   "rollout_cacert=/srv/pki/ca.pem\n"));
    assert_null(strstr(w.text, "lb_auth_file"));
    end(&w);
    w = write_of(upstreams, 1, true);
    assert_non_null(strstr(w.text, "\n# rollout_cert=")); /* to be thought of */
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_upstream_is_a_group_and_each_address_a_host),
        cmocka_unit_test(a_load_balancer_that_was_not_read_is_named),
        cmocka_unit_test(files_that_were_given_are_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
