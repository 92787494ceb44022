#include "event_json.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "node_pack.h"
#include "status.h"

static json_t *state_of(const struct event *e)
{
    char *text = node_pack(&e->state);
    json_t *o = json_read(text, strlen(text), NULL);

    free(text);
    return o != NULL ? o : json_null();
}

json_t *event_json(const struct plan *p, const struct event *e)
{
    char at[STATUS_TIME];
    bool of_node = e->kind == EVENT_STEP || e->kind == EVENT_NOTE, of_lease = e->kind == EVENT_LEASED;
    json_t *o = mem_must(json_pack("{s:I,s:s,s:s,s:o}", "seq", (json_int_t)e->seq, "at", status_time(e->wall_ms, at),
                                   "event", event_name(e->kind), "text", json_text(e->text)));

    if (of_node) {
        (void)json_object_set_new(o, "node", json_text(p->nodes[e->node].name));
        (void)json_object_set_new(o, "step", json_string(step_row((enum step)e->state.step)->name));
        (void)json_object_set_new(o, "state", state_of(e));
    }
    if (e->kind == EVENT_OUTPUT)
        (void)json_object_set_new(o, "node",
                                  e->node == EVENT_NO_NODE ? json_null() : json_text(p->nodes[e->node].name));
    if (e->kind == EVENT_STEP && view_hook(p, &e->state)[0] != '\0')
        (void)json_object_set_new(o, "hook", json_text(view_hook(p, &e->state)));
    if (e->kind == EVENT_HOOKED)
        (void)json_object_set_new(o, "good", json_boolean(e->code == 0));
    if (e->kind == EVENT_STEP)
        (void)json_object_set_new(o, "from", json_string(step_row((enum step)e->from)->name));
    if (of_lease) {
        (void)json_object_set_new(o, "upstream", json_text(p->upstreams[e->upstream].name));
        (void)json_object_set_new(o, "lb", json_text(p->lbs[p->upstreams[e->upstream].lb].name));
    }
    if (e->kind == EVENT_ENDED)
        (void)json_object_set_new(o, "exit_code", json_integer(e->code));
    return o;
}

json_t *event_release_json(const struct plan *p)
{
    char hex[SHA256_DIGITS + 1];

    if (!p->has_release)
        return json_null();
    sha256_hex(p->release_sha256, hex);
    return json_string(hex);
}

json_t *event_plan_json(const struct plan *p)
{
    return mem_must(json_pack("{s:s,s:s,s:I,s:o,s:o,s:o,s:I}", "service", p->service, "kind", plan_kind_word(p->kind),
                              "nodes", (json_int_t)p->n_nodes, "release", event_release_json(p), "version",
                              json_text_or_null(p->version), "holder", json_text(p->holder), "fence",
                              (json_int_t)p->fence));
}

json_t *event_out_json(const struct view *v, uint32_t node)
{
    const struct plan *p = v->plan;
    json_t *out = mem_must(json_array());

    for (uint32_t i = 0; i < p->nodes[node].n_peers; i++) {
        uint32_t peer = p->nodes[node].first_peer + i;

        if ((v->nodes[node].state.out_mask >> i & 1) != 0)
            json_append(out, json_pack("{s:o,s:o,s:o}", "server", json_text(p->peers[peer].server), "upstream",
                                       json_text(p->upstreams[p->peers[peer].upstream].name), "lb",
                                       json_text(p->lbs[plan_peer_lb(p, peer)].name)));
    }
    return out;
}

json_t *event_nodes_json(const struct view *v)
{
    json_t *nodes = mem_must(json_array());

    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct view_node *n = &v->nodes[i];
        bool timed = n->begun_ms != 0 && n->ended_ms >= n->begun_ms;

        json_append(nodes,
                    json_pack("{s:o,s:s,s:s,s:o,s:o,s:o,s:o}", "node", json_text(v->plan->nodes[i].name), "outcome",
                              view_outcome(v, (uint16_t)i), "step", step_row((enum step)n->state.step)->name, "ms",
                              timed ? json_integer(n->ended_ms - n->begun_ms) : json_null(), "why",
                              json_text_or_null(why_phrase((enum why)n->state.why)), "text", json_text_or_null(n->text),
                              "out", event_out_json(v, i)));
    }
    return nodes;
}
