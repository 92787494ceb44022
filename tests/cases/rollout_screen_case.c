/* rollout_screen_case.c - what a person sees in a real terminal: tmux, in which the released program runs. */
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/tmux.h"
#include "tests/stage/witness.h"

#define SEE_LIMIT_MS 20000
#define HOLD_MS      100

/* `vars`: NAME=VALUE words for the shell in front of the command. */
static struct stage_tmux *open_terminal(struct stage_fleet *f, const char *columns, const char *vars)
{
    struct stage *s = f->stage;

    return stage_tmux(
        s, columns, "20",
        stage_text(s,
                   "LC_ALL=C.UTF-8 ROLLOUT_STATE=%s/state %s %s/rollout --hosts %s --cert %s --key %s --cacert %s "
                   "--min-healthy-time=100ms --health-interval=50ms --drain-timeout=50s; echo ended with $?; read x",
                   s->dir, vars, s->build, f->hosts, f->controller->cert, f->controller->key, f->controller->ca));
}

/* The screen and what has scrolled out of it. */
static const char *seen(struct stage_tmux *t)
{
    return STAGE_TMUX(t, "capture-pane", "-p", "-S", "-").out;
}

struct sight {
    struct stage_tmux *terminal;
    const char *text;
};

static bool is_seen(void *ctx)
{
    struct sight *sight = ctx;

    return strstr(seen(sight->terminal), sight->text) != NULL;
}

static void see(struct stage_tmux *t, const char *text)
{
    struct sight sight = {t, text};

    if (!stage_comes_true(t->stage, is_seen, &sight, SEE_LIMIT_MS))
        fail_msg("\"%s\" did not come; there is\n%s", text, seen(t));
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

/* tmux wraps what is there before it tells the new size: a frame that was drawn in between leaves its first lines. They
 * do not pile up. */
static void expect_one_frame(struct stage_tmux *t, unsigned resized)
{
    const char *text = seen(t), *last = text;

    assert_in_range(count(text, "app: restart"), 1, 1 + resized);
    for (const char *next; (next = strstr(last + 1, "app: restart")) != NULL;)
        last = next;
    if (count(last, "node1     quiet") != 1 || count(last, "0 of 3") != 1 || count(last, "lb2 ") < 1)
        fail_msg("the frame is not whole:\n%s", text);
}

static void expect_once(struct stage_tmux *t, const char *part)
{
    const char *text = seen(t);

    if (count(text, part) != 1)
        fail_msg("\"%s\" is there %u times, not once:\n%s", part, count(text, part), text);
}

static void a_rollout_is_drawn_in_place_also_after_a_resize(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_hold *hold = stage_hold_start(f, 1, 0, HOLD_MS);
    struct stage_tmux *t = open_terminal(f, "80", "");

    see(t, "requests: lb1 0, lb2 1");
    expect_one_frame(t, 0);
    assert_int_equal(STAGE_TMUX(t, "resize-window", "-x", "40").exit_code, 0);
    see(t, "\n  requests: lb1 0, lb2 1"); /* on a row of its own, since the new width has no room for it */
    expect_one_frame(t, 1);
    assert_int_equal(STAGE_TMUX(t, "resize-window", "-x", "120").exit_code, 0);
    see(t, "nginx to hold no more requests to it");
    expect_one_frame(t, 2);
    stage_hold_release(hold);
    see(t, "ended with 0");
    expect_once(t, "NODE ");
    expect_once(t, "3 nodes: 3 restarted");
    assert_null(strstr(seen(t), "quiet")); /* the screen is gone, what counts has stayed */
    assert_non_null(strstr(seen(t), "node1     done"));
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    stage_tmux_end(t);
    assert_true(stage_fleet_all_up(f));
}

static void a_dumb_terminal_gets_lines(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_tmux *t = open_terminal(f, "200", "TERM=dumb");

    see(t, "ended with 0");
    assert_non_null(strstr(seen(t), "node1     drain     waits for"));
    assert_null(strstr(seen(t), "NODE "));
    stage_tmux_end(t);
}

static void no_color_and_no_utf8_are_honoured(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_tmux *t = open_terminal(f, "80", "NO_COLOR=1 LC_ALL=C");
    const char *colored;

    see(t, "requests: lb1 1");
    colored = STAGE_TMUX(t, "capture-pane", "-p", "-e").out;
    assert_null(strchr(colored, '\033'));
    assert_non_null(strstr(colored, "[......"));
    stage_hold_release(hold);
    see(t, "ended with 0");
    (void)stage_hold_end(hold);
    stage_tmux_end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_rollout_is_drawn_in_place_also_after_a_resize),
        stage_test(a_dumb_terminal_gets_lines),
        stage_test(no_color_and_no_utf8_are_honoured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
