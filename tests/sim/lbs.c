/* lbs.c - load balancers: leases and fences under the lock of the change, gates, requests in flight. */
#include "truth.h"

static bool same_who(const struct sim_who *a, const struct sim_who *b)
{
    return a->rollout == b->rollout && a->holder == b->holder;
}

static enum sim_reply grant(struct sim_truth *t, struct sim_lease *l, const struct sim_who *who, uint32_t ttl_ms)
{
    bool same = same_who(&l->who, who);

    if (!same && l->until_ms > t->now_ms)
        return SIM_FENCED;
    if (who->fence < l->who.fence || (who->fence == l->who.fence && !same))
        return SIM_FENCED;
    l->who = *who;
    l->until_ms = t->now_ms + (ttl_ms + 999) / 1000 * 1000;
    return SIM_OK;
}

enum sim_reply sim_lease(struct sim_truth *t, uint8_t upstream, const struct sim_who *who, uint32_t ttl_ms)
{
    if (sim_lb_dead(t, t->upstreams[upstream].lb))
        return SIM_SILENCE;
    if (t->lbs[t->upstreams[upstream].lb].plus)
        return SIM_OK;
    return grant(t, &t->upstreams[upstream].lease, who, ttl_ms);
}

void sim_gate_set(struct sim_truth *t, uint8_t peer, enum sim_gate gate, uint32_t hold_ms)
{
    struct sim_peer *p = &t->peers[peer];

    if (p->gate == SIM_OPEN && gate != SIM_OPEN) {
        p->closed_ms = t->now_ms;
        p->held_until_ms = t->now_ms + hold_ms;
    }
    p->gate = (uint8_t)gate;
}

void sim_lb_reload(struct sim_truth *t, uint8_t lb)
{
    t->lbs[lb].generation++;
    t->lbs[lb].reload_ms = t->now_ms;
}

/* Restarted without its state file: as its configuration says, which knows nothing of us. */
void sim_lb_forget(struct sim_truth *t, uint8_t lb)
{
    sim_lb_reload(t, lb);
    for (uint8_t i = 0; i < t->n_upstreams; i++)
        if (t->upstreams[i].lb == lb)
            t->upstreams[i].lease = (struct sim_lease){.until_ms = SIM_NEVER};
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->upstreams[t->peers[i].upstream].lb == lb)
            t->peers[i].gate = SIM_OPEN;
}
