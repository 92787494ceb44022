/* screen.h - a rollout that is at work, drawn: what it is about, how far it has come, a line for each node in motion
 * and for each load balancer. A function of the view, the time and the style, and of nothing else: whoever writes it to
 * a terminal is terminal.h.
 *
 * Lines end with \n and are never wider than `columns`; there are never more than `rows` of them. Without `color` the
 * text has no escape sequences at all. */
#ifndef CONTROLLER_SCREEN_H
#define CONTROLLER_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "view.h"

#define SCREEN_COLUMNS_MIN 40
#define SCREEN_COLUMNS_MAX 300
#define SCREEN_ROWS_MIN    6

struct screen_style {
    unsigned columns, rows; /* taken as within the bounds above */
    bool utf8, color;
};

void screen_draw(FILE *, const struct view *, int64_t now_ms, const struct screen_style *);

/* The end: a table of all nodes with outcome, time and reason. Any number of rows. */
void screen_table(FILE *, const struct view *, const struct screen_style *);

#endif
