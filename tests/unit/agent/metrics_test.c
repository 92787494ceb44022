/* metrics_test.c - what both halves tell to a Prometheus, read by a strict reader. */
#include "agent/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/tally.h"
#include "tests/stage/prom.h"

static void the_whole_is_what_prometheus_reads(void **state)
{
    uint64_t ends[CODE_COUNT] = {[CODE_JOB_OK] = 3, [CODE_JOB_DIED] = 1}, none[CODE_COUNT] = {0};
    const struct metrics_service services[] = {
        {.name = "app", .out_s = 77, .claimed = true, .fence = 9, .busy = true, .ends = ends},
        {.name = "other.app-1_x", .ends = none},
    };
    struct tally tally = {.open = 5, .unknown = 2, .cert_ends_s = 1234567890, .refused[REFUSAL_FRAMING] = 4};
    char *helper = metrics_text(services, 2, "0.1.0"), *network = tally_metrics(&tally), both[16384];
    const char *bad;

    (void)state;
    (void)snprintf(both, sizeof both, "%s%s", helper, network);
    bad = prom_bad_line(both);
    if (bad != NULL)
        fail_msg("%s", bad);
    assert_int_equal(prom_value(both, "rollout_node_out_seconds{service=\"app\"}"), 77);
    assert_int_equal(prom_value(both, "rollout_node_out_seconds{service=\"other.app-1_x\"}"), 0);
    assert_int_equal(prom_value(both, "rollout_agent_jobs_total{service=\"app\",outcome=\"ok\"}"), 3);
    assert_int_equal(prom_value(both, "rollout_agent_jobs_total{service=\"app\",outcome=\"died\"}"), 1);
    assert_int_equal(prom_value(both, "rollout_agent_jobs_total{service=\"app\",outcome=\"busy\"}"), -1);
    assert_int_equal(prom_value(both, "rollout_agent_connections{peer=\"known\"}"), 3);
    assert_int_equal(prom_value(both, "rollout_agent_refusals_total{reason=\"malformed_request\"}"), 4);
    assert_int_equal(prom_value(both, "rollout_agent_certificate_expiry_timestamp_seconds"), 1234567890);
    free(helper);
    free(network);
}

static void the_reader_is_strict(void **state)
{
    static const char *const bad[] = {
        "a 1\n",
        "# TYPE a gauge\na 1",
        "# TYPE a gauge\n# TYPE a gauge\na 1\n",
        "# TYPE a gauge\na{b=c} 1\n",
        "# TYPE a gauge\na{b=\"c\"d} 1\n",
        "# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# TYPE a gauge\na one\n",
        "# TYPE a gauge\na 1 \n",
        "# TYPE a nothing\na 1\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(prom_bad_line(bad[i]));
    assert_null(prom_bad_line("# HELP a b\n# TYPE a gauge\na{b=\"c\",d=\"\\\"\\n\"} 1e3\na -1.5\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_is_what_prometheus_reads),
        cmocka_unit_test(the_reader_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
