/* gather.h - text that is written piece by piece and goes out together, without waiting for whoever reads it. */
#ifndef CONTROLLER_GATHER_H
#define CONTROLLER_GATHER_H

#include <stdbool.h>

#include "outlet.h"

struct gather {
    FILE *f; /* write here */
    struct outlet out;
    char *text;
    size_t n;
};

void gather_open(struct gather *, FILE *to);
/* What was written goes out, as far as that does not block. */
void gather_flush(struct gather *);
/* All of it goes out, however long that takes. False: the stream had an error, then or before. */
bool gather_close(struct gather *);

#endif
