#include "live.h"

#include "common/mem.h"

struct live *live_new(const struct plan *p)
{
    struct live *l = mem_zero(1, sizeof *l);

    l->lbs = mem_zero(p->n_lbs, sizeof *l->lbs);
    l->upstreams = mem_zero(p->n_upstreams, sizeof *l->upstreams);
    l->peers = mem_zero(p->n_peers, sizeof *l->peers);
    l->left_ms = mem_zero(p->n_nodes, sizeof *l->left_ms);
    l->streaks = mem_zero(p->n_nodes, sizeof *l->streaks);
    for (uint32_t i = 0; i < p->n_lbs; i++)
        l->lbs[i].age_ms = UINT32_MAX;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        l->left_ms[i] = UINT32_MAX;
    return l;
}

void live_free(struct live **l)
{
    if (*l == NULL)
        return;
    free((*l)->lbs);
    free((*l)->upstreams);
    free((*l)->peers);
    free((*l)->left_ms);
    free((*l)->streaks);
    free(*l);
    *l = NULL;
}

void live_look(struct live *l, const struct run *r, const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_lbs; i++)
        l->lbs[i].age_ms = run_lb(r, i)->read_age_ms;
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        l->upstreams[i] = (struct live_upstream){.up = run_upstream(r, i)->up,
                                                 .configured = run_upstream(r, i)->configured,
                                                 .lease = run_lease(r, i)->state};
    for (uint32_t i = 0; i < p->n_peers; i++)
        l->peers[i] = (struct live_peer){.active = run_peer(r, i)->active, .state = run_peer(r, i)->state};
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct node *n = run_node(r, i);

        l->left_ms[i] = step_row((enum step)n->step)->limit == WAIT_NONE ? UINT32_MAX : n->left_ms;
        l->streaks[i] = n->streak;
    }
}
