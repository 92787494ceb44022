/* terminal.h - a screen that is drawn in place at the end of a terminal's text: lines that stay above it, and below
 * them the frame, which the next one replaces. Uses what every terminal since the VT100 has: cursor up, erase line.
 *
 * The last frame is left behind as nothing: who ends, or breaks off, leaves the lines that stay. */
#ifndef CONTROLLER_TERMINAL_H
#define CONTROLLER_TERMINAL_H

#include "outlet.h"
#include "screen.h"

struct terminal {
    struct outlet out;
    struct screen_style style; /* as last asked of the terminal */
    unsigned *widths;          /* columns of each line of the frame that is there; owned */
    size_t n_widths;
    char *frame; /* what is there, to write nothing where nothing changed; owned */
};

/* Whether a stream is a terminal that can be drawn on: one, and TERM neither unset, empty nor "dumb". */
bool terminal_can_draw(FILE *);

/* The style for a stream: its size (80 x 24 where it has none), UTF-8 by the locale's character set (LC_ALL, LC_CTYPE,
 * LANG), colour unless NO_COLOR is set and not empty (no-color.org) or it is no terminal. */
struct screen_style terminal_style(FILE *);

void terminal_open(struct terminal *, FILE *);

/* The style by its present size: what the next frame is to be drawn for. */
const struct screen_style *terminal_look(struct terminal *);

/* Replace the frame, and put `above` (whole lines; may be empty) over it for good. A terminal that takes nothing now
 * (Ctrl-S) gets no frame, and what is above later. */
void terminal_put(struct terminal *, const char *above, const char *frame);

/* Take the frame away; write what still waits, and free. */
void terminal_close(struct terminal *);

#endif
