/* pen.h - lines of a screen or a table: each written whole, cut to the screen's width, in one colour. */
#ifndef CONTROLLER_PEN_H
#define CONTROLLER_PEN_H

#include <stdint.h>

#include "screen.h"

enum hue { HUE_NONE, HUE_GOOD, HUE_WARN, HUE_BAD, HUE_DIM };

struct pen {
    FILE *f;
    const struct view *v;
    int64_t now_ms;
    struct screen_style style; /* columns within the bounds of screen.h */
    unsigned rows_left;        /* lines beyond these are not written */
    char *text;                /* of the line that is being written; owned */
    size_t n;
};

struct pen pen_new(FILE *, const struct view *, int64_t now_ms, const struct screen_style *, unsigned rows);

/* What is written to the stream becomes the next line, once pen_end() is called with it. */
FILE *pen_begin(struct pen *);
void pen_end(struct pen *, FILE *, enum hue);

/* A line of a ready text. */
void pen_line(struct pen *, enum hue, const char *text);

#endif
