/* rollout_report_case.c - what a pipeline gets: the CI's own marks by its variables, a JUnit report that holds against
 * its schema, JSON lines, a line an effect in the audit. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

/* `rollout ARGS` of the fleet with variables of a CI system. */
static struct stage_run run_in_ci(struct stage_fleet *f, const char *vars, const char *args)
{
    struct stage *s = f->stage;

    return stage_run(
        s, RUN_LIMIT_MS,
        (const char *const[]){"/bin/sh", "-c",
                              stage_text(s,
                                         "env %s ROLLOUT_STATE=%s/state %s/rollout --hosts %s --cert %s --key %s "
                                         "--cacert %s --min-healthy-time=100ms --health-interval=50ms %s",
                                         vars, s->dir, s->build, f->hosts, f->controller->cert, f->controller->key,
                                         f->controller->ca, args),
                              NULL});
}

static void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in\n%s", part, text);
}

static void a_github_step_gets_groups_a_summary_and_junit(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *vars = stage_text(s,
                                  "GITHUB_ACTIONS=true GITHUB_SHA=9fceb02 GITHUB_ACTOR=ann GITHUB_RUN_ID=7 "
                                  "GITHUB_REPOSITORY=a/b GITHUB_SERVER_URL=https://github.example "
                                  "GITHUB_STEP_SUMMARY=%s/summary.md",
                                  s->dir);
    struct stage_run r = run_in_ci(f, vars, stage_text(s, "--junit %s/report.xml", s->dir)), xml;

    assert_int_equal(r.exit_code, 0);
    expect_text(r.out, "::group::node1\n");
    expect_text(r.out, "::endgroup::\n");
    expect_text(r.out, "2 nodes: 2 restarted");
    expect_text(stage_read(s, stage_text(s, "%s/summary.md", s->dir)), "| node2 | restarted |");
    expect_text(stage_read(s, stage_text(s, "%s/report.xml", s->dir)), "name=\"node1\"");
    assert_int_not_equal(access(stage_text(s, "%s/report.xml.new", s->dir), F_OK), 0);
    xml = stage_run(s, RUN_LIMIT_MS,
                    (const char *const[]){"/usr/bin/xmllint", "--noout", "--nonet", "--schema",
                                          stage_text(s, "%s/tests/cases/junit.xsd", s->root),
                                          stage_text(s, "%s/report.xml", s->dir), NULL});
    if (xml.exit_code != 0)
        fail_msg("%s", xml.err);
    expect_text(stage_read(s, stage_text(s, "%s/state/audit.log", s->dir)),
                "actor=\"ann\" commit=\"9fceb02\" job=\"https://github.example/a/b/actions/runs/7\" node=\"node1\" "
                "service=\"app\" effect=drain state=asked");
}

static void a_gitlab_job_gets_sections(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 1, 1);
    struct stage_run r =
        run_in_ci(f, "GITLAB_CI=true CI_COMMIT_SHA=1 CI_JOB_URL=https://gitlab.example/1", "--in-place");

    assert_int_equal(r.exit_code, 0);
    expect_text(r.out, ":rollout_1[collapsed=true]\r\033[0Knode1\n");
    expect_text(r.out, "\033[0Ksection_end:");
}

static void each_line_is_json_and_the_last_names_every_node(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_run r = run_in_ci(f, "", "--log-format json");
    const char *last = "";

    assert_int_equal(r.exit_code, 0);
    for (const char *line = r.out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *o = json_loadb(line, (size_t)(end - line), 0, NULL);

        if (o == NULL)
            fail_msg("no JSON: %.*s", (int)(end - line), line);
        json_decref(o);
        last = line;
    }
    expect_text(last, "\"event\":\"report\"");
    expect_text(last, "\"node\":\"node1\",\"outcome\":\"restarted\"");
    expect_text(last, "\"node\":\"node2\",\"outcome\":\"restarted\"");
}

static void a_refusal_is_an_annotation_and_in_the_summary(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *vars = stage_text(s, "GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=%s/summary.md", s->dir);
    struct stage_run r = run_in_ci(f, vars, "--limit nobody");
    const char *summary = stage_read(s, stage_text(s, "%s/summary.md", s->dir));

    assert_int_equal(r.exit_code, 78);
    expect_text(r.out, "::error title=exit code 78%2C ");
    expect_text(r.out, "no host and no group is called \"nobody\"");
    expect_text(summary, "### rollout: exit code 78, ");
    expect_text(summary, "is called \"nobody\"");
    r = run_in_ci(f, vars, stage_text(s, "--hosts %s", stage_write(s, "odd.ini", "[web]\nw\033[2J##[error]x\n")));
    assert_int_equal(r.exit_code, 78);
    assert_null(strchr(r.err, '\033'));
    assert_null(strstr(r.err, "##["));
}

static void a_report_that_cannot_be_written_stops_before_anything(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *before = stage_fleet_picture(f);
    struct stage_run r = run_in_ci(f, "", "--junit /nowhere/report.xml");

    assert_int_equal(r.exit_code, 78);
    expect_text(r.err, "--junit: cannot write /nowhere/report.xml");
    assert_string_equal(stage_fleet_picture(f), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_github_step_gets_groups_a_summary_and_junit),
        stage_test(a_gitlab_job_gets_sections),
        stage_test(each_line_is_json_and_the_last_names_every_node),
        stage_test(a_refusal_is_an_annotation_and_in_the_summary),
        stage_test(a_report_that_cannot_be_written_stops_before_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
