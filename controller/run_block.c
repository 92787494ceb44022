/* run_block.c - the run's one flat block and where its parts lie; what a turn yields. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_state.h"

static uint64_t place(uint64_t *end, size_t size, size_t count)
{
    uint64_t at = *end;

    *end = (at + size * count + 7) & ~UINT64_C(7);
    return at;
}

/* From its counts; also how long the whole block is. */
static void lay_out(struct run *r)
{
    struct run_layout *l = &r->at;
    uint64_t end = (sizeof *r + 7) & ~(size_t)7;

    l->lbs = place(&end, sizeof(struct run_lb), r->n_lbs);
    l->leases = place(&end, sizeof(struct run_lease), r->n_upstreams);
    l->votes = place(&end, sizeof(struct run_lease), r->n_voters);
    l->upstreams = place(&end, sizeof(struct seen_upstream), r->n_upstreams);
    l->peers = place(&end, sizeof(struct seen_peer), r->n_peers);
    l->watches = place(&end, sizeof(struct run_watch), r->n_peers);
    l->outs = place(&end, sizeof(uint64_t), r->n_peers);
    l->nodes = place(&end, sizeof(struct node), r->n_nodes);
    l->extras = place(&end, sizeof(struct run_extra), r->n_nodes);
    l->begun = place(&end, sizeof(uint16_t), r->n_nodes);
    r->size_bytes = end;
}

struct run *run_new(const struct plan *p)
{
    struct run counts = {.n_lbs = p->n_lbs,
                         .n_upstreams = p->n_upstreams,
                         .n_peers = p->n_peers,
                         .n_nodes = p->n_nodes,
                         .n_voters = p->n_voters};
    struct run *r;

    lay_out(&counts);
    r = calloc(1, counts.size_bytes);

    if (r == NULL)
        abort();
    *r = counts;
    r->grace_left_ms = UINT32_MAX;
    r->lock_age_ms = UINT32_MAX;
    r->wish_due_ms = p->wait_ms[WAIT_WISH];
    r->lease_left_ms = p->wait_ms[WAIT_CHANGE] + p->lease_wait_ms;
    for (uint32_t i = 0; i < r->n_lbs; i++)
        state_lb(r, i)->read_age_ms = state_lb(r, i)->began_ms = UINT32_MAX;
    for (uint32_t i = 0; i < r->n_nodes; i++)
        node_init(state_node(r, i), (uint16_t)i, p);
    for (uint32_t i = 0; i < r->n_nodes; i++)
        state_extra(r, i)->brought = p->nodes[i].brought;
    hold_init(r, p);
    if (p->goes_back) {
        r->stop = RUN_STOP_FAILURE;
        r->reversing = r->reversed = true;
        r->back_next = p->n_nodes;
    }
    return r;
}

void run_free(struct run **r)
{
    free(*r);
    *r = NULL;
}

uint64_t run_hash(const struct run *r)
{
    const uint64_t *words = (const uint64_t *)(const void *)r; /* place() leaves whole ones */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < r->size_bytes / sizeof *words; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash;
}

/* ---- what a turn yields */

static void *grown(void *items, size_t *cap, size_t used, size_t size)
{
    if (used < *cap)
        return items;
    *cap = *cap == 0 ? 16 : *cap * 2;
    items = realloc(items, *cap * size);
    if (items == NULL)
        abort();
    return items;
}

struct event *turn_event(struct turn *t, const struct plan *p, enum event_kind kind, const char *text)
{
    struct event *e;

    t->events = grown(t->events, &t->cap_events, t->n_events, sizeof *t->events);
    e = &t->events[t->n_events++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->rollout = p->rollout;
    e->node = EVENT_NO_NODE;
    if (text != NULL)
        memcpy(e->text, text, strnlen(text, sizeof e->text - 1));
    return e;
}

void turn_note(const struct run *r, const struct plan *p, uint16_t node, const char *text, struct turn *t)
{
    struct event *e = turn_event(t, p, EVENT_NOTE, text);

    e->node = node;
    e->from = run_node(r, node)->step;
    e->state = *run_node(r, node);
}

static struct action *new_action(struct turn *t)
{
    t->actions = grown(t->actions, &t->cap_actions, t->n_actions, sizeof *t->actions);
    return &t->actions[t->n_actions++];
}

void turn_ask(struct turn *t, const struct action *a)
{
    *new_action(t) = *a;
}

struct action *turn_action(struct turn *t, enum action_kind kind)
{
    struct action *a = new_action(t);

    memset(a, 0, sizeof *a);
    a->kind = kind;
    return a;
}

void turn_clear(struct turn *t)
{
    t->n_events = t->n_actions = 0;
}

void turn_free(struct turn *t)
{
    free(t->events);
    free(t->actions);
    memset(t, 0, sizeof *t);
}
