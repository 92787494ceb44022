/* plan_repair.c - the plan of a repair: what the agents' claims say that dead rollouts took out. */
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"
#include "peer_book.h"
#include "plan_make.h"

#define REPAIR_SLACK_MS 2000 /* beyond a dead lease's rest: clocks and round trips */

static int32_t lb_of(const struct plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_lbs; i++)
        if (strcmp(p->lbs[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static int32_t upstream_of(struct plan *p, const struct survey *s, uint16_t lb, const char *name)
{
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        if (p->upstreams[i].lb == lb && strcmp(p->upstreams[i].name, name) == 0)
            return (int32_t)i;
    if (p->n_upstreams == PLAN_UPSTREAMS_MAX)
        return -1;
    p->upstreams[p->n_upstreams] = (struct plan_upstream){
        .lb = lb, .name = plan_keep(p, name), .plus = !plan_surveyed_upstream(s, lb, name)->lease.known};
    return (int32_t)p->n_upstreams++;
}

/* Whatever a rollout took out must be found again at its load balancer, else nobody may say that it is mended: false,
 * and the claim stays to tell of it. */
static bool add_peers(struct plan *p, struct plan_node *n, uint16_t id, const struct survey *s,
                      const struct agent_claim *claim, struct complaints *c)
{
    n->first_peer = p->n_peers;
    for (uint32_t i = 0; i < claim->n_took_out; i++) {
        const struct agent_took_out *t = &claim->took_out[i];
        int32_t lb = lb_of(p, t->lb), upstream;

        if (lb < 0 || plan_surveyed_upstream(s, (uint16_t)lb, t->upstream) == NULL) {
            complain(c, EXIT_REFUSED,
                     "%s: rollout %s took %s out of upstream %s at load balancer %s, which %s; correct the hosts file",
                     n->name, claim->rollout, t->server, t->upstream, t->lb,
                     lb < 0 ? "the hosts file does not name" : "has no such upstream");
            return false;
        }
        upstream = upstream_of(p, s, (uint16_t)lb, t->upstream);
        if (upstream < 0 || n->n_peers == PLAN_NODE_PEERS_MAX) {
            complain(c, EXIT_REFUSED, "%s: its claim names too many peers", n->name);
            return false;
        }
        if (t->was_draining)
            n->prior_drain_mask |= UINT64_C(1) << n->n_peers;
        p->peers[p->n_peers++] =
            (struct plan_peer){.node = id, .upstream = (uint16_t)upstream, .server = plan_keep(p, t->server)};
        n->out_mask |= UINT64_C(1) << n->n_peers++;
    }
    return true;
}

static void add_node(struct plan *p, const struct fleet *f, const struct options *o, const struct survey *s,
                     const struct survey_node *sn, struct complaints *c)
{
    const struct agent_claim *claim = &sn->status.claim;
    uint16_t id = (uint16_t)p->n_nodes;
    struct plan_node *n = &p->nodes[p->n_nodes++];

    plan_name_node(p, n, f, sn);
    n->health = plan_health_url(p, f, o, sn);
    n->surveyed = sn->status.ident;
    n->before = claim->before;
    n->claim_fence = claim->fence;
    n->in_place = claim->n_took_out == 0;
    n->has_target = claim->has_target;
    memcpy(n->target_sha256, claim->target, sizeof n->target_sha256);
    if (!add_peers(p, n, id, s, claim, c)) {
        p->n_peers = n->first_peer;
        memset(n, 0, sizeof *n);
        p->n_nodes--;
    }
}

static bool has_peer(const struct plan *p, const struct plan_node *n, const char *lb, const char *upstream,
                     const char *server)
{
    for (uint32_t i = n->first_peer; i < n->first_peer + n->n_peers; i++)
        if (strcmp(p->lbs[plan_peer_lb(p, i)].name, lb) == 0 &&
            strcmp(p->upstreams[p->peers[i].upstream].name, upstream) == 0 && addr_same(p->peers[i].server, server))
            return true;
    return false;
}

/* at[]: by survey node, its index in the plan or -1. Peers of one that no claim names, since they were not the dead
 * rollout's to take out, may be in use; so may those of one that listens nowhere now. */
static void mark_partial(struct plan *p, const struct fleet *f, const struct survey *s, const int32_t *at)
{
    struct peer_book *book = peer_book_new(f, s);

    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (at[i] >= 0)
            p->nodes[at[i]].partial = s->nodes[i].status.n_listening == 0 && f->hosts[s->nodes[i].host].peer == NULL;
    for (uint32_t lb = 0; lb < s->n_lbs; lb++)
        for (uint32_t u = 0; u < s->lbs[lb].n_upstreams; u++)
            for (uint32_t k = 0; k < s->lbs[lb].upstreams[u].n_peers; k++) {
                const struct survey_peer *peer = &s->lbs[lb].upstreams[u].peers[k];
                uint16_t twice;
                int32_t node = peer_book_owner(book, lb, peer->server, peer->name, &twice);

                if (node >= 0 && at[node] >= 0 &&
                    !has_peer(p, &p->nodes[at[node]], p->lbs[lb].name, s->lbs[lb].upstreams[u].name, peer->server))
                    p->nodes[at[node]].partial = true;
            }
    peer_book_free(&book);
}

/* The rest of everything that dead rollouts still hold: leases of our upstreams, claims of our nodes. */
static void set_waits(struct plan *p, const struct survey *s)
{
    uint32_t left_s = 0;

    for (uint32_t i = 0; i < p->n_upstreams; i++) {
        const struct survey_upstream *u = plan_surveyed_upstream(s, p->upstreams[i].lb, p->upstreams[i].name);

        left_s = u->lease.ttl_s > left_s ? u->lease.ttl_s : left_s;
    }
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].good && s->nodes[i].status.claim.there && s->nodes[i].status.claim.left_s > left_s)
            left_s = s->nodes[i].status.claim.left_s;
    for (uint32_t i = 0; p->n_voters > 0 && i < s->n_nodes + s->n_others; i++) {
        const struct survey_node *n = survey_voter(s, i);

        if (n->good && n->status.lock.there && n->status.lock.left_s > left_s)
            left_s = n->status.lock.left_s;
    }
    if (left_s > 86400)
        left_s = 86400;
    p->lease_wait_ms = left_s > 0 ? left_s * 1000 + REPAIR_SLACK_MS : 0;
    p->wait_ms[WAIT_MEND] += p->lease_wait_ms;
}

struct plan *plan_make_repair(const struct fleet *f, const struct options *o, const struct survey *s,
                              const struct plan_request *q, struct complaints *c)
{
    struct plan *p;
    uint32_t n_peers = 0;
    size_t n_upstreams = 0;
    int32_t *at;

    for (uint32_t i = 0; i < s->n_lbs; i++)
        if (!s->lbs[i].good)
            complain(c, EXIT_UNREACHABLE, "load balancer %s: %s", f->hosts[s->lbs[i].host].name, s->lbs[i].text);
    if (c->exit_code != 0)
        return NULL;
    p = plan_begin(f, o, s, q);
    plan_set_hooks(p, NULL, 0); /* it is to put nodes back whatever else does not work */
    p->kind = PLAN_REPAIR;
    p->n_batches = 1;
    p->batches[0] = s->n_nodes > 0 ? s->n_nodes : 1; /* putting back needs no pace */
    for (uint32_t i = 0; i < s->n_lbs; i++)
        n_upstreams += s->lbs[i].n_upstreams;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        n_peers += s->nodes[i].good ? s->nodes[i].status.claim.n_took_out : 0;
    p->peers = pool_take(&p->owned, (n_peers + 1) * sizeof *p->peers);
    p->upstreams = pool_take(&p->owned, (n_upstreams + 1) * sizeof *p->upstreams);
    p->nodes = pool_take(&p->owned, (s->n_nodes + 1) * sizeof *p->nodes);
    at = mem_zero(s->n_nodes + 1, sizeof *at);
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct survey_node *n = &s->nodes[i];
        uint32_t had = p->n_nodes;

        if (!n->good)
            complain(c, n->call == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE,
                     "node %s: %s; whether a rollout left it out is unknown", survey_node_name(f, n), n->text);
        else if (strcmp(n->root.node, f->hosts[n->host].name) != 0)
            complain(c, EXIT_REFUSED, "%s: the agent there calls itself %s; correct the hosts file or its `node =`",
                     f->hosts[n->host].name, n->root.node);
        else if (n->status.claim.there)
            add_node(p, f, o, s, n, c);
        at[i] = p->n_nodes > had ? (int32_t)had : -1;
    }
    if (p->n_nodes > 0)
        mark_partial(p, f, s, at);
    free(at);
    if (p->n_nodes > 0 && !plan_add_voters(p, f, s, q, c)) {
        plan_free(&p);
        return NULL;
    }
    set_waits(p, s);
    return p;
}
