#include "pen.h"

#include "cells.h"
#include "common/mem.h"

/* ECMA-48 SGR: 32 green, 33 yellow, 31 red, 1 bold, 2 faint. */
static const char *const hues[] = {
    [HUE_NONE] = "", [HUE_GOOD] = "\033[32m", [HUE_WARN] = "\033[33m", [HUE_BAD] = "\033[1;31m", [HUE_DIM] = "\033[2m"};

static unsigned bounded(unsigned n, unsigned low, unsigned high)
{
    return n < low ? low : n > high ? high : n;
}

struct pen pen_new(FILE *f, const struct view *v, int64_t now_ms, const struct screen_style *style, unsigned rows)
{
    struct pen p = {
        .f = f, .v = v, .now_ms = now_ms < v->began_ms ? v->began_ms : now_ms, .style = *style, .rows_left = rows};

    p.style.columns = bounded(style->columns, SCREEN_COLUMNS_MIN, SCREEN_COLUMNS_MAX);
    return p;
}

void pen_line(struct pen *p, enum hue hue, const char *text)
{
    bool colored = p->style.color && hue != HUE_NONE;

    if (p->rows_left == 0)
        return;
    p->rows_left--;
    (void)fputs(colored ? hues[hue] : "", p->f);
    (void)cells_put(p->f, text, p->style.columns, p->style.utf8);
    (void)fputs(colored ? "\033[0m\n" : "\n", p->f);
}

FILE *pen_begin(struct pen *p)
{
    return mem_must(open_memstream(&p->text, &p->n));
}

void pen_end(struct pen *p, FILE *line, enum hue hue)
{
    mem_close(line, &p->text);
    pen_line(p, hue, p->text);
    free(p->text);
    p->text = NULL;
}
