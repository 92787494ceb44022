/* plan_in_place.c - who is alone in an upstream: nobody else could answer there meanwhile, so no floor can be held. */
#include <string.h>

#include "plan_make.h"

/* Its peers in the upstream that are not backup. */
static uint32_t own_peers(const struct plan *p, const struct plan_node *n, uint16_t upstream,
                          const struct survey_upstream *seen)
{
    uint32_t own = 0;

    for (uint32_t i = n->first_peer; i < n->first_peer + n->n_peers; i++)
        for (uint32_t k = 0; p->peers[i].upstream == upstream && k < seen->n_peers; k++)
            own += strcmp(seen->peers[k].server, p->peers[i].server) == 0 && !seen->peers[k].backup ? 1 : 0;
    return own;
}

static bool is_alone(const struct plan *p, const struct plan_node *n, uint16_t upstream, const struct survey *s)
{
    const struct survey_upstream *seen =
        plan_surveyed_upstream(s, p->upstreams[upstream].lb, p->upstreams[upstream].name);
    uint32_t configured = 0;

    for (uint32_t k = 0; k < seen->n_peers; k++)
        configured += seen->peers[k].backup ? 0 : 1;
    return configured > 0 && own_peers(p, n, upstream, seen) == configured;
}

void plan_mark_in_place(struct plan *p, const struct survey *s)
{
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct plan_node *n = &p->nodes[i];

        for (uint32_t k = n->first_peer; k < n->first_peer + n->n_peers && !n->in_place; k++)
            n->in_place = is_alone(p, n, p->peers[k].upstream, s);
    }
}
