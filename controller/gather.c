#include "gather.h"

#include <stdlib.h>

#include "common/mem.h"

void gather_open(struct gather *g, FILE *to)
{
    *g = (struct gather){.out = {.to = to}};
    g->f = mem_must(open_memstream(&g->text, &g->n));
}

void gather_flush(struct gather *g)
{
    if (fflush(g->f) != 0)
        abort(); /* out of memory */
    outlet_put(&g->out, g->text, g->n);
    rewind(g->f);
}

bool gather_close(struct gather *g)
{
    FILE *to = g->out.to;

    gather_flush(g);
    outlet_end(&g->out);
    (void)fclose(g->f);
    free(g->text);
    return !ferror(to);
}
