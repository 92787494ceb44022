#include "agent/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The routes are looked for by what they are called here; their handlers need a request, and are not run. */
#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void each_path_leads_to_its_route_and_no_other_path_does(void **state)
{
    static const struct {
        const char *method, *path, *pattern, *app, *id;
    } table[] = {
        {"GET", "/v1", "/v1", "", ""},
        {"HEAD", "/v1", "/v1", "", ""},
        {"GET", "/v1/services", "/v1/services", "", ""},
        {"GET", "/v1/services/app", "/v1/services/{app}", "app", ""},
        {"PUT", "/v1/services/app/claim", "/v1/services/{app}/claim", "app", ""},
        {"DELETE", "/v1/services/app/claim", "/v1/services/{app}/claim", "app", ""},
        {"PUT", "/v1/services/app/releases/" HEX, "/v1/services/{app}/releases/{hex}", "app", HEX},
        {"POST", "/v1/services/app/jobs", "/v1/services/{app}/jobs", "app", ""},
        {"GET", "/v1/services/app/jobs/r/n/restart/1", "/v1/services/{app}/jobs/{id}", "app", "r/n/restart/1"},
        {"GET", "/v1/services/app/health", "/v1/services/{app}/health", "app", ""},
        {"GET", "", NULL, "", ""},
        {"GET", "/", NULL, "", ""},
        {"GET", "/v1/", NULL, "", ""},
        {"GET", "/v2", NULL, "", ""},
        {"GET", "/v1/services/", NULL, "", ""},
        {"GET", "/v1/services/a b", NULL, "", ""},
        {"GET", "/v1/services/app/jobs/", NULL, "", ""},
        {"PUT", "/v1/services/app/releases/" HEX "0", NULL, "", ""},
        {"PUT", "/v1/services/app/releases/../../x", NULL, "", ""},
        {"GET", "/v1/services/app/jobs/r?x", NULL, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct route_match match = routes_find(table[i].method, table[i].path);

        if ((match.route != NULL) != (table[i].pattern != NULL))
            fail_msg("%s %s", table[i].method, table[i].path);
        if (match.route == NULL)
            continue;
        assert_string_equal(match.route->pattern, table[i].pattern);
        assert_string_equal(match.app, table[i].app);
        assert_string_equal(match.id, table[i].id);
    }
    assert_true(routes_find("POST", "/v1").path_known);
    assert_false(routes_find("POST", "/v9").path_known);
}

static void an_id_longer_than_the_limit_leads_nowhere(void **state)
{
    char path[512] = "/v1/services/app/jobs/";
    size_t length = strlen(path);

    (void)state;
    memset(path + length, 'a', WIRE_JOB_MAX);
    path[length + WIRE_JOB_MAX] = '\0';
    assert_non_null(routes_find("GET", path).route);
    path[length + WIRE_JOB_MAX] = 'a';
    path[length + WIRE_JOB_MAX + 1] = '\0';
    assert_null(routes_find("GET", path).route);
}

/* Of the longest names that a hosts file and --rollout-id take. */
static void the_job_of_the_longest_names_has_an_id(void **state)
{
    (void)state;
    assert_true(64 + 1 + WIRE_NODE_MAX + strlen("/rollback/255") <= WIRE_JOB_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_leads_to_its_route_and_no_other_path_does),
        cmocka_unit_test(an_id_longer_than_the_limit_leads_nowhere),
        cmocka_unit_test(the_job_of_the_longest_names_has_an_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
