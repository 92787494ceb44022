#include "cells.h"
#include "common/duration.h"
#include "pen.h"

static enum hue hue_of(const struct node *n)
{
    if (n->step == STEP_OUT || (n->step != STEP_DONE && n->step != STEP_WAIT))
        return HUE_BAD;
    if (n->step == STEP_DONE && n->outcome == OUTCOME_FAILED)
        return HUE_WARN;
    return n->step == STEP_WAIT || n->outcome == OUTCOME_STOPPED ? HUE_DIM : HUE_NONE;
}

static void table_row(struct pen *p, uint32_t node, int width)
{
    const struct view_node *n = &p->v->nodes[node];
    char took[32] = "-";
    FILE *f = pen_begin(p);

    if (n->begun_ms != 0 && n->ended_ms >= n->begun_ms)
        (void)duration_format_ms((uint64_t)(n->ended_ms - n->begun_ms), took, sizeof took);
    cells_pad(f, p->v->plan->nodes[node].name, (size_t)width, p->style.utf8);
    (void)fprintf(f, "  %-20s  %7s", view_outcome(p->v, (uint16_t)node), took);
    if (n->state.why != WHY_NONE)
        (void)fprintf(f, "  %s: %s", step_row((enum step)n->state.why_step)->name, why_phrase((enum why)n->state.why));
    if (n->text[0] != '\0')
        (void)fprintf(f, "  (%s)", n->text);
    pen_end(p, f, hue_of(&n->state));
}

void screen_table(FILE *f, const struct view *v, const struct screen_style *style)
{
    struct pen p = pen_new(f, v, v->now_ms, style, UINT32_MAX);
    int most = (int)p.style.columns / 3, width = v->name_width > most ? most : v->name_width;
    FILE *head = pen_begin(&p);

    (void)fprintf(head, "%-*s  %-20s  %7s  %s", width, "NODE", "OUTCOME", "TIME", "REASON");
    pen_end(&p, head, HUE_DIM);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        table_row(&p, i, width);
}
