/* moment.h - the moment in words: what a node waits for, how long it still may, what is left at the load balancers. */
#ifndef CONTROLLER_MOMENT_H
#define CONTROLLER_MOMENT_H

#include <stdint.h>
#include <stdio.h>

#include "view.h"

/* "41s", "9.5s": whole seconds, tenths below ten of them, since what changes ten times a second cannot be read. */
const char *moment_time(uint64_t ms, char *text, size_t size);

/* "41s left", of a hook "12s of 60s": how long the node may still wait; nothing where that has no end, or nobody looks.
 */
void moment_left(FILE *, const struct view *, uint32_t node);

/* "requests: lb1 3, lb2 0; 41s left; waits for nginx to hold no more requests to it", without an end of line: what may
 * be cut off comes last. What only the moment knows is left out where nobody looks (view->live is NULL). */
void moment_node(FILE *, const struct view *, uint32_t node);

/* "5 of 12 done, 1 failed; web6 quiet for 12s: 48s left; ...; and 3 more": what is awaited and why, in one line. */
void moment_all(FILE *, const struct view *, int64_t now_ms);

#endif
