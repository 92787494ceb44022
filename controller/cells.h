/* cells.h - text in the columns of a terminal: how wide it is, and how to cut it to a width.
 *
 * Input is UTF-8; a byte that is none, and every control character, counts and shows as "?": nothing that came from
 * elsewhere may move the cursor. East Asian wide characters take two columns, combining ones none (the ranges that
 * terminals agree on; Unicode 15, EastAsianWidth W and F, general category Mn of the common blocks). */
#ifndef CONTROLLER_CELLS_H
#define CONTROLLER_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Columns that cells_put() would need at most. */
size_t cells_width(const char *text);

/* Write `text`, at most `columns` wide; what does not fit ends with an ellipsis ("…", or ".." without UTF-8, where
 * every character beyond ASCII is "?"). Returns the columns that were used. */
size_t cells_put(FILE *, const char *text, size_t columns, bool utf8);

/* The same, filled with blanks to just `columns`. */
void cells_pad(FILE *, const char *text, size_t columns, bool utf8);

/* Whether the text is UTF-8 as RFC 3629 has it. */
bool cells_are_utf8(const char *text);

#endif
