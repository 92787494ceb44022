#include "screen.h"

#include <string.h>

#include "cells.h"
#include "common/sha256.h"
#include "eta.h"
#include "live.h"
#include "moment.h"
#include "pen.h"
#include "wall.h"

/* ---- the head */

#define BAR_FROM 60 /* columns: below, the words need the room */
#define DIGITS   8  /* of a release: enough to tell two apart */

/* What the nodes that are to change run now; "several" where that is not one, NULL where it is not known. */
static const char *release_before(const struct plan *p, char hex[SHA256_DIGITS + 1])
{
    const struct plan_node *first = NULL;

    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct plan_node *n = &p->nodes[i];

        if (n->at_target || n->surveyed.pid == 0)
            continue;
        if (first != NULL && memcmp(first->surveyed.sha256, n->surveyed.sha256, 32) != 0)
            return "several";
        first = first != NULL ? first : n;
    }
    if (first == NULL)
        return NULL;
    sha256_hex(first->surveyed.sha256, hex);
    return hex;
}

/* "41000000 -> 42000000 (2.1), 4 nodes": what there is to do. */
static void add_change(FILE *f, const struct pen *p)
{
    const struct plan *plan = p->v->plan;
    char then[SHA256_DIGITS + 1], hex[SHA256_DIGITS + 1];
    const char *now = release_before(plan, hex);

    if (plan->kind != PLAN_ROLL || !plan->has_release) {
        (void)fputs(plan->kind == PLAN_REPAIR     ? "repair"
                    : plan->kind == PLAN_ROLLBACK ? "back to the release before"
                                                  : "restart",
                    f);
    } else {
        sha256_hex(plan->release_sha256, then);
        if (now != NULL)
            (void)fprintf(f, "%.*s %s ", DIGITS, now, p->style.utf8 ? "\u2192" : "->");
        (void)fprintf(f, "%.*s", DIGITS, then);
        if (plan->version[0] != '\0')
            (void)fprintf(f, " (%s)", plan->version);
    }
    (void)fprintf(f, ", %u node%s", plan->n_nodes, plan->n_nodes == 1 ? "" : "s");
}

static void draw_title(struct pen *p)
{
    const struct plan *plan = p->v->plan;
    FILE *f = pen_begin(p);

    (void)fprintf(f, "%s: ", plan->service);
    add_change(f, p);
    (void)fprintf(f, "; rollout %s, fence %llu", plan->rollout, (unsigned long long)plan->fence);
    pen_end(p, f, HUE_NONE);
}

static void add_bar(FILE *f, const struct pen *p, unsigned columns, uint32_t part, uint32_t whole)
{
    unsigned full = whole > 0 ? (unsigned)((uint64_t)columns * part / whole) : columns;

    (void)fputc('[', f);
    for (unsigned i = 0; i < columns; i++)
        (void)fputs(i < full ? (p->style.utf8 ? "\u2588" : "#") : (p->style.utf8 ? "\u2591" : "."), f);
    (void)fputc(']', f);
}

static void draw_progress(struct pen *p)
{
    const struct plan *plan = p->v->plan;
    struct view_counts c = view_count(p->v);
    char took[32], left[32];
    uint64_t eta;
    FILE *f = pen_begin(p);
    unsigned bar = p->style.columns / 5;

    if (p->style.columns >= BAR_FROM)
        add_bar(f, p, bar > 40 ? 40 : bar, c.done, plan->n_nodes);
    (void)fprintf(f, "%s%u of %u", p->style.columns >= BAR_FROM ? " " : "", c.done, plan->n_nodes);
    if (c.out > 0)
        (void)fprintf(f, ", %u OUT", c.out);
    (void)fprintf(f, " in %s", moment_time(wall_passed_ms(p->v->began_ms, p->now_ms), took, sizeof took));
    if (eta_ms(p->v, p->now_ms, &eta))
        (void)fprintf(f, ", about %s left", moment_time(eta, left, sizeof left));
    (void)fprintf(f, "; %u failed", c.failed + c.out);
    if (plan->max_failures != UINT32_MAX)
        (void)fprintf(f, " (%u allowed)", plan->max_failures);
    pen_end(p, f, c.out > 0 ? HUE_BAD : c.failed > 0 ? HUE_WARN : HUE_GOOD);
}

static void draw_waits(struct pen *p)
{
    FILE *f;

    if (p->v->held[0] != '\0') {
        f = pen_begin(p);
        (void)fprintf(f, "waits %s", p->v->held); /* which names the commands */
        pen_end(p, f, HUE_WARN);
    }
    if (p->v->hook[0] != '\0') {
        f = pen_begin(p);
        (void)fprintf(f, "the hook at-end runs: %s", p->v->hook);
        pen_end(p, f, HUE_NONE);
    }
    if (p->v->stopping[0] != '\0') {
        f = pen_begin(p);
        (void)fprintf(f, "stopping: %s", p->v->stopping);
        pen_end(p, f, HUE_BAD);
    }
}

/* ---- nodes in motion */

/* A name takes a quarter of the screen at most. */
static void add_name(FILE *f, const struct pen *p, const char *name)
{
    int most = (int)p->style.columns / 4, width = p->v->name_width > most ? most : p->v->name_width;

    cells_pad(f, name, (size_t)width, p->style.utf8);
}

/* On two rows, behind a name and a step of a narrow screen stands how long it may still wait, and below them the rest.
 */
static void draw_node(struct pen *p, uint32_t node, unsigned rows)
{
    const struct node *n = &p->v->nodes[node].state;
    enum hue hue = n->failed ? HUE_BAD : HUE_NONE;
    FILE *f = pen_begin(p);

    add_name(f, p, p->v->plan->nodes[node].name);
    (void)fprintf(f, "  %-8s  ",
                  step_row((enum step)n->step)->ask == ASK_HOOK ? "hook" : step_row((enum step)n->step)->name);
    if (rows > 1) {
        moment_left(f, p->v, node);
        pen_end(p, f, hue);
        f = pen_begin(p);
        (void)fputs("  ", f);
    }
    moment_node(f, p->v, node);
    pen_end(p, f, hue);
}

static bool is_shown(const struct node *n)
{
    return n->step != STEP_WAIT && n->step != STEP_DONE;
}

static void draw_nodes(struct pen *p, unsigned rows)
{
    struct view_counts c = view_count(p->v);
    uint32_t all = c.moving + c.out, shown = 0;
    unsigned each = p->style.columns < BAR_FROM && all * 2 <= rows ? 2 : 1;
    unsigned room = all > rows && rows > 0 ? rows - 1 : rows;
    char text[64];

    for (uint32_t i = 0; i < p->v->plan->n_nodes && shown < room; i++) {
        if (!is_shown(&p->v->nodes[i].state))
            continue;
        draw_node(p, i, each);
        shown++;
    }
    if (shown < all && rows > 0) {
        (void)snprintf(text, sizeof text, "and %u more", all - shown);
        pen_line(p, HUE_DIM, text);
    }
}

/* ---- load balancers */

static const char *lease_word(uint8_t state)
{
    return state == LEASE_HELD    ? "ours"
           : state == LEASE_GONE  ? "not ours"
           : state == LEASE_MAYBE ? "asked for"
                                  : "none";
}

static void draw_lb(struct pen *p, uint32_t lb)
{
    const struct plan *plan = p->v->plan;
    const struct live *live = p->v->live;
    uint32_t age = live->lbs[lb].age_ms;
    char when[32];
    FILE *f = pen_begin(p);

    add_name(f, p, plan->lbs[lb].name);
    if (age == UINT32_MAX)
        (void)fputs("  not seen yet", f);
    else if (age > 1000)
        (void)fprintf(f, "  seen %s ago", moment_time(age, when, sizeof when));
    for (uint32_t i = 0; i < plan->n_upstreams; i++) {
        const struct live_upstream *u = &live->upstreams[i];

        if (plan->upstreams[i].lb == lb)
            (void)fprintf(f, "  %s %u/%u up, lease %s", plan->upstreams[i].name, u->up, u->configured,
                          lease_word(u->lease));
    }
    pen_end(p, f, age == UINT32_MAX || (age > 5000 && p->v->n_moving > 0) ? HUE_BAD : HUE_DIM);
}

static void draw_lbs(struct pen *p)
{
    uint32_t n = p->v->live != NULL ? p->v->plan->n_lbs : 0;
    char text[64];

    for (uint32_t i = 0; i < n; i++) {
        if (p->rows_left == 1 && i + 1 < n) {
            (void)snprintf(text, sizeof text, "and %u more load balancers", n - i);
            pen_line(p, HUE_DIM, text);
            return;
        }
        draw_lb(p, i);
    }
}

/* A third of the screen at most is for the load balancers. */
static unsigned rows_of_lbs(const struct pen *p)
{
    unsigned most = p->rows_left / 3 > 0 ? p->rows_left / 3 : 1;

    if (p->v->live == NULL)
        return 0;
    return p->v->plan->n_lbs < most ? p->v->plan->n_lbs : most;
}

void screen_draw(FILE *f, const struct view *v, int64_t now_ms, const struct screen_style *style)
{
    struct pen p = pen_new(f, v, now_ms, style, style->rows < SCREEN_ROWS_MIN ? SCREEN_ROWS_MIN : style->rows);
    unsigned lbs;

    draw_title(&p);
    draw_progress(&p);
    draw_waits(&p);
    lbs = rows_of_lbs(&p);
    draw_nodes(&p, p.rows_left > lbs ? p.rows_left - lbs : 0);
    draw_lbs(&p);
}
