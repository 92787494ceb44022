#include <stdio.h>
#include <string.h>

#include "command.h"
#include "common/addr.h"
#include "peer_book.h"

/* What could not be asked counts as unknown: worse than a repair that was not needed. */
static int worse(int run_code, int complaint_code)
{
    return run_code != 0 ? run_code : complaint_code;
}

static bool is_claimed(const struct agent_claim *claim, const char *lb, const char *upstream, const char *server)
{
    for (uint32_t i = 0; claim->there && i < claim->n_took_out; i++)
        if (strcmp(claim->took_out[i].lb, lb) == 0 && strcmp(claim->took_out[i].upstream, upstream) == 0 &&
            addr_same(claim->took_out[i].server, server))
            return true;
    return false;
}

static void tell_peer(const struct session *s, const struct survey_lb *lb, const struct survey_upstream *u,
                      const struct survey_peer *peer, uint32_t node)
{
    const struct survey_node *n = &s->survey->nodes[node];

    if (!n->good || is_claimed(&n->status.claim, s->fleet->hosts[lb->host].name, u->name, peer->server) ||
        (peer->state != PEER_DOWN && peer->state != PEER_DRAINING))
        return;
    (void)printf("%s: %s of upstream %s at %s is %s, and no claim says that a rollout did it; it is left so\n",
                 survey_node_name(s->fleet, n), peer->server, u->name, s->fleet->hosts[lb->host].name,
                 peer->state == PEER_DOWN ? "down" : "draining");
}

/* Of an upstream that has some of our nodes: whose it is nobody may say, so that its agent was not asked. */
static void tell_unknown(const struct session *s, const struct survey_lb *lb, const struct survey_upstream *u,
                         const struct survey_peer *peer)
{
    if (peer->state != PEER_DOWN && peer->state != PEER_DRAINING)
        return;
    (void)printf("%s of upstream %s at %s is %s, and belongs to no node of the hosts file that --limit means, so no "
                 "agent was asked for it; it is left so\n",
                 peer->server, u->name, s->fleet->hosts[lb->host].name, peer->state == PEER_DOWN ? "down" : "draining");
}

static bool has_ours(struct peer_book *book, uint32_t lb, const struct survey_upstream *u)
{
    uint16_t twice;

    for (uint32_t k = 0; k < u->n_peers; k++)
        if (peer_book_owner(book, lb, u->peers[k].server, u->peers[k].name, &twice) >= 0)
            return true;
    return false;
}

/* By hand, or by a rollout whose claim went with an agent's disk: a person must decide, so a person is told. */
static void tell_unclaimed(const struct session *s)
{
    struct peer_book *book = peer_book_new(s->fleet, s->survey);

    for (uint32_t i = 0; i < s->survey->n_lbs; i++)
        for (uint32_t u = 0; u < s->survey->lbs[i].n_upstreams; u++) {
            const struct survey_upstream *up = &s->survey->lbs[i].upstreams[u];
            bool ours = has_ours(book, i, up);

            for (uint32_t k = 0; k < up->n_peers; k++) {
                uint16_t twice;
                int32_t node = peer_book_owner(book, i, up->peers[k].server, up->peers[k].name, &twice);

                if (node >= 0)
                    tell_peer(s, &s->survey->lbs[i], up, &up->peers[k], (uint32_t)node);
                else if (ours)
                    tell_unknown(s, &s->survey->lbs[i], up, &up->peers[k]);
            }
        }
    peer_book_free(&book);
}

static int repair(struct session *s, struct complaints *c)
{
    struct plan *p;
    int code = command_await_dead(s, true, c);

    if (code != 0)
        return code;
    p = plan_make_repair(s->fleet, s->options, s->survey, &s->request, c);
    code = command_complain(c);
    if (p == NULL)
        (void)fprintf(stderr, "rollout: nothing was changed\n");
    else if (p->n_nodes > 0)
        code = worse(command_run(s, p), code);
    else
        (void)printf(c->n > 0 ? "nothing to repair at the agents that answered\n"
                              : "no agent has a claim of a rollout; nothing to repair\n");
    if (p != NULL)
        tell_unclaimed(s);
    plan_free(&p);
    return code;
}

int command_repair(struct options *o)
{
    return command_on_fleet(o, repair);
}
