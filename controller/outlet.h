/* outlet.h - lines to a stream that may not take them now: a terminal after Ctrl-S, a pipe that nobody reads. They wait
 * in memory; the rollout, which may have a node out, does not. */
#ifndef CONTROLLER_OUTLET_H
#define CONTROLLER_OUTLET_H

#include <stdio.h>

struct outlet {
    FILE *to;   /* borrowed; its error flag says whether something was lost */
    char *text; /* what waits, owned */
    size_t n;   /* bytes of it */
};

/* Write what waits and then `text`, as far as that does not block; the rest waits for the next call. */
void outlet_put(struct outlet *, const char *text, size_t n);

/* Write all that waits, however long that takes, and free. */
void outlet_end(struct outlet *);

#endif
