/* doctor_lb.c - checks of what load balancers tell: whether they can be asked and changed, and whose peers they have.
 */
#include "common/mem.h"
#include "doctor_look.h"
#include "peer_book.h"

void doctor_check_lbs(struct look *l)
{
    unsigned lowest = UINT8_MAX;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        const struct survey_lb *lb = &l->s->lbs[i];

        if (lb->good || lb->read_only)
            lowest = lb->api_version < lowest ? lb->api_version : lowest;
        else if (lb->call == CALL_FINE)
            look_fail(l, EXIT_REFUSED, "make rollout_api the URL of a location with `api`, of API version 4 to 9",
                      "%s: %s", look_lb_name(l, i), lb->text);
        else
            look_fail(l, EXIT_UNREACHABLE,
                      "see that nginx runs there and lets this machine in, and correct rollout_api", "%s: %s",
                      look_lb_name(l, i), lb->text);
    }
    if (!l->bad)
        look_ok(l, "%u answer%s, API version %u", l->s->n_lbs, l->s->n_lbs == 1 ? "s" : "", lowest);
}

void doctor_check_writable(struct look *l)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        n += l->s->lbs[i].good && l->s->lbs[i].n_upstreams > 0 ? 1 : 0;
        if (l->s->lbs[i].read_only)
            look_fail(l, EXIT_REFUSED,
                      "say `api write=on;` in that location, and let this machine's certificate or user in", "%s: %s",
                      look_lb_name(l, i), l->s->lbs[i].text);
    }
    if (!l->bad && n > 0)
        look_ok(l, "%u take%s changes", n, n == 1 ? "s" : "");
    else if (!l->bad)
        look_ok(l, "no load balancer could be asked");
}

/* All upstreams of an nginx have the one file. */
void doctor_check_state(struct look *l)
{
    size_t before = l->d->n;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        const struct survey_lb *lb = &l->s->lbs[i];
        const struct lb_lease *first = lb->n_upstreams > 0 ? &lb->upstreams[0].lease : NULL;

        if (first == NULL)
            continue;
        if (!first->known)
            look_ok(l, "%s does not say (NGINX Plus): see that each upstream has `state FILE;`", look_lb_name(l, i));
        else if (!first->state_told)
            look_warn(l, "upgrade its module", "%s: its module is older, and does not say", look_lb_name(l, i));
        else if (!first->state_kept)
            look_warn(l, "say `api_state FILE;` in its http block, FILE in a folder of the workers' user",
                      "%s: what is drained is forgotten when nginx is restarted", look_lb_name(l, i));
        else
            kept++;
    }
    if (kept > 0)
        look_ok(l, "%u keep%s what is drained over a restart", kept, kept == 1 ? "s" : "");
    else if (l->d->n == before)
        look_ok(l, "no load balancer has told");
}

/* ---- peers */

typedef void peer_fn(struct look *, void *ctx, uint32_t lb, const struct survey_upstream *, const struct survey_peer *,
                     int32_t node);

static void each_peer(struct look *l, peer_fn *fn, void *ctx)
{
    struct peer_book *book = peer_book_new(l->f->fleet, l->s);

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        for (uint32_t u = 0; u < l->s->lbs[i].n_upstreams; u++) {
            const struct survey_upstream *up = &l->s->lbs[i].upstreams[u];

            for (uint32_t k = 0; k < up->n_peers; k++) {
                uint16_t twice;

                fn(l, ctx, i, up, &up->peers[k],
                   peer_book_owner(book, i, up->peers[k].server, up->peers[k].name, &twice));
            }
        }
    peer_book_free(&book);
}

/* What is no process has no address, and is no peer for that. */
static bool is_known(const struct survey_node *n)
{
    return n->good && n->status.ident.pid != 0;
}

static bool all_known(const struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        if (!is_known(&l->s->nodes[i]))
            return false;
    return true;
}

static bool all_lbs(const struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        if (!l->s->lbs[i].good && !l->s->lbs[i].read_only)
            return false;
    return true;
}

static void count_peer(struct look *l, void *ctx, uint32_t lb, const struct survey_upstream *u,
                       const struct survey_peer *peer, int32_t node)
{
    uint32_t *counts = ctx;

    (void)l;
    (void)lb;
    (void)u;
    (void)peer;
    if (node >= 0)
        counts[node]++;
}

void doctor_check_peers(struct look *l)
{
    uint32_t *counts = mem_zero(l->s->n_nodes + 1, sizeof *counts), total = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        if ((l->s->lbs[i].good || l->s->lbs[i].read_only) && l->s->lbs[i].n_upstreams == 0)
            look_warn(l, "give each upstream that is to be drained a `zone`", "%s: it lists no upstream",
                      look_lb_name(l, i));
    each_peer(l, count_peer, counts);
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        total += counts[i];
        if (counts[i] == 0 && is_known(&l->s->nodes[i]) && all_lbs(l))
            look_fail(
                l, EXIT_REFUSED,
                "give the upstream a `zone`; or name the peer by rollout_peer=HOST:PORT; or take the host out with "
                "--limit",
                "%s: no load balancer has a peer at an address that its service listens on",
                look_node_name(l, &l->s->nodes[i]));
    }
    if (!l->bad)
        look_ok(l, "%u peer%s of %u node%s", total, look_plural(total), l->s->n_nodes, look_plural(l->s->n_nodes));
    free(counts);
}

/* Foreign ones are told where the same upstream has one of ours. */
static void look_for_foreign(struct look *l, struct peer_book *book, uint32_t lb, const struct survey_upstream *u)
{
    const char *first = NULL;
    uint32_t foreign = 0;

    for (uint32_t k = 0; k < u->n_peers; k++) {
        uint16_t twice;

        if (peer_book_owner(book, lb, u->peers[k].server, u->peers[k].name, &twice) < 0 && foreign++ == 0)
            first = u->peers[k].server;
    }
    if (foreign > 0 && foreign < u->n_peers)
        look_warn(l, "name their hosts in the hosts file, with an agent there; or take them out of the upstream",
                  "upstream %s at %s has %u peer%s of no node of the hosts file, which no rollout reaches: %s%s",
                  u->name, look_lb_name(l, lb), foreign, look_plural(foreign), first, foreign > 1 ? " and others" : "");
}

void doctor_check_foreign(struct look *l)
{
    struct peer_book *book;

    if (l->f->options->limit != NULL || !all_known(l)) {
        look_ok(l, "not looked at: %s",
                l->f->options->limit != NULL ? "--limit leaves hosts out" : "not every node has told where it listens");
        return;
    }
    book = peer_book_new(l->f->fleet, l->s);
    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        for (uint32_t u = 0; u < l->s->lbs[i].n_upstreams; u++)
            look_for_foreign(l, book, i, &l->s->lbs[i].upstreams[u]);
    peer_book_free(&book);
    if (!l->bad)
        look_ok(l, "every peer beside ours is a node's");
}

static void tell_out(struct look *l, void *ctx, uint32_t lb, const struct survey_upstream *u,
                     const struct survey_peer *peer, int32_t node)
{
    const struct survey_node *n = node >= 0 ? &l->s->nodes[node] : NULL;

    (void)ctx;
    if (n == NULL || n->status.claim.there)
        return;
    if (peer->state == PEER_UNAVAIL)
        look_warn(l, "see what the service answers there: nginx has given up on it for fail_timeout",
                  "%s: %s of upstream %s at %s is unavail", look_node_name(l, n), peer->server, u->name,
                  look_lb_name(l, lb));
    else if (peer->state == PEER_DOWN || peer->state == PEER_DRAINING)
        look_warn(l, "if it is to serve, PATCH {\"down\":false} there, or correct nginx's configuration",
                  "%s: %s of upstream %s at %s is %s, and no claim says that a rollout did it", look_node_name(l, n),
                  peer->server, u->name, look_lb_name(l, lb), peer->state == PEER_DOWN ? "down" : "draining");
}

void doctor_check_rotation(struct look *l)
{
    each_peer(l, tell_out, NULL);
    if (!l->bad)
        look_ok(l, "every peer of ours that no rollout has claimed is up");
}
