#include "unclaimed.h"

#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"
#include "peer_book.h"

static bool is_claimed(const struct agent_claim *claim, const char *lb, const char *upstream, const char *server)
{
    for (uint32_t i = 0; claim->there && i < claim->n_took_out; i++)
        if (strcmp(claim->took_out[i].lb, lb) == 0 && strcmp(claim->took_out[i].upstream, upstream) == 0 &&
            addr_same(claim->took_out[i].server, server))
            return true;
    return false;
}

static void tell_peer(FILE *f, const struct session *s, const struct survey_lb *lb, const struct survey_upstream *u,
                      const struct survey_peer *peer, uint32_t node)
{
    const struct survey_node *n = &s->survey->nodes[node];

    if (!n->good || is_claimed(&n->status.claim, s->fleet->hosts[lb->host].name, u->name, peer->server) ||
        (peer->state != PEER_DOWN && peer->state != PEER_DRAINING))
        return;
    (void)fprintf(f, "%s: %s of upstream %s at %s is %s, and no claim says that a rollout did it; it is left so\n",
                  survey_node_name(s->fleet, n), peer->server, u->name, s->fleet->hosts[lb->host].name,
                  peer->state == PEER_DOWN ? "down" : "draining");
}

/* Of an upstream that has some of our nodes: whose it is nobody may say, so that no agent was asked, or its agent does
 * not answer. */
static bool tell_unknown(FILE *f, const struct session *s, const struct survey_lb *lb, const struct survey_upstream *u,
                         const struct survey_peer *peer)
{
    if (peer->state != PEER_DOWN && peer->state != PEER_DRAINING)
        return false;
    (void)fprintf(
        f,
        "%s of upstream %s at %s is %s, and belongs to no node whose agent was asked and answered; it is left "
        "so\n",
        peer->server, u->name, s->fleet->hosts[lb->host].name, peer->state == PEER_DOWN ? "down" : "draining");
    return true;
}

static bool has_ours(struct peer_book *book, uint32_t lb, const struct survey_upstream *u)
{
    uint16_t twice;

    for (uint32_t k = 0; k < u->n_peers; k++)
        if (peer_book_owner(book, lb, u->peers[k].server, u->peers[k].name, &twice) >= 0)
            return true;
    return false;
}

static unsigned tell(FILE *f, const struct session *s, bool all)
{
    struct peer_book *book = peer_book_new(s->fleet, s->survey);
    unsigned unknown = 0;

    for (uint32_t i = 0; i < s->survey->n_lbs; i++)
        for (uint32_t u = 0; u < s->survey->lbs[i].n_upstreams; u++) {
            const struct survey_upstream *up = &s->survey->lbs[i].upstreams[u];
            bool ours = has_ours(book, i, up);

            for (uint32_t k = 0; k < up->n_peers; k++) {
                uint16_t twice;
                int32_t node = peer_book_owner(book, i, up->peers[k].server, up->peers[k].name, &twice);

                if (node >= 0 && all)
                    tell_peer(f, s, &s->survey->lbs[i], up, &up->peers[k], (uint32_t)node);
                else if (node < 0 && ours)
                    unknown += tell_unknown(f, s, &s->survey->lbs[i], up, &up->peers[k]) ? 1 : 0;
            }
        }
    peer_book_free(&book);
    return unknown;
}

char *unclaimed_text(const struct session *s, bool all, unsigned *unknown)
{
    char *text;
    size_t size;
    FILE *f = mem_must(open_memstream(&text, &size));
    unsigned n = tell(f, s, all);

    mem_close(f, &text);
    if (unknown != NULL)
        *unknown = n;
    return text;
}
