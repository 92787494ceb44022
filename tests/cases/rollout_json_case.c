/* rollout_json_case.c - programs that read: every line of --log-format json and every document of --output json has the
 * shape of docs/events.md and docs/output.md, whatever the end. */
#include <signal.h>
#include <string.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/fleet.h"
#include "tests/stage/schema.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      300 /* once released */

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const json_t *expect_end(struct stage *s, const struct stage_rollout *r, int code)
{
    const json_t *report = stage_schema_events(s, r->out);

    stage_rollout_expect(s, r, code, STAGE_SAYS(""));
    assert_int_equal(stage_json_int(s, report, "exit_code"), code);
    if (code != 0 && strcmp(r->err, "") != 0)
        assert_true(json_array_size(json_object_get(report, "reasons")) > 0);
    return report;
}

/* `rollout --log-format json ARGS` ends so; its report. */
static const json_t *ends(struct stage_fleet *f, int code, const char *const *args)
{
    const char *all[16] = {args[0]};
    size_t n = 1;

    for (; args[n] != NULL; n++)
        all[n] = args[n];
    all[n++] = "--log-format=json";
    return expect_end(f->stage, stage_fleet_run(f, RUN_LIMIT_MS, all), code);
}

static void expect_sum(struct stage *s, const json_t *report, const char *part)
{
    const char *text = stage_json_string(s, report, "text");

    if (strstr(text, part) == NULL)
        stage_fail(s, "the report does not say \"%s\" but \"%s\"", part, text);
}

/* The last of the reasons: what to do next. */
static void expect_next(struct stage *s, const json_t *report, const char *part)
{
    const json_t *reasons = stage_json(s, report, "reasons");
    const char *last = json_string_value(json_array_get(reasons, json_array_size(reasons) - 1));

    if (last == NULL || strstr(last, part) == NULL)
        stage_fail(s, "the last reason does not say \"%s\" but \"%s\"", part, last != NULL ? last : "");
}

static void every_ending_before_a_rollout_is_a_report(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *lease = stage_text(s, "%s/9/http/upstreams/app/servers/0", f->lb[0]->api);
    const json_t *report;

    expect_sum(s, ends(f, 0, ARGS("--release", stage_server_variant(s, "v1"))), "nothing to do");
    expect_sum(s, ends(f, 0, ARGS("repair")), "nothing to repair");
    expect_sum(s, ends(f, 5, ARGS("--in-place", "--min-healthy-time=10s", "--healthy-deadline=10s")),
               "--healthy-deadline");
    expect_sum(s, ends(f, 64, ARGS("--batch=0")), "--batch");
    expect_sum(s, ends(f, 64, ARGS("repair", "--frobnicate")), "--frobnicate");
    expect_sum(s, ends(f, 78, ARGS("--junit=/nowhere/report.xml")), "--junit");
    expect_sum(s, ends(f, 78, ARGS("--limit=nobody")), "nobody");
    expect_sum(s, ends(f, 78, ARGS("resume", "unknown", "--cacert=/nowhere")), "/nowhere");
    assert_int_equal(
        stage_http(s, "PATCH", lease, "Rollout-Id: other\nRollout-Fence: 7\nRollout-Ttl: 60\nRollout-Holder: ann", "{}")
            ->status,
        200);
    report = ends(f, 6, ARGS("--rollout-id=mine"));
    expect_sum(s, report, "other");
    expect_next(s, report, "wait until rollout other has ended, or end it: rollout abort other --hosts");
    stage_agent_stop(f->node[1].agent, SIGTERM);
    report = ends(f, 4, ARGS("--limit=node2"));
    expect_sum(s, report, "node2");
    expect_next(s, report, "run this again");
    assert_status(put_claim(f->node[0].agent, "r-17", 9, 0, 1), 200);
    report = ends(f, 3, ARGS("--rollout-id=r-17"));
    assert_string_equal(stage_json_string(s, report, "nodes.0.node"), "node1");
    assert_non_null(strstr(stage_json_string(s, report, "next"), "rollout repair"));
}

static void every_ending_of_a_rollout_is_a_report(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold;
    struct stage_rollout *r;
    const json_t *report;

    (void)ends(f, 0,
               ARGS("--rollout-id=all", "--state", stage_mkdir(s, "state"), "--hook=after-readd=echo back",
                    "--hook=at-end=echo end"));
    expect_sum(s, ends(f, 0, ARGS("--rollout-id=all")), "nothing to do");
    report = ends(f, 7, ARGS("--bake=100ms", "--on-inconclusive=pause"));
    assert_string_equal(stage_json_string(s, report, "nodes.1.outcome"), "not begun");
    hold = stage_hold_start(f, 0, 0, HOLD_MS);
    report = ends(f, 1, ARGS("--limit=node1", "--drain-timeout=200ms"));
    assert_string_equal(stage_json_string(s, report, "nodes.0.outcome"), "failed, in rotation");
    r = stage_fleet_start(f, ARGS("--limit=node1", "--log-format=json"));
    stage_rollout_until(s, r, "\"step\":\"quiet\"", RUN_LIMIT_MS);
    stage_proc_signal(s, r->proc, SIGTERM);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    (void)expect_end(s, r, 128 + SIGTERM);
    (void)stage_hold_end(hold);
}

/* `rollout ARGS --output json` of the fleet. */
static const json_t *document(struct stage_fleet *f, const char *table, int code, const char *const *args)
{
    const char *all[24] = {args[0]};
    struct stage *s = f->stage;
    struct stage_rollout *r;
    const json_t *o;
    size_t n = 1;

    for (; args[n] != NULL; n++)
        all[n] = args[n];
    all[n++] = "--output=json";
    r = stage_rollout(s, RUN_LIMIT_MS, all);
    if (r->exit_code != code)
        stage_fail(s, "%s ends with %d: %s%s", args[0], r->exit_code, r->out, r->err);
    o = stage_schema_document(s, table, r->out);
    assert_int_equal(stage_json_int(s, o, "exit"), code);
    return o;
}

#define FLEET(f)                                                                                                       \
    "--hosts", (f)->hosts, "--cert", (f)->controller->cert, "--key", (f)->controller->key, "--cacert",                 \
        (f)->controller->ca

static void every_command_that_reports_has_its_document(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *state = stage_mkdir(s, "state"), *v2 = stage_server_variant(s, "v2");
    const json_t *o;

    assert_true(
        json_is_null(stage_json(s, document(f, "status of nothing", 0, ARGS("status", "--state", state)), "rollout")));
    (void)ends(f, 0, ARGS("--rollout-id=all", "--state", state));
    o = document(f, "plan", 0, ARGS("plan", "--release", v2, FLEET(f)));
    assert_int_equal(stage_json_int(s, o, "to_do"), 2);
    assert_string_equal(stage_json_string(s, o, "nodes.1.takes_out.0.server"), f->node[1].server->peer);
    assert_string_equal(stage_json_string(s, o, "nodes.1.action"), "upgrade");
    assert_int_equal(stage_json_int(s, o, "upstreams.0.floor"), 1);
    o = document(f, "status", 0, ARGS("status", "--state", state));
    assert_string_equal(stage_json_string(s, o, "nodes.0.node"), "node1");
    o = document(f, "history", 0, ARGS("history", "--state", state));
    assert_string_equal(stage_json_string(s, o, "rollouts.0.rollout"), "all");
    o = document(f, "show", 0, ARGS("show", "all", "--state", state));
    for (size_t i = 0; i < json_array_size(stage_json(s, o, "events")); i++)
        stage_schema_event(s, json_array_get(stage_json(s, o, "events"), i), false);
    (void)document(f, "agents", 0, ARGS("agents", FLEET(f)));
    (void)document(f, "doctor", 0, ARGS("doctor", FLEET(f)));
    o = document(f, "hosts", 0, ARGS("hosts", "--hosts", f->hosts));
    assert_string_equal(stage_json_string(s, o, "nodes.1.node"), "node2");
    (void)document(f, "version", 0, ARGS("version"));
    o = document(f, "explain", 0, ARGS("--explain"));
    assert_string_equal(stage_json_string(s, o, "steps.0.step"), "check");
    stage_agent_stop(f->node[0].agent, SIGTERM);
    stage_agent_stop(f->node[1].agent, SIGTERM);
    o = document(f, "wish", 4, ARGS("pause", "all", FLEET(f)));
    assert_int_equal(stage_json_int(s, o, "failed"), 2);
}

static void a_document_says_why_there_is_no_more_in_it(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    const json_t *o = document(f, NULL, 5, ARGS("plan", FLEET(f)));

    assert_non_null(strstr(stage_json_string(s, o, "reasons.0"), "--in-place"));
    o = document(f, NULL, 64, ARGS("plan", "--frobnicate"));
    assert_string_equal(stage_json_string(s, o, "command"), "plan");
    (void)ends(f, 5, ARGS("--state", stage_mkdir(s, "state"))); /* nothing is in the journal */
    (void)document(f, "show", 0, ARGS("show", "unknown", "--state", stage_mkdir(s, "state")));
    (void)document(f, NULL, 78, ARGS("hosts", "--hosts=/nowhere"));
    (void)document(f, NULL, 78, ARGS("agents", "--hosts=/nowhere"));
    (void)document(f, NULL, 78, ARGS("doctor", "--hosts=/nowhere"));
    (void)document(f, NULL, 78, ARGS("promote", "r1", "--hosts=/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(every_ending_before_a_rollout_is_a_report),
        stage_test(every_ending_of_a_rollout_is_a_report),
        stage_test(every_command_that_reports_has_its_document),
        stage_test(a_document_says_why_there_is_no_more_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
