#include "screen.h"

#include <string.h>

#include "cells.h"
#include "common/sha256.h"
#include "eta.h"
#include "lines.h"
#include "live.h"
#include "moment.h"
#include "pen.h"

/* ---- the head */

/* ", from 410000000000", or how many releases it is from; nothing where that is not known or does not change. */
static void add_from(FILE *f, const struct plan *p)
{
    const struct plan_node *first = NULL;
    char hex[SHA256_DIGITS + 1];
    bool several = false;

    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct plan_node *n = &p->nodes[i];

        if (n->at_target || n->surveyed.pid == 0)
            continue;
        several = several || (first != NULL && memcmp(first->surveyed.sha256, n->surveyed.sha256, 32) != 0);
        first = first != NULL ? first : n;
    }
    if (first == NULL || !p->has_release)
        return;
    sha256_hex(first->surveyed.sha256, hex);
    if (several)
        (void)fputs(", from several", f);
    else
        (void)fprintf(f, ", from %.12s", hex);
}

static void draw_title(struct pen *p)
{
    FILE *f = pen_begin(p);

    lines_plan(f, p->v->plan);
    add_from(f, p->v->plan);
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

    add_bar(f, p, bar > 40 ? 40 : bar, c.done, plan->n_nodes);
    (void)fprintf(f, " %u of %u", c.done, plan->n_nodes);
    if (c.out > 0)
        (void)fprintf(f, ", %u OUT", c.out);
    (void)fprintf(f, ", %u failed", c.failed + c.out);
    if (plan->max_failures != UINT32_MAX)
        (void)fprintf(f, " (%u allowed)", plan->max_failures);
    (void)fprintf(f, ", %s", moment_time((uint64_t)(p->now_ms - p->v->began_ms), took, sizeof took));
    if (eta_ms(p->v, p->now_ms, &eta))
        (void)fprintf(f, ", about %s left", moment_time(eta, left, sizeof left));
    pen_end(p, f, c.out > 0 ? HUE_BAD : c.failed > 0 ? HUE_WARN : HUE_GOOD);
}

static void draw_waits(struct pen *p)
{
    FILE *f;

    if (p->v->held[0] != '\0') {
        f = pen_begin(p);
        (void)fprintf(f, "waits for a promotion, %s: rollout promote %s", p->v->held, p->v->plan->rollout);
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

static void draw_node(struct pen *p, uint32_t node)
{
    const struct node *n = &p->v->nodes[node].state;
    FILE *f = pen_begin(p);

    add_name(f, p, p->v->plan->nodes[node].name);
    (void)fprintf(f, "  %-8s  ",
                  step_row((enum step)n->step)->ask == ASK_HOOK ? "hook" : step_row((enum step)n->step)->name);
    moment_node(f, p->v, node);
    pen_end(p, f, n->failed ? HUE_BAD : HUE_NONE);
}

static bool is_shown(const struct node *n)
{
    return n->step != STEP_WAIT && n->step != STEP_DONE;
}

static void draw_nodes(struct pen *p, unsigned rows)
{
    struct view_counts c = view_count(p->v);
    uint32_t all = c.moving + c.out, shown = 0;
    unsigned room = all > rows && rows > 0 ? rows - 1 : rows;
    char text[64];

    for (uint32_t i = 0; i < p->v->plan->n_nodes && shown < room; i++) {
        if (!is_shown(&p->v->nodes[i].state))
            continue;
        draw_node(p, i);
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
    pen_end(p, f, age == UINT32_MAX || age > 5000 ? HUE_BAD : HUE_DIM);
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
