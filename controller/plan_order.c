#include "plan_order.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct place {
    const char *zone;
    size_t first, at; /* of its zone; its own, in the order given */
    uint32_t node;
};

static int by_zone(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->zone, y->zone);

    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static int by_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x->at > y->at) - (x->at < y->at);
}

bool plan_order_by_zone(const struct fleet *f, uint32_t *nodes, size_t n, struct err *err)
{
    struct place *places;

    for (size_t i = 0; i < n; i++)
        if (f->hosts[nodes[i]].zone[0] == '\0')
            return err_set(err, "%s: --order zone, and %s has no rollout_zone", f->path, f->hosts[nodes[i]].name);
    places = mem_zero(n + 1, sizeof *places);
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){.zone = f->hosts[nodes[i]].zone, .at = i, .node = nodes[i]};
    if (n > 0)
        qsort(places, n, sizeof *places, by_zone);
    for (size_t i = 0; i < n; i++)
        places[i].first = i > 0 && strcmp(places[i].zone, places[i - 1].zone) == 0 ? places[i - 1].first : places[i].at;
    if (n > 0)
        qsort(places, n, sizeof *places, by_first);
    for (size_t i = 0; i < n; i++)
        nodes[i] = places[i].node;
    free(places);
    return true;
}
