#include "pace.h"

#include <stdio.h>
#include <string.h>

uint32_t pace_floor(const struct plan *p, uint32_t configured)
{
    uint32_t may = p->max_unavailable;

    if (p->max_unavailable_percent) {
        may = (uint32_t)((uint64_t)configured * p->max_unavailable / 100);
        may = may == 0 ? 1 : may;
    }
    return configured > may + 1 ? configured - may : 1;
}

uint32_t pace_batch(const struct plan *p, uint32_t done)
{
    uint32_t k = 0;
    uint64_t sum = p->batches[0];

    while (k + 1 < p->n_batches && done >= sum)
        sum += p->batches[++k];
    return p->batches[k];
}

bool pace_zone_is_free(const struct run *r, const struct plan *p, uint16_t node)
{
    for (uint32_t i = 0; p->by_zone && i < r->n_begun; i++) {
        const struct node *other = run_node(r, run_begun(r)[i]);

        /* What an earlier run left is in motion at once, whatever its zone. */
        if (node_in_motion(other) && strcmp(p->nodes[other->id].zone, p->nodes[node].zone) != 0)
            return false;
    }
    return true;
}

/* Peers of the node in `upstream` that the snapshot shows up: as many fewer when those of `mask` are out. */
static uint32_t up_of(const struct run *r, const struct plan *p, uint16_t node, uint64_t mask, uint16_t upstream)
{
    const struct plan_node *pn = &p->nodes[node];
    uint32_t up = 0;

    for (uint32_t bit = 0; bit < pn->n_peers && mask >> bit != 0; bit++) {
        uint32_t peer = pn->first_peer + bit;

        if ((mask >> bit & 1) != 0 && p->peers[peer].upstream == upstream && seen_up(run_peer(r, peer)))
            up++;
    }
    return up;
}

/* Peers of `upstream` that the snapshot still shows up but that we took out, or may have: they count as out. */
static uint32_t taken_since(const struct run *r, const struct plan *p, uint16_t upstream, uint16_t except)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        const struct node *n = run_node(r, run_begun(r)[i]);

        if (n->id != except)
            taken += up_of(r, p, n->id, n->out_mask, upstream);
    }
    return taken;
}

bool run_may_drain(const struct run *r, const struct plan *p, uint16_t node, char *text, size_t size)
{
    return pace_may_take(r, p, node, run_node(r, node)->peers_mask, text, size);
}

/* For people; where nobody is told (size 0), it is not even put together. */
#define TELL(text, size, ...) ((void)((size) > 0 ? snprintf(text, size, __VA_ARGS__) : 0))

bool pace_may_take(const struct run *r, const struct plan *p, uint16_t node, uint64_t mask, char *text, size_t size)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t bit = 0; bit < pn->n_peers; bit++) {
        uint32_t peer = pn->first_peer + bit;
        uint16_t upstream = p->peers[peer].upstream, lb = plan_peer_lb(p, peer);
        const struct seen_upstream *seen = run_upstream(r, upstream);
        uint32_t floor = pace_floor(p, seen->configured), up, gone;

        if ((mask >> bit & 1) == 0)
            continue; /* somebody else took it out: draining it takes nothing away */
        if (run_lb(r, lb)->read_age_ms > PACE_SNAPSHOT_MAX_MS || !seen->there) {
            TELL(text, size, "%s has not shown upstream %s within the last second", p->lbs[lb].name,
                 p->upstreams[upstream].name);
            return false;
        }
        up = seen->up;
        gone = taken_since(r, p, upstream, node) + up_of(r, p, node, mask, upstream);
        if (up < gone + floor) {
            TELL(text, size, "upstream %s at %s: %u of %u peers up, %u would be left, the floor is %u",
                 p->upstreams[upstream].name, p->lbs[lb].name, up, seen->configured, up > gone ? up - gone : 0, floor);
            return false;
        }
    }
    return true;
}

static bool shares(const struct plan *p, const struct node *other, uint16_t node)
{
    const struct plan_node *a = &p->nodes[other->id], *b = &p->nodes[node];

    for (uint32_t bit = 0; bit < a->n_peers; bit++)
        for (uint32_t k = 0; k < b->n_peers && (other->out_mask >> bit & 1) != 0; k++)
            if (p->peers[a->first_peer + bit].upstream == p->peers[b->first_peer + k].upstream)
                return true;
    return false;
}

bool pace_ours_out(const struct run *r, const struct plan *p, uint16_t node)
{
    for (uint32_t i = 0; i < r->n_begun; i++) {
        const struct node *other = run_node(r, run_begun(r)[i]);

        if (other->id != node && node_in_motion(other) && shares(p, other, node))
            return true;
    }
    return false;
}
