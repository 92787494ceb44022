#include <stdio.h>
#include <string.h>

#include "command.h"
#include "common/sha256.h"
#include "pace.h"
#include "plan_json.h"
#include "say.h"

static void short_hash(const uint8_t sha256[32], char out[13])
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(sha256, hex);
    (void)snprintf(out, 13, "%.12s", hex);
}

static void show_upstreams(const struct plan *p, const struct survey *s)
{
    for (uint32_t i = 0; i < p->n_upstreams; i++) {
        uint32_t configured, up = plan_peers_up(p, s, i, &configured);

        (void)printf("upstream %s at %s: %u of %u peers up, the floor is %u\n", p->upstreams[i].name,
                     p->lbs[p->upstreams[i].lb].name, up, configured, pace_floor(p, configured));
    }
}

static bool same_server(const struct plan *p, uint32_t a, uint32_t b)
{
    return strcmp(p->peers[a].server, p->peers[b].server) == 0 &&
           strcmp(p->upstreams[p->peers[a].upstream].name, p->upstreams[p->peers[b].upstream].name) == 0;
}

/* "10.0.0.1:80 of app at lb1, lb2; ...": a server that several load balancers list is told once. */
static void show_peers(const struct plan *p, const struct plan_node *n)
{
    const char *before = "; takes out ";

    for (uint32_t k = n->first_peer; k < n->first_peer + n->n_peers; k++) {
        uint32_t first = n->first_peer;

        while (!same_server(p, first, k))
            first++;
        if (first < k)
            continue;
        (void)printf("%s%s of %s at %s", before, p->peers[k].server, p->upstreams[p->peers[k].upstream].name,
                     p->lbs[plan_peer_lb(p, k)].name);
        for (uint32_t more = k + 1; more < n->first_peer + n->n_peers; more++)
            if (same_server(p, k, more))
                (void)printf(", %s", p->lbs[plan_peer_lb(p, more)].name);
        before = "; ";
    }
    (void)putchar('\n');
}

static void show_nodes(const struct plan *p)
{
    char then[13];

    short_hash(p->release_sha256, then);
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct plan_node *node = &p->nodes[i];
        char now[13];

        short_hash(node->surveyed.sha256, now);
        if (node->at_target) {
            (void)printf("%s: runs %s already\n", node->name, now);
            continue;
        }
        (void)printf(p->has_release ? "%s: upgrade %s -> %s" : "%s: restart %s", node->name, now, then);
        if (p->by_zone)
            (void)printf(" in zone %s", node->zone);
        if (node->in_place)
            (void)puts("; in place, without a drain, since it is alone in an upstream: nothing is taken out");
        else
            show_peers(p, node);
    }
}

static void show_sum(const struct plan *p, uint32_t n)
{
    char motion[64] = "";

    if (n > 0)
        (void)snprintf(motion, sizeof motion, ", %s%u at a time", p->n_batches > 1 ? "at first " : "", p->batches[0]);
    (void)printf("plan: %u of %u nodes to %s%s%s; nothing was changed\n", n, p->n_nodes,
                 p->has_release ? "upgrade" : "restart", motion, n > 0 && p->by_zone ? ", zone by zone" : "");
}

static int plan(struct session *s, struct complaints *c)
{
    struct plan *p = plan_make(s->fleet, s->options, s->survey, &s->request, c);
    uint32_t n;

    if (p == NULL)
        return command_complain(c);
    n = plan_to_do(p);
    if (say_is_text()) {
        show_upstreams(p, s->survey);
        show_nodes(p);
        show_sum(p, n);
    } else {
        say_document(plan_json(p, s->survey));
    }
    plan_free(&p);
    return n > 0 && s->options->detailed_exitcode ? 2 : 0;
}

int command_plan(struct options *o)
{
    return command_on_fleet(o, plan);
}
