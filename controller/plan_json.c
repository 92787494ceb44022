#include "plan_json.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "event_json.h"
#include "pace.h"

uint32_t plan_to_do(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].at_target ? 0 : 1;
    return n;
}

uint32_t plan_peers_up(const struct plan *p, const struct survey *s, uint32_t upstream, uint32_t *configured)
{
    const struct survey_upstream *u = plan_surveyed_upstream(s, p->upstreams[upstream].lb, p->upstreams[upstream].name);
    uint32_t up = 0;

    *configured = 0;
    for (uint32_t k = 0; k < u->n_peers; k++) {
        *configured += u->peers[k].backup ? 0 : 1;
        up += !u->peers[k].backup && u->peers[k].state == PEER_UP ? 1 : 0;
    }
    return up;
}

static json_t *upstreams(const struct plan *p, const struct survey *s)
{
    json_t *list = mem_must(json_array());

    for (uint32_t i = 0; i < p->n_upstreams; i++) {
        uint32_t configured, up = plan_peers_up(p, s, i, &configured);

        json_append(list, json_pack("{s:o,s:o,s:I,s:I,s:I}", "upstream", json_text(p->upstreams[i].name), "lb",
                                    json_text(p->lbs[p->upstreams[i].lb].name), "configured", (json_int_t)configured,
                                    "up", (json_int_t)up, "floor", (json_int_t)pace_floor(p, configured)));
    }
    return list;
}

static json_t *takes_out(const struct plan *p, const struct plan_node *n)
{
    json_t *list = mem_must(json_array());

    for (uint32_t k = n->first_peer; !n->at_target && !n->in_place && k < n->first_peer + n->n_peers; k++)
        json_append(list, json_pack("{s:o,s:o,s:o}", "server", json_text(p->peers[k].server), "upstream",
                                    json_text(p->upstreams[p->peers[k].upstream].name), "lb",
                                    json_text(p->lbs[plan_peer_lb(p, k)].name)));
    return list;
}

static json_t *node(const struct plan *p, const struct plan_node *n)
{
    char from[SHA256_DIGITS + 1];

    sha256_hex(n->surveyed.sha256, from);
    return json_pack("{s:o,s:s,s:s,s:o,s:o,s:b,s:o}", "node", json_text(n->name), "action",
                     n->at_target     ? "none"
                     : p->has_release ? "upgrade"
                                      : "restart",
                     "from", from, "to", event_release_json(p), "zone", json_text_or_null(n->zone), "in_place",
                     n->in_place, "takes_out", takes_out(p, n));
}

json_t *plan_json(const struct plan *p, const struct survey *s)
{
    json_t *nodes = mem_must(json_array()), *pace = mem_must(json_array());

    for (uint32_t i = 0; i < p->n_nodes; i++)
        json_append(nodes, node(p, &p->nodes[i]));
    for (uint32_t i = 0; i < p->n_batches; i++)
        json_append(pace, json_integer(p->batches[i]));
    return mem_must(json_pack("{s:s,s:o,s:o,s:o,s:I,s:o,s:b,s:o,s:o}", "kind", plan_kind_word(p->kind), "service",
                              json_text(p->service), "release", event_release_json(p), "version",
                              json_text_or_null(p->version), "to_do", (json_int_t)plan_to_do(p), "at_a_time", pace,
                              "by_zone", p->by_zone, "upstreams", upstreams(p, s), "nodes", nodes));
}
