/* What programs read of a rollout: marks in a CI's log, JSON lines, a JUnit report, a summary, the audit. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/mem.h"
#include "controller/audit.h"
#include "controller/ci.h"
#include "controller/junit.h"
#include "controller/marks.h"
#include "controller/show.h"
#include "controller/summary.h"
#include "golden.h"
#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

#define MEND "rollout repair --hosts FILE"

/* One rollout with an end of each kind: a is upgraded, b fails and goes back, c was there already; or a is out. */
struct telling {
    struct show *show; /* NULL: only the files below */
    FILE *audit, *junit, *summary;
    struct ci ci;
};

static void on_event(void *ctx, const struct view *v, const struct event *e)
{
    struct telling *t = ctx;

    t->show->ops->event(t->show, v, e);
    audit_event(t->audit, v, e, &t->ci);
}

static void on_end(void *ctx, const struct view *v, int code)
{
    struct telling *t = ctx;

    assert_true(t->show->ops->end(t->show, v, code, MEND));
    junit_write(t->junit, v, code);
    summary_write(t->summary, v, code, MEND);
}

struct texts {
    char *shown, *audit, *junit, *summary;
    int code;
};

static void free_texts(struct texts *t)
{
    free(t->shown);
    free(t->audit);
    free(t->junit);
    free(t->summary);
}

enum ending { GOOD, ONE_FAILED, ONE_OUT };

static struct texts tell(struct show *(*open)(FILE *), enum ending ending)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 2});
    struct fake_fleet *fleet = fake_fleet_new(p);
    struct fake_world *w = fake_world_new(fleet, p);
    struct texts texts = {0};
    size_t n[4];
    FILE *shown = tmpfile();
    struct telling t = {.show = open(shown),
                        .audit = open_memstream(&texts.audit, &n[0]),
                        .junit = open_memstream(&texts.junit, &n[1]),
                        .summary = open_memstream(&texts.summary, &n[2]),
                        .ci = {.commit = "9fceb02", .job_url = "https://ci.example/1", .actor = "ann \"root\"\n"}};
    struct fake_watch watch = {.event = on_event, .end = on_end, .ctx = &t};

    p->nodes[2].at_target = true;
    if (ending == ONE_OUT)
        fake_when(fleet, "a job ends", 0, fake_lb_dies, 1);
    if (ending == ONE_FAILED)
        fake_world_rule(
            w, (struct fake_rule){
                   .kind = ACT_ASK, .ask = ASK_DRAIN, .node = 1, .place = -1, .times = 99, .fault = FAULT_FAIL});
    texts.code = fake_rollout_watched(w, &watch);
    (void)fclose(t.audit);
    (void)fclose(t.junit);
    (void)fclose(t.summary);
    rewind(shown);
    texts.shown = calloc(1, GOLDEN_MAX);
    assert_non_null(texts.shown);
    assert_true(fread(texts.shown, 1, GOLDEN_MAX - 1, shown) > 0);
    (void)fclose(shown);
    fake_world_free(&w);
    fake_fleet_free(&fleet);
    plan_free(&p);
    return texts;
}

static struct show *github(FILE *f)
{
    return show_github(f, NULL);
}

static void a_github_log(void **state)
{
    struct texts t = tell(github, ONE_OUT);

    (void)state;
    assert_int_equal(t.code, 3);
    golden("github.txt", t.shown);
    golden("summary.md", t.summary);
    free_texts(&t);
}

static void a_gitlab_log(void **state)
{
    struct texts t = tell(show_gitlab, ONE_FAILED);

    (void)state;
    assert_int_equal(t.code, 1);
    golden("gitlab.txt", t.shown);
    free_texts(&t);
}

static void an_audit_has_a_line_an_effect(void **state)
{
    struct texts t = tell(show_lines, ONE_FAILED);

    (void)state;
    golden("audit.txt", t.audit);
    free_texts(&t);
}

static void a_junit_report_has_a_case_a_node(void **state)
{
    struct texts failed = tell(show_lines, ONE_FAILED), out = tell(show_lines, ONE_OUT);

    (void)state;
    golden("junit-failed.xml", failed.junit);
    golden("junit-out.xml", out.junit);
    free_texts(&failed);
    free_texts(&out);
}

static void each_line_of_json_is_an_object_of_the_schema(void **state)
{
    struct texts t = tell(show_json, ONE_OUT);
    unsigned lines = 0, reports = 0;

    (void)state;
    for (char *line = t.shown, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
        struct err err = {""};
        json_t *o = json_read(line, (size_t)(end - line), &err);

        if (o == NULL)
            fail_msg("%s: %.*s", err.text, (int)(end - line), line);
        assert_int_equal(json_integer_value(json_object_get(o, "v")), 1);
        assert_string_equal(json_string_value(json_object_get(o, "rollout")), "r1");
        assert_non_null(json_string_value(json_object_get(o, "event")));
        assert_non_null(json_string_value(json_object_get(o, "at")));
        if (strcmp(json_string_value(json_object_get(o, "event")), "report") == 0) {
            const json_t *nodes = json_object_get(o, "nodes"), *a = json_array_get(nodes, 0);

            reports++;
            assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 3);
            assert_int_equal(json_array_size(nodes), 3);
            assert_string_equal(json_string_value(json_object_get(a, "outcome")), "OUT OF ROTATION");
            assert_int_equal(json_array_size(json_object_get(a, "out")), 1);
            assert_string_equal(json_string_value(json_object_get(o, "next")), MEND);
        }
        json_decref(o);
    }
    assert_true(lines > 20);
    assert_int_equal(reports, 1);
    free_texts(&t);
}

static void the_docs_have_every_event(void **state)
{
    static char docs[GOLDEN_MAX];
    FILE *f = fopen("docs/events.md", "re");
    char *table;

    (void)state;
    assert_non_null(f);
    docs[fread(docs, 1, sizeof docs - 1, f)] = '\0';
    (void)fclose(f);
    table = strstr(docs, "### events");
    assert_non_null(table);
    for (int kind = 0; kind < EVENT_COUNT; kind++) {
        char row[64];

        (void)snprintf(row, sizeof row, "\n| `%s` | ", event_name((enum event_kind)kind));
        if (strstr(table, row) == NULL)
            fail_msg("docs/events.md does not know %s", event_name((enum event_kind)kind));
    }
}

/* ---- the pure parts */

static char *marked(const struct marks *m, const char *text)
{
    char *to;
    size_t n;
    FILE *f = open_memstream(&to, &n);

    m->annotate(f, MARK_ERROR, text, text);
    m->open(f, text, text, 1700000000999);
    m->close(f, text, 1700000001000);
    (void)fclose(f);
    return to;
}

static void what_comes_from_elsewhere_ends_no_mark(void **state)
{
    char *github_text = marked(&marks_github, "a:b,c%\r\n::error::x"),
         *gitlab_text = marked(&marks_gitlab, "a:\r\n\033[0Kb");

    (void)state;
    assert_string_equal(github_text, "::error title=a%3Ab%2Cc%25%0D%0A%3A%3Aerror%3A%3Ax::a:b,c%25%0D%0A::error::x\n"
                                     "::group::a:b,c%25%0D%0A::error::x\n"
                                     "::endgroup::\n");
    assert_string_equal(gitlab_text, "\033[31;1merror: a:   [0Kb: a:   [0Kb\033[0;m\n"
                                     "\033[0Ksection_start:1700000000:a_____0Kb[collapsed=true]\r\033[0Ka:   [0Kb\n"
                                     "\033[0Ksection_end:1700000001:a_____0Kb\r\033[0K\n");
    free(github_text);
    free(gitlab_text);
}

/* The runner of GitHub finds ##[COMMAND] in mid-line. */
static void an_old_command_in_a_line_is_none(void **state)
{
    char lines[] = "a | ##[stop-commands]x\nb ##[[set-output name=y]\n";

    (void)state;
    marks_github.defuse(lines);
    assert_string_equal(lines, "a | ##(stop-commands]x\nb ##([set-output name=y]\n");
}

/* It comes to all that a hook, an agent or a service says. */
static void what_a_node_says_is_no_command(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1, .lbs = 1});
    struct view *v = view_new(p);
    struct event e = {.kind = EVENT_OUTPUT};
    FILE *f = tmpfile();
    struct show *s = show_github(f, NULL);
    char text[4096] = "";

    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(e.text, sizeof e.text, "%s", i == 0 ? "x ##[stop-commands]t" : "y ##[error]");
        view_feed(v, &e);
        s->ops->event(s, v, &e);
        s->ops->flush(s, v);
    }
    assert_true(s->ops->end(s, v, 0, MEND));
    rewind(f);
    (void)!fread(text, 1, sizeof text - 1, f);
    assert_null(strstr(text, "##["));
    assert_non_null(strstr(text, "x ##(stop-commands]t\n"));
    assert_non_null(strstr(text, "y ##(error]\n"));
    (void)fclose(f);
    view_free(&v);
    plan_free(&p);
}

static char *github_env(const char *name)
{
    static const char *const env[][2] = {
        {"GITHUB_ACTIONS", "true"},   {"GITHUB_SHA", "9fceb02"}, {"GITHUB_SERVER_URL", "https://github.example"},
        {"GITHUB_REPOSITORY", "a/b"}, {"GITHUB_RUN_ID", "7"},    {"GITHUB_ACTOR", "ann"}};

    for (size_t i = 0; i < sizeof env / sizeof *env; i++)
        if (strcmp(env[i][0], name) == 0)
            return (char *)(uintptr_t)env[i][1];
    return NULL;
}

static char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static void the_ci_is_known_by_its_variables(void **state)
{
    struct ci ci;

    (void)state;
    ci_read(&ci, github_env);
    assert_true(ci.github && !ci.gitlab);
    assert_string_equal(ci.job_url, "https://github.example/a/b/actions/runs/7");
    assert_string_equal(ci.commit, "9fceb02");
    ci_read(&ci, no_env);
    assert_false(ci.github || ci.gitlab);
    assert_string_equal(ci.job_url, "");
}

static void a_report_that_cannot_be_written_is_known_before(void **state)
{
    struct err err = {""};

    (void)state;
    assert_null(show_junit("/nowhere/at/all.xml", &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all.xml"));
    assert_null(show_audit("/nowhere/at/all.log", &err));
    assert_non_null(strstr(err.text, "--audit"));
}

static void write_junit(const char *path, bool good)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1, .lbs = 1});
    struct view *v = view_new(p);
    struct err err = {""};
    struct show *s = show_junit(path, &err);

    if (s == NULL)
        fail_msg("%s", err.text);
    v->nodes[0].text = mem_text("a\xef\xbf\xbe\xef\xbf\xbf\xc3\xa9");
    v->nodes[0].state.step = STEP_DONE;
    v->nodes[0].state.outcome = OUTCOME_FAILED;
    assert_int_equal(s->ops->end(s, v, 0, MEND), good);
    view_free(&v);
    plan_free(&p);
}

/* A device and a link stay what they are; on a full disk nothing is left lying about; XML has no U+FFFE. */
static void a_junit_report_stands_where_it_was_asked_for(void **state)
{
    char dir[] = "/tmp/junit-XXXXXX", full[64], file[64], link[64], text[2048] = "";
    struct err err = {""};
    struct stat there;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(full, sizeof full, "%s/full", dir);
    (void)snprintf(file, sizeof file, "%s/file.xml", dir);
    (void)snprintf(link, sizeof link, "%s/link.xml", dir);
    assert_int_equal(symlink("/dev/full", full), 0);
    write_junit(full, false);
    assert_true(lstat(full, &there) == 0 && S_ISLNK(there.st_mode));
    assert_true(stat("/dev/full", &there) == 0 && S_ISCHR(there.st_mode));
    write_junit(file, true);
    assert_int_equal(symlink("file.xml", link), 0);
    write_junit(link, true);
    assert_true(lstat(link, &there) == 0 && S_ISLNK(there.st_mode));
    f = fopen(file, "r");
    assert_non_null(f);
    (void)!fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    assert_non_null(strstr(text, ">a??\xc3\xa9<"));
    assert_null(show_junit(dir, &err));
    assert_int_equal(unlink(full) + unlink(file) + unlink(link) + rmdir(dir), 0);
}

/* A named pipe in a folder of its own. */
static void make_pipe(char dir[64], char path[80])
{
    (void)snprintf(dir, 64, "/tmp/show_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, 80, "%s/audit", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void remove_pipe(const char *dir, const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_pipe_that_nobody_reads_from_is_refused_and_not_waited_for(void **state)
{
    struct err err = {""};
    char dir[64], path[80];

    (void)state;
    make_pipe(dir, path);
    assert_null(show_audit(path, &err));
    assert_non_null(strstr(err.text, "nobody reads from the pipe"));
    remove_pipe(dir, path);
}

/* What it says of a pipe whose reader has stopped reading: nothing that holds the rollout up. */
static void a_reader_that_has_stopped_reading_holds_nothing_up(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 1});
    struct view *v = view_new(p);
    struct err err = {""};
    char dir[64], path[80];
    struct event leased = {.kind = EVENT_LEASED};
    struct show *audit;
    int reader;

    (void)state;
    make_pipe(dir, path);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    audit = show_audit(path, &err);
    assert_non_null(audit);
    for (unsigned i = 0; i < 2000; i++) { /* more than it holds */
        audit->ops->event(audit, v, &leased);
        audit->ops->flush(audit, v);
    }
    assert_false(audit->ops->end(audit, v, 0, "")); /* that lines are missing is said */
    (void)close(reader);
    view_free(&v);
    plan_free(&p);
    remove_pipe(dir, path);
}

/* A show on the screen is told of three events, each followed by a frame; the texts get shorter and longer again. */
static void tell_screen(void *ctx, const struct view *v, const struct event *e)
{
    static const char *const texts[] = {"first, by far the longest of all", "second", "third, longer"};
    struct show *show = ctx;

    if (e->kind != EVENT_BEGAN)
        return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct event said = {.kind = EVENT_HELD, .node = EVENT_NO_NODE};

        (void)snprintf(said.text, sizeof said.text, "%s", texts[i]);
        show->ops->event(show, v, &said);
        show->ops->tick(show, v);
    }
}

static void end_screen(void *ctx, const struct view *v, int code)
{
    struct show *show = ctx;

    assert_true(show->ops->end(show, v, code, MEND));
}

/* Of what came to the terminal, the lines above the first frame that follows `text`. */
static void expect_line(const char *all, const char *text)
{
    const char *at = strstr(all, text), *end;

    assert_non_null(at);
    end = strchr(at, '\n');
    assert_non_null(end);
    assert_int_equal(end - at, strlen(text));
    if (strncmp(end + 1, "app: ", 5) != 0)
        fail_msg("behind \"%s\" comes %.40s", text, end + 1);
}

static void a_line_that_stays_on_the_screen_is_followed_by_the_frame_alone(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 1});
    struct fake_fleet *fleet = fake_fleet_new(p);
    struct fake_world *w = fake_world_new(fleet, p);
    FILE *shown = tmpfile();
    struct fake_watch watch = {.event = tell_screen, .end = end_screen, .ctx = show_screen(shown)};
    char *all = calloc(1, GOLDEN_MAX);

    (void)state;
    assert_int_equal(fake_rollout_watched(w, &watch), 0);
    rewind(shown);
    assert_true(fread(all, 1, GOLDEN_MAX - 1, shown) > 0);
    (void)fclose(shown);
    expect_line(all, "first, by far the longest of all");
    expect_line(all, "second");
    expect_line(all, "third, longer");
    free(all);
    fake_world_free(&w);
    fake_fleet_free(&fleet);
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_stays_on_the_screen_is_followed_by_the_frame_alone),
        cmocka_unit_test(a_github_log),
        cmocka_unit_test(a_gitlab_log),
        cmocka_unit_test(an_audit_has_a_line_an_effect),
        cmocka_unit_test(an_old_command_in_a_line_is_none),
        cmocka_unit_test(what_a_node_says_is_no_command),
        cmocka_unit_test(a_junit_report_stands_where_it_was_asked_for),
        cmocka_unit_test(a_junit_report_has_a_case_a_node),
        cmocka_unit_test(each_line_of_json_is_an_object_of_the_schema),
        cmocka_unit_test(the_docs_have_every_event),
        cmocka_unit_test(what_comes_from_elsewhere_ends_no_mark),
        cmocka_unit_test(the_ci_is_known_by_its_variables),
        cmocka_unit_test(a_report_that_cannot_be_written_is_known_before),
        cmocka_unit_test(a_pipe_that_nobody_reads_from_is_refused_and_not_waited_for),
        cmocka_unit_test(a_reader_that_has_stopped_reading_holds_nothing_up),
    };

    (void)setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
