/* What the journal tells of a rollout afterwards: a rollout of the fake fleet is written down, cut off where a killed
 * controller would have cut it, and read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mem.h"
#include "controller/lines.h"
#include "controller/plan_pack.h"
#include "controller/status.h"
#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

static int no_signal(int *count)
{
    return *count = 0;
}

static void look_away(void *ctx, const struct view *v, const struct event *e)
{
    (void)ctx, (void)v, (void)e;
}

/* A rollout of two nodes, all of it in the journal. */
static struct store *written(int *code)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 2});
    struct fake_fleet *fleet = fake_fleet_new(p);
    struct fake_world *world = fake_world_new(fleet, p);
    struct store *store = store_memory_open();
    struct view *view = view_new(p);
    struct loop loop = {
        .plan = p, .world = &world->base, .store = store, .view = view, .show = look_away, .signal = no_signal};

    *code = loop_run(&loop);
    view_free(&view);
    fake_world_free(&world);
    fake_fleet_free(&fleet);
    plan_free(&p);
    return store;
}

/* ---- cut off */

struct cutting {
    struct store *to;
    const char *until; /* the step that `node` entered last */
    uint16_t node;
};

static bool keep(void *ctx, const struct event *e)
{
    struct cutting *c = ctx;
    struct event copy = *e;

    assert_true(c->to->ops->append(c->to, &copy, 1, NULL));
    return e->kind != EVENT_STEP || e->node != c->node || strcmp(step_row(e->state.step)->name, c->until) != 0;
}

static struct store *cut_off(uint16_t node, const char *step)
{
    int code;
    struct store *whole = written(&code);
    struct cutting c = {store_memory_open(), step, node};

    assert_false(whole->ops->each(whole, "r1", 0, keep, &c, NULL));
    whole->ops->close(whole);
    return c.to;
}

static char *text_of(struct store *store, bool alive, json_t **json)
{
    struct told told;
    struct err err = {""};
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!told_read(&told, store, "r1", NULL, NULL, &err))
        fail_msg("%s", err.text);
    status_print(f, &told, alive);
    (void)fclose(f);
    *json = status_json(&told, alive);
    told_clear(&told);
    store->ops->close(store);
    return text;
}

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text == NULL ? "null" : text;
}

static void expect(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in\n%s", part, text);
}

static void one_that_ended_says_how(void **state)
{
    json_t *o;
    int code;
    struct store *store = written(&code);
    char *text = text_of(store, false, &o);

    (void)state;
    assert_int_equal(code, 0);
    expect(text, "rollout r1, fence 7: service app, 2 nodes, to release 420000000000\nbegan 2");
    expect(text, " by ann@ci\nended 2");
    expect(text, " with exit code 0: every node is at the target\n2 nodes: 2 upgraded\n");
    assert_null(strstr(text, "what to do"));
    assert_string_equal(member(o, "standing"), "ended");
    assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 0);
    assert_string_equal(member(o, "to_do"), "null");
    assert_string_equal(member(json_array_get(json_object_get(o, "nodes"), 1), "state"), "upgraded");
    json_decref(o);
    free(text);
}

static void one_without_an_end_was_broken_off_and_names_what_is_in_motion(void **state)
{
    json_t *o, *node;
    char *text = text_of(cut_off(1, "health"), false, &o);

    (void)state;
    expect(text, "broken off after 2");
    expect(text, "2 nodes: 1 upgraded, 1 left in mid-motion\n");
    expect(text, "\nb: left in mid-motion in step health, which waits for enough health checks in a row from the new "
                 "process; out or unknown: 10.0.0.2:8000 of upstream app at lb1\n");
    expect(text, "what to do: rollout resume r1\n");
    assert_null(strstr(text, "\na: "));
    assert_string_equal(member(o, "standing"), "broken_off");
    assert_true(json_is_null(json_object_get(o, "exit_code")));
    assert_string_equal(member(o, "to_do"), "rollout resume r1");
    node = json_array_get(json_object_get(o, "nodes"), 1);
    assert_string_equal(member(node, "state"), "left in mid-motion");
    assert_string_equal(member(node, "step"), "health");
    assert_string_equal(member(json_array_get(json_object_get(node, "out"), 0), "server"), "10.0.0.2:8000");
    json_decref(o);
    free(text);
}

static void one_whose_process_lives_is_at_work(void **state)
{
    json_t *o;
    char *text = text_of(cut_off(0, "quiet"), true, &o);

    (void)state;
    expect(text, "at work; its last event came 2");
    expect(text, "2 nodes: 1 in motion, 1 not begun\n");
    expect(text,
           "\na: in motion in step quiet, which waits for nginx to hold no more requests to it; out or unknown: ");
    assert_null(strstr(text, "what to do"));
    assert_string_equal(member(o, "standing"), "at_work");
    json_decref(o);
    free(text);
}

static void line(void *ctx, const struct told *t, const struct event *e)
{
    lines_every_event(ctx, t->view, e);
}

static void every_event_of_a_rollout_is_told_in_order(void **state)
{
    int code;
    struct store *store = written(&code);
    struct told told;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_true(told_read(&told, store, "r1", line, f, NULL));
    (void)fclose(f);
    expect(text, "  rollout r1, fence 7: service app, 2 nodes, to release 420000000000\n");
    expect(text, "  lb1       lease     upstream app is ours\n");
    expect(text, "  b         health    waits for enough health checks in a row from the new process\n");
    expect(text, "  released  all leases are given back\n");
    expect(text, "  ended     with exit code 0\n");
    told_clear(&told);
    store->ops->close(store);
    free(text);
}

/* ---- two runs of one rollout at once, as two jobs of a pipeline have them */

struct mixing {
    struct store *one, *two; /* of one folder: as two processes */
    bool second_began;
};

/* All of the first; the second begins in its midst, and moves its first node a step. */
static bool mix(void *ctx, const struct event *e)
{
    struct mixing *m = ctx;
    struct event copy = *e, again = *e;

    assert_true(m->one->ops->append(m->one, &copy, 1, NULL));
    if (e->kind == EVENT_BEGAN || (!m->second_began && e->kind == EVENT_STEP)) {
        m->second_began = e->kind == EVENT_STEP;
        assert_true(m->two->ops->append(m->two, &again, 1, NULL));
    }
    return true;
}

static void runs(void *ctx, const struct told *t, const struct event *e)
{
    char *text = ctx;

    assert_int_equal(e->run, e->kind == EVENT_BEGAN ? e->seq : t->run == 1 ? 1 : 2);
    if (strlen(text) < 8 || e->kind == EVENT_ENDED)
        (void)sprintf(text + strlen(text), "%s %u, ", event_name(e->kind), t->run);
}

static void of_two_runs_at_once_each_has_its_own_events(void **state)
{
    char folder[] = "/tmp/rollout-runs-XXXXXX", path[64], began[64] = "";
    static const char *const files[] = {"rollouts.db", "rollouts.db-wal", "rollouts.db-shm"};
    int code;
    struct store *whole = written(&code);
    struct mixing m;
    struct told told;
    char *text;
    json_t *o;

    (void)state;
    assert_non_null(mkdtemp(folder));
    m = (struct mixing){store_sqlite_open(folder, NULL), store_sqlite_open(folder, NULL), false};
    assert_true(whole->ops->each(whole, "r1", 0, mix, &m, NULL));
    whole->ops->close(whole);
    m.two->ops->close(m.two);
    assert_true(told_read(&told, m.one, "r1", runs, began, NULL));
    assert_string_equal(began, "began 1, ended 1, ");
    assert_int_equal(told.runs, 2);
    told_clear(&told);
    text = text_of(m.one, true, &o);
    expect(text, "at work; its last event came 2");
    expect(text, "beside run 2, which is told here, there was run 1 by ann@ci, which ended with exit code 0; rollout "
                 "show r1 has both\n");
    expect(text, "2 nodes: 1 in motion, 1 not begun\n");
    assert_string_equal(member(o, "standing"), "at_work");
    json_decref(o);
    free(text);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* ---- what is no rollout */

static void refuses(struct event *events, size_t n, const char *sentence)
{
    struct store *store = store_memory_open();
    struct told told;
    struct err err = {""};

    assert_true(store->ops->append(store, events, n, NULL));
    assert_false(told_read(&told, store, "r1", NULL, NULL, &err));
    expect(err.text, sentence);
    told_clear(&told);
    store->ops->close(store);
}

static void a_journal_that_holds_no_rollout_is_an_error_and_no_guess(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 2});
    char *packed = plan_pack(p);
    struct event step = {.rollout = "r1", .kind = EVENT_STEP};
    struct event old = {.rollout = "r1", .kind = EVENT_BEGAN, .node = EVENT_NO_NODE, .payload = "{\"plan\":99}"};
    struct event two[] = {{.rollout = "r1", .kind = EVENT_BEGAN, .node = EVENT_NO_NODE, .payload = packed},
                          {.rollout = "r1", .kind = EVENT_STEP, .node = 2}};

    (void)state;
    refuses(&step, 1, "the journal's rollout r1: event 1 comes before the plan");
    refuses(&old, 1, "the journal's rollout r1: event 1: packed plan: version");
    refuses(two, 2, "event 2 is about something that the plan does not have");
    free(packed);
    plan_free(&p);
}

static void an_unknown_rollout_has_no_runs(void **state)
{
    struct store *store = store_memory_open();
    struct told told;

    (void)state;
    assert_true(told_read(&told, store, "r1", NULL, NULL, NULL));
    assert_int_equal(told.runs, 0);
    told_clear(&told);
    store->ops->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_ended_says_how),
        cmocka_unit_test(one_without_an_end_was_broken_off_and_names_what_is_in_motion),
        cmocka_unit_test(one_whose_process_lives_is_at_work),
        cmocka_unit_test(every_event_of_a_rollout_is_told_in_order),
        cmocka_unit_test(of_two_runs_at_once_each_has_its_own_events),
        cmocka_unit_test(a_journal_that_holds_no_rollout_is_an_error_and_no_guess),
        cmocka_unit_test(an_unknown_rollout_has_no_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
