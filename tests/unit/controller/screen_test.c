/* The screen as text: a fake fleet is rolled, and drawn at moments that the fleet's clock names. */
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include <cmocka.h>

#include "controller/cells.h"
#include "controller/live.h"
#include "controller/screen.h"
#include "golden.h"
#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

/* A rollout that is drawn in each style once it has come to `at_step` of node `node`, and at its end. */
struct scene {
    struct plan *plan;
    struct fake_fleet *fleet;
    struct fake_world *world;
    struct live *live;
    const char *name; /* of the golden files */
    enum step at_step;
    uint16_t node;
    bool drawn;
    int code;
};

static const struct {
    const char *name;
    struct screen_style style;
} styles[] = {
    {"40", {.columns = 40, .rows = 12, .utf8 = true}},
    {"80", {.columns = 80, .rows = 24, .utf8 = true, .color = true}},
    {"80-ascii", {.columns = 80, .rows = 24}},
    {"200", {.columns = 200, .rows = 50, .utf8 = true}},
};
#define STYLES (sizeof styles / sizeof *styles)

/* No line is wider than the screen, and there are not more than it has rows. */
static void expect_to_fit(const char *text, const struct screen_style *style, bool any_rows)
{
    char line[4096];
    unsigned rows = 0;

    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, rows++) {
        size_t n = 0;

        for (const char *c = text; c < end; c++) {
            if (*c == '\033')
                c = strchr(c, 'm');
            else
                line[n++] = *c;
        }
        line[n] = '\0';
        if (cells_width(line) > style->columns)
            fail_msg("%zu columns: %s", cells_width(line), line);
    }
    assert_string_equal(text, ""); /* a last line without its end */
    assert_true(any_rows || rows <= style->rows);
}

static void draw(struct scene *s, const struct view *v, int64_t wall_ms, bool end)
{
    for (size_t i = 0; i < STYLES; i++) {
        char name[96], *text;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        if (end)
            screen_table(f, v, &styles[i].style);
        else
            screen_draw(f, v, wall_ms, &styles[i].style);
        (void)fclose(f);
        expect_to_fit(text, &styles[i].style, end);
        (void)snprintf(name, sizeof name, "%s%s-%s.txt", s->name, end ? "-end" : "", styles[i].name);
        golden(name, text);
        free(text);
    }
}

static void on_tick(void *ctx, struct view *v, const struct run *r, int64_t wall_ms)
{
    struct scene *s = ctx;

    if (s->drawn || run_node(r, s->node)->step != s->at_step)
        return;
    s->drawn = true;
    live_look(s->live, r, s->plan);
    v->live = s->live;
    draw(s, v, wall_ms, false);
    v->live = NULL;
}

static void on_end(void *ctx, const struct view *v, int code)
{
    struct scene *s = ctx;

    s->code = code;
    draw(s, v, v->now_ms, true);
}

static struct scene scene(const char *name, struct fake_shape shape)
{
    struct scene s = {.plan = fake_plan(shape), .name = name};

    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    s.live = live_new(s.plan);
    return s;
}

static void play(struct scene *s, uint16_t node, enum step step)
{
    struct fake_watch watch = {.tick = on_tick, .end = on_end, .ctx = s, .tick_ms = 100};

    s->node = node;
    s->at_step = step;
    (void)fake_rollout_watched(s->world, &watch);
    assert_true(s->drawn);
    live_free(&s->live);
    fake_world_free(&s->world);
    fake_fleet_free(&s->fleet);
    plan_free(&s->plan);
}

static void a_node_that_drains(void **state)
{
    struct scene s = scene("drain", (struct fake_shape){.nodes = 4, .lbs = 2});

    (void)state;
    s.plan->version = "2.1";
    play(&s, 2, STEP_QUIET);
    assert_int_equal(s.code, 0);
}

static void several_in_motion(void **state)
{
    struct scene s = scene("batch", (struct fake_shape){.nodes = 12, .lbs = 1});

    (void)state;
    s.plan->batches[0] = 8;
    s.plan->max_unavailable = 8;
    s.plan->nodes[3].at_target = true;
    s.plan->nodes[5].name = "a-very-long-name-of-a-node-in-some-cloud-eu-central-1a";
    play(&s, 1, STEP_HEALTH);
    assert_int_equal(s.code, 0);
}

static void one_that_is_out(void **state)
{
    struct scene s = scene("out", (struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job ends", 0, fake_lb_dies, 1);
    play(&s, 0, STEP_BACK);
    assert_int_equal(s.code, 3);
}

static void text_from_elsewhere_moves_no_cursor(void **state)
{
    /* escape, carriage return, a byte that is no UTF-8, U+202E that turns the direction round */
    static const char text_of[] = {'a', '\033', '[', '2', 'J', 'b', '\r', 'c', '\xff', '\xe2', '\x80', '\xae', '\0'};
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    (void)cells_put(f, text_of, 80, true);
    (void)fclose(f);
    assert_string_equal(text, "a?[2Jb?c??");
    free(text);
}

static void a_text_is_cut_at_the_column(void **state)
{
    static const struct {
        const char *text, *want;
        size_t columns;
        bool utf8;
    } rows[] = {
        {"abc", "abc", 3, true},
        {"abcd", "ab\u2026", 3, true},
        {"abcd", "a..", 3, false},
        {"\u00fcber", "\u00fcber", 4, true},
        {"\u00fcber", "?ber", 4, false},
        {"\u6771\u4eac", "\u6771\u4eac", 4, true}, /* two columns each */
        {"\u6771\u4eac", "\u6771\u2026", 3, true},
        {"\u6771\u4eac", "\u2026", 2, true},
        {"e\u0301a", "e\u0301a", 2, true}, /* a combining accent */
        {"abc", "", 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        assert_true(cells_put(f, rows[i].text, rows[i].columns, rows[i].utf8) <= rows[i].columns);
        (void)fclose(f);
        assert_string_equal(text, rows[i].want);
        free(text);
    }
}

static size_t utf8(char *to, wchar_t c)
{
    mbstate_t state = {0};
    size_t n = wcrtomb(to, c, &state);

    to[n == (size_t)-1 ? 0 : n] = '\0';
    return n;
}

/* A character that takes more than was thought makes the line wrap, and the screen is not erased as a whole. */
static void no_character_is_taken_for_narrower_than_it_is(void **state)
{
    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        fail_msg("there is no locale C.UTF-8");
    for (wchar_t c = 0xa0; c < 0x30000; c++) {
        char text[MB_LEN_MAX + 1];
        int width = wcwidth(c);

        if (c >= 0xd800 && c < 0xe000)
            continue;
        if (utf8(text, c) != (size_t)-1 && width > 0 && cells_width(text) < (size_t)width)
            fail_msg("U+%04X takes %d columns, not %zu", (unsigned)c, width, cells_width(text));
    }
    (void)setlocale(LC_CTYPE, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_drains),
        cmocka_unit_test(several_in_motion),
        cmocka_unit_test(one_that_is_out),
        cmocka_unit_test(text_from_elsewhere_moves_no_cursor),
        cmocka_unit_test(a_text_is_cut_at_the_column),
        cmocka_unit_test(no_character_is_taken_for_narrower_than_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
