/* What a hook is told, how one is written on the command line, and what becomes of it in the run beside its node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/given.h"
#include "controller/hook_facts.h"
#include "controller/lines.h"
#include "controller/live.h"
#include "controller/moment.h"
#include "controller/options.h"
#include "controller/plan_pack.h"
#include "small_plan.h"
#include "tests/sim/fake_plan.h"

static const struct hook all_hooks[] = {
    {"end 1", HOOK_AT_END},        {"drain", HOOK_BEFORE_DRAIN}, {"end 2", HOOK_AT_END},
    {"hand", HOOK_AFTER_HANDOVER}, {"back", HOOK_AFTER_READD},
};

/* ---- how they are written */

static bool parse(struct options *o, struct err *err, const char *hook, const char *env)
{
    static char program[] = "rollout", hosts[] = "--hosts=h", flag[] = "--hook",
                home[] = "HOME=/h"; /* options borrow */
    char *argv[] = {program, hosts, flag, (char *)(uintptr_t)hook, NULL};
    char *environment[] = {home, (char *)(uintptr_t)env, NULL};

    *err = (struct err){0};
    argv[2] = hook != NULL ? argv[2] : NULL;
    return options_parse(hook != NULL ? 4 : 2, argv, environment, o, err);
}

static void a_hook_is_a_point_and_a_command(void **state)
{
    struct options o;
    struct err err;

    (void)state;
    assert_true(parse(&o, &err, "at-end=notify --to ops, now", NULL));
    assert_int_equal(o.hook.count, 1);
    assert_string_equal(o.hook.items[0], "at-end=notify --to ops, now");
    assert_int_equal(o.hook_timeout_ms, 60000);
    options_free(&o);
    assert_true(parse(&o, &err, NULL, "ROLLOUT_HOOK=before-drain=a b\nat-end=c, d\n"));
    assert_int_equal(o.hook.count, 2);
    assert_string_equal(o.hook.items[1], "at-end=c, d");
    options_free(&o);
}

static void a_mistake_is_told_with_what_would_be_right(void **state)
{
    static const struct {
        const char *hook, *says;
    } rows[] = {
        {"befor-drain=x", "--hook: there is no hook \"befor-drain\"; did you mean before-drain?"},
        {"after_readd=x", "--hook: there is no hook \"after_readd\"; did you mean after-readd?"},
        {"x", "there is no hook \"x\", only before-drain, after-handover, after-readd and at-end, each with =COMMAND"},
        {"at-end", "--hook: at-end has no command behind it: at-end=COMMAND"},
        {"at-end=  ", "--hook: at-end has no command behind it: at-end=COMMAND"},
        {"", "--hook: the value is empty; leave the setting out instead"},
        {"at-end=\x1b[2J", "--hook: the value holds control characters"},
    };
    struct options o;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(parse(&o, &err, rows[i].hook, NULL));
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].hook, err.text);
        options_free(&o);
    }
}

static void a_resume_by_the_journal_has_them_again(void **state)
{
    struct options o, again;
    struct err err;
    char *given;

    (void)state;
    assert_true(parse(&o, &err, "at-end=a,\"b\" c", NULL));
    given = given_options(&o, "/cwd");
    assert_true(parse(&again, &err, NULL, NULL));
    assert_true(given_options_again(&again, given, true, &err));
    assert_int_equal(again.hook.count, 1);
    assert_string_equal(again.hook.items[0], "at-end=a,\"b\" c");
    free(given);
    options_free(&o);
    options_free(&again);
}

static void a_file_that_cannot_be_run_is_found_before_anything_begins(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(hook_can_run("/nowhere/notify.sh --now", &err));
    assert_string_equal(err.text, "/nowhere/notify.sh: No such file or directory");
    assert_false(hook_can_run("/etc/passwd", &err));
    assert_true(hook_can_run("/bin/true x", NULL));
    assert_true(hook_can_run("test -e /nowhere", NULL)); /* the shell's own, or of the PATH: it will say so */
    assert_true(hook_can_run("~/notify.sh", NULL));
    assert_true(hook_can_run("\"$DIR/notify.sh\" x", NULL));
}

static void a_plan_has_them_by_point_in_the_order_given_packed_and_unpacked(void **state)
{
    struct plan *p = fake_plan((struct fake_shape){0}), *again;
    char *packed;

    (void)state;
    plan_set_hooks(p, all_hooks, 5);
    packed = plan_pack(p);
    again = plan_unpack(packed, NULL);
    assert_non_null(again);
    assert_int_equal(plan_hooks(again, HOOK_AT_END), 2);
    assert_string_equal(plan_hook(again, HOOK_AT_END, 0)->command, "end 1");
    assert_string_equal(plan_hook(again, HOOK_AT_END, 1)->command, "end 2");
    assert_int_equal(plan_hooks(again, HOOK_BEFORE_DRAIN), 1);
    assert_string_equal(plan_hook(again, HOOK_AFTER_READD, 0)->command, "back");
    free(packed);
    plan_free(&again);
    packed = NULL;
    plan_free(&p);
}

/* ---- what they are told */

static struct view *view_of(struct small_plan *s, enum step step)
{
    struct view *v;
    struct node *n;

    small_plan(s, (const int[]){1, 2}, (const int[]){3, 4});
    s->plan.has_release = true;
    s->nodes[0].zone = "a";
    v = view_new(&s->plan);
    n = &v->nodes[0].state;
    n->step = (uint8_t)step;
    n->before.pid = 4711;
    memset(n->before.sha256, 0xcd, sizeof n->before.sha256);
    return v;
}

static const char *variable(char **env, const char *name)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, name, strlen(name)) == 0 && (*env)[strlen(name)] == '=')
            return *env + strlen(name) + 1;
    return NULL;
}

#define HEX(digits) digits digits digits digits digits digits digits digits

static void a_nodes_hook_is_told_of_the_node(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"POINT", "after-handover"},
        {"ID", "r-1"},
        {"KIND", "roll"},
        {"HOLDER", "ann@ci-7 pid 4711"},
        {"FENCE", "7"},
        {"SERVICE", "app"},
        {"VERSION", "2.0"},
        {"NODE", "web1"},
        {"HOST", "web1"},
        {"ADDRESS", "127.0.0.1"},
        {"ZONE", "a"},
        {"STEP", "after-handover"},
        {"FROM", HEX("cdcdcdcd")},
        {"TO", HEX("abababab")},
        {"PID", "4711"},
        {"UPSTREAMS", "app,extra"},
        {"LBS", "lb1,lb2"},
        {"PEERS", "10.0.0.1:80 of app at lb1,[::1]:80 of extra at lb1,10.0.0.1:80 of app at lb2"},
        {"REVERSE", "0"},
        {"RESUMED", "1"},
        {"NODE_FAILED", "0"},
        {"WHY", ""},
        {"TOTAL", "2"},
    };
    char *base[] = {(char[]){"PATH=/bin"}, (char[]){"ROLLOUT_KEY=/etc/k.pem"}, (char[]){"ROLLOUT_HOOK=at-end=x"},
                    (char[]){"HOME=/h"}, NULL};
    struct small_plan s;
    struct view *v = view_of(&s, STEP_AFTER);
    json_t *facts;
    char **env, name[64];

    (void)state;
    s.nodes[0].resumed = true;
    facts = hook_facts_of_node(v, 0);
    env = hook_env(facts, base);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(name, sizeof name, "ROLLOUT_%s", rows[i].name);
        assert_non_null(variable(env, name));
        assert_string_equal(variable(env, name), rows[i].value);
    }
    assert_string_equal(variable(env, "PATH"), "/bin");
    assert_string_equal(variable(env, "HOME"), "/h");
    assert_null(variable(env, "ROLLOUT_KEY"));
    assert_null(variable(env, "ROLLOUT_HOOK"));
    assert_int_equal(json_array_size(json_object_get(facts, "peers")), 3);
    assert_true(json_is_false(json_object_get(facts, "reverse")));
    free(env);
    json_decref(facts);
    view_free(&v);
}

static void the_end_is_told_what_became_of_each(void **state)
{
    struct small_plan s;
    struct view *v = view_of(&s, STEP_OUT);
    json_t *facts;
    char **env;

    (void)state;
    v->nodes[1].state.step = STEP_DONE;
    v->nodes[1].state.outcome = OUTCOME_FAILED;
    facts = hook_facts_of_end(v, 3);
    env = hook_env(facts, NULL);
    assert_string_equal(variable(env, "ROLLOUT_POINT"), "at-end");
    assert_string_equal(variable(env, "ROLLOUT_EXIT_CODE"), "3");
    assert_string_equal(variable(env, "ROLLOUT_OUTCOME"), "a node is out of rotation, or its state is unknown");
    assert_string_equal(variable(env, "ROLLOUT_OUT_NODES"), "web1");
    assert_string_equal(variable(env, "ROLLOUT_FAILED_NODES"), "web2");
    assert_string_equal(variable(env, "ROLLOUT_FAILED"), "1");
    assert_null(variable(env, "ROLLOUT_NODES")); /* objects are for the document */
    assert_int_equal(json_array_size(json_object_get(facts, "nodes")), 2);
    free(env);
    json_decref(facts);
    view_free(&v);
}

static void within_a_hook_its_facts_are_not_taken_for_options(void **state)
{
    char *within[] = {(char[]){"HOME=/h"},         (char[]){"ROLLOUT_POINT=at-end"},
                      (char[]){"ROLLOUT_ID=r1"},   (char[]){"ROLLOUT_SERVICE=app"},
                      (char[]){"ROLLOUT_BATCH=7"}, NULL};
    char *argv[] = {(char[]){"rollout"}, (char[]){"--hosts=h"}, NULL};
    struct options o;

    (void)state;
    assert_true(options_parse(2, argv, within, &o, NULL));
    assert_null(o.rollout_id);
    assert_null(o.service);
    assert_int_equal(o.batch.items[0].value, 7); /* the hook's own wish */
    options_free(&o);
    within[1] = (char[]){"OTHER=1"};
    assert_true(options_parse(2, argv, within, &o, NULL));
    assert_string_equal(o.rollout_id, "r1");
    options_free(&o);
}

/* ---- and what people are told of it */

static char *text_of(const struct view *v, const struct event *e)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    if (e != NULL)
        lines_every_event(f, v, e);
    else
        moment_node(f, v, 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void expect_line(const struct view *v, const struct event *e, const char *says)
{
    char *text = text_of(v, e);

    if (strstr(text, says) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text, says);
    free(text);
}

static void people_see_how_long_it_runs_and_what_it_writes(void **state)
{
    struct small_plan s;
    struct view *v = view_of(&s, STEP_AFTER);
    struct event e = {.kind = EVENT_OUTPUT, .rollout = "r-1", .node = 0, .wall_ms = 1, .text = "all is well"};

    (void)state;
    plan_set_hooks(&s.plan, all_hooks, 5);
    s.plan.wait_ms[WAIT_HOOK] = 60000;
    v->live = live_new(&s.plan);
    v->live->left_ms[0] = 48000;
    expect_line(v, NULL, "12s of 1m; waits for the hook after-handover to end well: hand");
    expect_line(v, &e, "web1      hook      | all is well\n");
    view_feed(v, &e);
    expect_line(v, NULL, "12s of 1m; all is well; waits for the hook after-handover");
    e = (struct event){.kind = EVENT_HOOK, .rollout = "r-1", .node = EVENT_NO_NODE, .wall_ms = 2, .text = "end 1"};
    view_feed(v, &e);
    assert_string_equal(v->hook, "end 1");
    expect_line(v, &e, "at-end    hook      runs, at most 1m: end 1\n");
    e = (struct event){
        .kind = EVENT_HOOKED, .rollout = "r-1", .node = EVENT_NO_NODE, .wall_ms = 3, .code = 1, .text = "exit code 9"};
    view_feed(v, &e);
    assert_string_equal(v->hook, "");
    assert_string_equal(v->hooked, "end 1: exit code 9");
    expect_line(v, &e, "at-end    hook      failed: exit code 9\n");
    live_free(&v->live);
    view_free(&v);
    pool_free(&s.plan.owned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_is_a_point_and_a_command),
        cmocka_unit_test(a_mistake_is_told_with_what_would_be_right),
        cmocka_unit_test(a_resume_by_the_journal_has_them_again),
        cmocka_unit_test(a_file_that_cannot_be_run_is_found_before_anything_begins),
        cmocka_unit_test(a_plan_has_them_by_point_in_the_order_given_packed_and_unpacked),
        cmocka_unit_test(a_nodes_hook_is_told_of_the_node),
        cmocka_unit_test(the_end_is_told_what_became_of_each),
        cmocka_unit_test(within_a_hook_its_facts_are_not_taken_for_options),
        cmocka_unit_test(people_see_how_long_it_runs_and_what_it_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
