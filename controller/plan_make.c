#include "plan_make.h"

#include <string.h>

#include "common/addr.h"
#include "common/mem.h"
#include "pace.h"
#include "peer_book.h"
#include "plan_resume.h"

/* ---- who has answered, and as whom */

static void check_lbs(const struct fleet *f, const struct survey *s, struct complaints *c)
{
    for (uint32_t i = 0; i < s->n_lbs; i++)
        if (!s->lbs[i].good)
            complain(c, s->lbs[i].call == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE, "load balancer %s: %s",
                     f->hosts[s->lbs[i].host].name, s->lbs[i].text);
}

static void check_agent(const char *name, const struct survey_node *n, const struct plan_request *q,
                        struct complaints *c)
{
    static const char *const upgrade[] = {"claim", "restart", "health", "rollback", "upgrade", "release"};
    static const char *const back[] = {"claim", "restart", "health", "rollback", "previous"};
    const char *const *needed = q->rollback ? back : upgrade;
    size_t n_needed = q->rollback ? 5 : q->has_release ? 6 : 4;

    if (n->root.version != WIRE_VERSION)
        complain(c, EXIT_REFUSED, "%s: its agent speaks version %u of the contract, this rollout %d; upgrade the older",
                 name, n->root.version, WIRE_VERSION);
    for (size_t i = 0; i < n_needed; i++)
        if (!agent_root_has(&n->root, needed[i]))
            complain(c, EXIT_REFUSED, "%s: its agent (%s) cannot do %s; upgrade the agent", name, n->root.agent,
                     needed[i]);
    if (strcmp(n->root.node, name) != 0)
        complain(c, EXIT_REFUSED, "%s: the agent there calls itself %s; correct the hosts file or its `node =`", name,
                 n->root.node);
}

bool plan_is_ours(const struct plan_request *q, const char *rollout, const char *holder)
{
    return strcmp(rollout, q->rollout) == 0 && strcmp(holder, q->holder) == 0;
}

/* What a dead rollout took out would be taken for somebody else's, and stay out; what it brought would not be looked
 * at, and it may wake up and undo that, since nobody claims what is at the target. What an earlier run of this one did
 * is resumed. */
static void check_claim(const char *name, const struct survey_node *n, const struct plan_request *q,
                        struct complaints *c)
{
    const struct agent_claim *claim = &n->status.claim;
    const struct agent_lock *lock = &n->status.lock;

    if (lock->there && lock->left_s > 0 && !plan_is_ours(q, lock->rollout, lock->holder)) {
        complain(c, EXIT_HELD, "%s: its vote is rollout %s's (%s), %u s left", name, lock->rollout, lock->holder,
                 lock->left_s);
        complain_of(c, lock->rollout);
    }
    if (!claim->there)
        return;
    if (claim->left_s > 0 && !plan_is_ours(q, claim->rollout, claim->holder)) {
        complain(c, EXIT_HELD, "%s: claimed by rollout %s (%s), %u s left", name, claim->rollout, claim->holder,
                 claim->left_s);
        complain_of(c, claim->rollout);
    } else if (plan_resume_holds(n, q) && q->rollback)
        plan_check_back(name, n, q, c);
    else if (plan_resume_holds(n, q))
        plan_resume_check(name, n, q, c);
    else if (claim->n_took_out > 0 || (q->has_release && ident_runs(&n->status.ident, q->release_sha256)))
        complain(c, EXIT_REFUSED, "%s: left %s by rollout %s (%s), which is dead; put it back first: rollout repair",
                 name, claim->n_took_out > 0 ? "out" : "in mid-handover", claim->rollout, claim->holder);
}

/* What runs there must be a fit thing to begin with. */
static void check_process(const char *name, const struct survey_node *n, const struct plan_request *q,
                          struct complaints *c)
{
    if (n->status.ident.pid == 0)
        complain(c, EXIT_REFUSED, "%s: no process of service %s runs there; start it first", name, n->status.service);
    else if (!q->has_release && !q->rollback && n->status.has_installed &&
             memcmp(n->status.installed, n->status.ident.sha256, sizeof n->status.installed) != 0)
        complain(c, EXIT_REFUSED,
                 "%s: the installed executable of service %s is not the one that runs, so a restart would change "
                 "the release; give it as --release, or put the old one back",
                 name, n->status.service);
    if (n->status.job.id != NULL && n->status.job.state == JOB_RUNNING)
        complain(c, EXIT_REFUSED, "%s: its agent is at work on job %s; wait for its end", name, n->status.job.id);
}

static void check_nodes(const struct fleet *f, const struct survey *s, const struct plan_request *q,
                        struct complaints *c)
{
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct survey_node *n = &s->nodes[i];
        const char *name = survey_node_name(f, n);

        if (!n->good) {
            complain(c, n->call == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE, "node %s: %s", name, n->text);
            continue;
        }
        check_agent(f->hosts[n->host].name, n, q, c);
        check_claim(name, n, q, c);
        if (!plan_resume_holds(n, q)) /* else the run before left it in mid-motion */
            check_process(name, n, q, c);
    }
}

/* ---- upstreams and peers of the plan */

struct making {
    const struct fleet *f;
    const struct options *o;
    const struct survey *s;
    struct plan *p;
    struct complaints *c;
    struct peer_book *book;
    const struct plan_request *q;
    bool resumes; /* some node has a claim of this rollout */
};

static const char *node_name(const struct making *m, uint32_t node)
{
    return survey_node_name(m->f, &m->s->nodes[node]);
}

static void add_peer(struct making *m, uint16_t upstream, uint16_t node, const char *server)
{
    m->p->peers[m->p->n_peers++] =
        (struct plan_peer){.node = node, .upstream = upstream, .server = plan_keep(m->p, server)};
}

/* Behind the sorting: the same address twice in one upstream stands close together. */
static void check_twice(const struct making *m)
{
    const struct plan *p = m->p;

    for (uint32_t i = 0; i < p->n_peers; i++)
        for (uint32_t k = i + 1;
             k < p->n_peers && p->peers[k].node == p->peers[i].node && p->peers[k].upstream == p->peers[i].upstream;
             k++)
            if (addr_same(p->peers[i].server, p->peers[k].server))
                complain(m->c, EXIT_REFUSED, "upstream %s at %s lists %s twice; a peer must be one server",
                         p->upstreams[p->peers[i].upstream].name, p->lbs[plan_peer_lb(p, i)].name, p->peers[i].server);
}

/* All peers of one upstream that are nodes of ours; the upstream joins the plan with its first. */
static void match_upstream(struct making *m, uint16_t lb, const struct survey_upstream *u)
{
    bool joined = false;

    for (uint32_t k = 0; k < u->n_peers; k++) {
        uint16_t twice;
        int32_t node = peer_book_owner(m->book, lb, u->peers[k].server, u->peers[k].name, &twice);

        if (node < 0 && m->resumes)
            node = plan_resume_owner(m->s, m->q, m->p->lbs[lb].name, u->name, u->peers[k].server);
        if (node < 0)
            continue;
        if (twice != UINT16_MAX) {
            complain(m->c, EXIT_REFUSED,
                     "peer %s of upstream %s at %s is both %s and %s; say which by rollout_peer=", u->peers[k].server,
                     u->name, m->p->lbs[lb].name, node_name(m, (uint32_t)node), node_name(m, twice));
            continue;
        }
        if (!joined && m->p->n_upstreams == PLAN_UPSTREAMS_MAX) {
            complain(m->c, EXIT_REFUSED, "more than %d upstreams", PLAN_UPSTREAMS_MAX);
            return;
        }
        if (!joined)
            m->p->upstreams[m->p->n_upstreams++] = (struct plan_upstream){.lb = lb, .name = plan_keep(m->p, u->name)};
        joined = true;
        add_peer(m, (uint16_t)(m->p->n_upstreams - 1), (uint16_t)node, u->peers[k].server);
    }
}

static int by_node(const void *a, const void *b)
{
    const struct plan_peer *x = a, *y = b;

    return x->node != y->node ? (int)x->node - (int)y->node : (int)x->upstream - (int)y->upstream;
}

/* Load balancers in the order of their URLs, upstreams by name within: leases are taken in this order. */
static void match_all(struct making *m)
{
    uint32_t total = 0, *order = mem_zero(m->s->n_lbs, sizeof *order);
    size_t n_upstreams = 0;

    for (uint32_t i = 0; i < m->s->n_lbs; i++) {
        uint32_t at = i;

        for (; at > 0 && strcmp(m->p->lbs[order[at - 1]].api, m->p->lbs[i].api) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
        n_upstreams += m->s->lbs[i].n_upstreams;
        for (uint32_t k = 0; k < m->s->lbs[i].n_upstreams; k++)
            total += m->s->lbs[i].upstreams[k].n_peers;
    }
    m->p->peers = pool_take(&m->p->owned, (total + 1) * sizeof *m->p->peers);
    m->p->upstreams = pool_take(&m->p->owned, (n_upstreams + 1) * sizeof *m->p->upstreams);
    for (uint32_t i = 0; i < m->s->n_lbs; i++)
        for (uint32_t k = 0; k < m->s->lbs[order[i]].n_upstreams; k++)
            match_upstream(m, (uint16_t)order[i], &m->s->lbs[order[i]].upstreams[k]);
    free(order);
    if (m->p->n_peers > 0)
        qsort(m->p->peers, m->p->n_peers, sizeof *m->p->peers, by_node);
    check_twice(m);
}

/* A node must be found where it is; and every peer that its rollout_peer names, or a typing error would leave a port of
 * it in rotation. */
static void check_peers(const struct making *m, uint16_t node, const struct plan_node *n)
{
    const struct agent_status *st = &m->s->nodes[node].status;
    char *unmet = peer_book_unmet(m->book, node);

    if (unmet != NULL)
        complain(m->c, EXIT_REFUSED, "%s: no load balancer has the peer %s that its rollout_peer names", n->name,
                 unmet);
    else if (n->n_peers == 0)
        complain(m->c, EXIT_REFUSED,
                 "%s: no load balancer has a peer at an address that its service listens on%s%s; name it by "
                 "rollout_peer=, or take the host out with --limit",
                 n->name, st->n_listening > 0 ? ", such as " : "", st->n_listening > 0 ? st->listening[0] : "");
    else if (n->n_peers > PLAN_NODE_PEERS_MAX)
        complain(m->c, EXIT_REFUSED, "%s: %u peers over all load balancers; at most %d", n->name, n->n_peers,
                 PLAN_NODE_PEERS_MAX);
    free(unmet);
}

/* All of them are peers of the plan where a load balancer lists them now; what it lists later is noticed by them. */
static const char *listens(struct making *m, const struct survey_node *n)
{
    char *text = mem_text("");
    const char *kept;

    for (uint32_t k = 0; m->f->hosts[n->host].peer == NULL && k < n->status.n_listening; k++) {
        char *longer = mem_format("%s%s%s", text, k > 0 ? "," : "", n->status.listening[k]);

        free(text);
        text = longer;
    }
    kept = plan_keep(m->p, text);
    free(text);
    return kept;
}

static void add_nodes(struct making *m)
{
    struct plan *p = m->p;
    uint32_t peer = 0;

    p->nodes = pool_take(&p->owned, (m->s->n_nodes + 1) * sizeof *p->nodes);
    for (uint32_t i = 0; i < m->s->n_nodes; i++) {
        const struct agent_status *st = &m->s->nodes[i].status;
        struct plan_node *n = &p->nodes[p->n_nodes++];

        plan_name_node(p, n, m->f, &m->s->nodes[i]);
        n->health = plan_health_url(p, m->f, m->o, &m->s->nodes[i]);
        n->listens = listens(m, &m->s->nodes[i]);
        n->surveyed = n->before = st->ident;
        n->claim_fence = st->claim.there ? st->claim.fence : 0;
        n->brought = plan_resume_brought(st, m->q);
        n->at_target = p->has_release ? ident_runs(&st->ident, p->release_sha256) : n->brought;
        n->brought = n->brought && n->at_target;
        if (n->brought)
            n->before = st->job.before;
        if (m->q->rollback)
            plan_aim_back(n, st, m->q, m->c);
        n->first_peer = peer;
        while (peer < p->n_peers && p->peers[peer].node == i)
            peer++;
        n->n_peers = peer - n->first_peer;
        check_peers(m, (uint16_t)i, n);
        if (plan_resume_holds(&m->s->nodes[i], m->q))
            plan_resume_node(p, n, &st->claim, m->c);
        n->partial = n->resumed && st->n_listening == 0 && m->f->hosts[m->s->nodes[i].host].peer == NULL;
    }
}

/* ---- leases and the floor */

static void check_lease(const struct making *m, const struct plan_request *q, struct plan_upstream *pu,
                        const struct survey_upstream *u)
{
    const char *lb = m->p->lbs[pu->lb].name;

    pu->plus = !u->lease.known;
    if (u->lease.ttl_s == 0 || plan_is_ours(q, u->lease.id, u->lease.holder))
        return;
    complain(m->c, EXIT_HELD, "upstream %s at %s: held by rollout %s (%s), %u s left", u->name, lb, u->lease.id,
             u->lease.holder, u->lease.ttl_s);
    complain_of(m->c, u->lease.id);
}

static bool shown_up(const struct survey_upstream *u, const char *server)
{
    for (uint32_t k = 0; k < u->n_peers; k++)
        if (strcmp(u->peers[k].server, server) == 0)
            return u->peers[k].state == PEER_UP && !u->peers[k].backup;
    return false;
}

/* The most peers that one node to be rolled takes out of an upstream at once: its ports there. Told what is `seen`,
 * those alone that are not out already; else that is asked of nobody, for it takes long. */
static uint32_t most_at_once(const struct plan *p, uint32_t upstream, const struct survey_upstream *seen)
{
    uint32_t most = 0, own = 0;

    for (uint32_t i = 0; i < p->n_peers; i++) { /* grouped by node, then by upstream */
        const struct plan_peer *peer = &p->peers[i];

        if (peer->upstream != upstream || p->nodes[peer->node].at_target || p->nodes[peer->node].in_place)
            continue;
        if (i == 0 || peer[-1].node != peer->node || peer[-1].upstream != upstream)
            own = 0;
        own += seen == NULL || shown_up(seen, peer->server) ? 1 : 0;
        most = own > most ? own : most;
    }
    return most;
}

static void check_floor(const struct making *m, uint32_t upstream, const struct survey_upstream *u)
{
    uint32_t configured = 0, up = 0, floor, most = most_at_once(m->p, upstream, NULL);

    for (uint32_t k = 0; k < u->n_peers; k++) {
        configured += u->peers[k].backup ? 0 : 1;
        up += !u->peers[k].backup && u->peers[k].state == PEER_UP ? 1 : 0;
    }
    floor = pace_floor(m->p, configured);
    if (up < floor + most)
        most = most_at_once(m->p, upstream, u);
    if (most > 0 && up < floor + most)
        complain(
            m->c, EXIT_REFUSED,
            "upstream %s at %s: %u of %u peers are up and the floor is %u, so none may be taken out (a node has %u "
            "there); %s",
            u->name, m->p->lbs[m->p->upstreams[upstream].lb].name, up, configured, floor, most,
            most < configured ? "bring peers up or raise --max-unavailable"
                              : "add a second node, or accept a handover without a drain by --in-place");
}

struct plan *plan_make(const struct fleet *f, const struct options *o, const struct survey *s,
                       const struct plan_request *q, struct complaints *c)
{
    struct making m = {.f = f, .o = o, .s = s, .c = c, .q = q};

    check_lbs(f, s, c);
    check_nodes(f, s, q, c);
    plan_check_health(f, o, s, c);
    plan_check_signature(f, o, s, q, c);
    if (c->exit_code != 0)
        return NULL;
    m.p = plan_begin(f, o, s, q);
    m.p->kind = q->rollback ? PLAN_ROLLBACK : PLAN_ROLL;
    m.book = peer_book_new(f, s);
    for (uint32_t i = 0; i < s->n_nodes; i++)
        m.resumes = m.resumes || plan_resume_holds(&s->nodes[i], q);
    match_all(&m);
    add_nodes(&m);
    peer_book_free(&m.book);
    if (o->in_place)
        plan_mark_in_place(m.p, s);
    plan_resume_back(m.p, s, q);
    for (uint32_t i = 0; c->exit_code == 0 && i < m.p->n_upstreams; i++) {
        const struct survey_upstream *u = plan_surveyed_upstream(s, m.p->upstreams[i].lb, m.p->upstreams[i].name);

        check_lease(&m, q, &m.p->upstreams[i], u);
        /* Who holds the lease may be the one who has peers out; and what was left out goes back in any case. */
        if (c->exit_code == 0 && !m.resumes)
            check_floor(&m, i, u);
    }
    if (c->exit_code == 0)
        (void)plan_add_voters(m.p, f, s, q, c);
    if (c->exit_code != 0)
        plan_free(&m.p);
    return m.p;
}
