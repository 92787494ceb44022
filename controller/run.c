#include "run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"
#include "run_state.h"

/* ---- the block */

struct layout {
    size_t lbs, leases, upstreams, peers, nodes, extras, begun, end;
};

static size_t place(size_t *end, size_t size, size_t count)
{
    size_t at = *end;

    *end = (at + size * count + 7) & ~(size_t)7;
    return at;
}

static struct layout layout_of(const struct run *r)
{
    struct layout l;
    size_t end = (sizeof *r + 7) & ~(size_t)7;

    l.lbs = place(&end, sizeof(struct run_lb), r->n_lbs);
    l.leases = place(&end, sizeof(struct run_lease), r->n_upstreams);
    l.upstreams = place(&end, sizeof(struct seen_upstream), r->n_upstreams);
    l.peers = place(&end, sizeof(struct seen_peer), r->n_peers);
    l.nodes = place(&end, sizeof(struct node), r->n_nodes);
    l.extras = place(&end, sizeof(struct run_extra), r->n_nodes);
    l.begun = place(&end, sizeof(uint16_t), r->n_nodes);
    l.end = end;
    return l;
}

/* The parts: one accessor each for us, one that only reads for others. */
#define PART(name, type, field, count)                                                                                 \
    struct type *state_##name(struct run *r, uint32_t i)                                                               \
    {                                                                                                                  \
        assert(i < r->count);                                                                                          \
        return (struct type *)(void *)((char *)r + layout_of(r).field) + i;                                            \
    }
PART(lb, run_lb, lbs, n_lbs)
PART(lease, run_lease, leases, n_upstreams)
PART(upstream, seen_upstream, upstreams, n_upstreams)
PART(peer, seen_peer, peers, n_peers)
PART(node, node, nodes, n_nodes)
PART(extra, run_extra, extras, n_nodes)
#undef PART
#define PART(name, type, field, count)                                                                                 \
    const struct type *run_##name(const struct run *r, uint32_t i)                                                     \
    {                                                                                                                  \
        assert(i < r->count);                                                                                          \
        return (const struct type *)(const void *)((const char *)r + layout_of(r).field) + i;                          \
    }
PART(lb, run_lb, lbs, n_lbs)
PART(lease, run_lease, leases, n_upstreams)
PART(upstream, seen_upstream, upstreams, n_upstreams)
PART(peer, seen_peer, peers, n_peers)
PART(node, node, nodes, n_nodes)
PART(extra, run_extra, extras, n_nodes)
#undef PART

uint16_t *state_begun(struct run *r)
{
    return (uint16_t *)(void *)((char *)r + layout_of(r).begun);
}

const uint16_t *run_begun(const struct run *r)
{
    return (const uint16_t *)(const void *)((const char *)r + layout_of(r).begun);
}

struct run *run_new(const struct plan *p)
{
    struct run counts = {
        .n_lbs = p->n_lbs, .n_upstreams = p->n_upstreams, .n_peers = p->n_peers, .n_nodes = p->n_nodes};
    size_t size = layout_of(&counts).end;
    struct run *r = calloc(1, size);

    if (r == NULL)
        abort();
    *r = counts;
    r->size_bytes = size;
    r->lease_left_ms = p->wait_ms[WAIT_CHANGE] + p->lease_wait_ms;
    for (uint32_t i = 0; i < r->n_lbs; i++)
        state_lb(r, i)->read_age_ms = state_lb(r, i)->began_ms = UINT32_MAX;
    for (uint32_t i = 0; i < r->n_nodes; i++)
        node_init(state_node(r, i), (uint16_t)i, p);
    return r;
}

void run_free(struct run **r)
{
    free(*r);
    *r = NULL;
}

uint64_t run_hash(const struct run *r)
{
    const unsigned char *bytes = (const unsigned char *)r;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < r->size_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
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
    (void)snprintf(e->text, sizeof e->text, "%s", text == NULL ? "" : text);
    return e;
}

struct action *turn_action(struct turn *t, enum action_kind kind)
{
    struct action *a;

    t->actions = grown(t->actions, &t->cap_actions, t->n_actions, sizeof *t->actions);
    a = &t->actions[t->n_actions++];
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

/* ---- nodes */

static void forget_begun(struct run *r, uint16_t node)
{
    uint16_t *begun = state_begun(r);

    for (uint32_t i = 0; i < r->n_begun; i++)
        if (begun[i] == node) {
            begun[i] = begun[--r->n_begun];
            return;
        }
}

static void book_end(struct run *r, const struct plan *p, const struct node *n, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    r->n_done++;
    if (n->step == STEP_DONE)
        forget_begun(r, n->id);
    if (n->step == STEP_OUT || n->outcome == OUTCOME_FAILED) {
        (void)snprintf(text, sizeof text, "%s %s: %s", p->nodes[n->id].name,
                       n->step == STEP_OUT ? "is out of rotation" : "failed", why_phrase((enum why)n->why));
        run_stop(r, p, RUN_STOP_FAILURE, text, t);
    }
}

void state_move(struct run *r, const struct plan *p, uint16_t id, const struct move *m, struct turn *t)
{
    const struct node *n = state_node(r, id);
    struct run_extra *x = state_extra(r, id);

    if (m->moved || m->note) {
        struct event *e = turn_event(t, p, m->moved ? EVENT_STEP : EVENT_NOTE, m->text);

        e->node = id;
        e->from = (uint8_t)m->from;
        e->state = *n;
    }
    if (m->moved)
        x->looks = false;
    if (m->asks) {
        enum ask ask = m->action.ask;

        if (ask == ASK_PEERS || ask == ASK_FLOOR) {
            x->looks = true;
            x->look_turn = r->turn;
        } else if ((ask == ASK_CLAIM || ask == ASK_UNCLAIM) && x->renewing) {
            x->deferred = true; /* a renewal that overtakes an unclaim would bring the claim back */
        } else {
            *turn_action(t, ACT_ASK) = m->action;
        }
        if (ask == ASK_CLAIM)
            x->claim_ms = 0;
    }
    if (m->moved && (n->step == STEP_DONE || n->step == STEP_OUT))
        book_end(r, p, n, t);
}

/* Claims of nodes in motion are put again after a third of their ttl. */
static void renew_claims(struct run *r, const struct plan *p, struct turn *t)
{
    const uint16_t *begun = state_begun(r);

    for (uint32_t i = 0; i < r->n_begun; i++) {
        const struct node *n = state_node(r, begun[i]);
        struct run_extra *x = state_extra(r, n->id);
        enum ask ask = step_row((enum step)n->step)->ask;

        if (!node_in_motion(n) || n->claim_fence != p->fence || x->renewing || x->claim_ms < p->lease_ttl_ms / 3 ||
            ask == ASK_CLAIM || ask == ASK_UNCLAIM)
            continue;
        *turn_action(t, ACT_RENEW) = node_action(n, p);
        t->actions[t->n_actions - 1].kind = ACT_RENEW;
        t->actions[t->n_actions - 1].mask = n->peers_mask;
        x->renewing = true;
        x->claim_ms = 0;
    }
}

static void renewed(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_extra *x = state_extra(r, in->node);

    x->renewing = false;
    if (x->deferred) {
        x->deferred = false;
        *turn_action(t, ACT_ASK) = node_action(state_node(r, in->node), p);
    }
    if (in->answer.kind == ANS_FENCED) {
        char text[ANSWER_TEXT_MAX + 64];

        (void)snprintf(text, sizeof text, "the claim of %s is no longer ours: %s", p->nodes[in->node].name,
                       in->answer.text);
        run_stop(r, p, RUN_STOP_HELD, text, t);
    }
}

static void begin_nodes(struct run *r, const struct plan *p, struct turn *t)
{
    uint32_t in_motion = 0;

    for (uint32_t i = 0; i < r->n_begun; i++)
        in_motion += node_in_motion(state_node(r, state_begun(r)[i])) ? 1 : 0;
    while (r->phase == RUN_ROLLING && r->stop == RUN_GOES && r->next < r->n_nodes &&
           in_motion < pace_batch(p, r->n_done)) {
        uint16_t id = (uint16_t)r->next++;
        struct move m = node_begin(state_node(r, id), p);

        state_begun(r)[r->n_begun++] = id;
        state_move(r, p, id, &m, t);
        in_motion += node_in_motion(state_node(r, id)) ? 1 : 0;
    }
    if (r->phase == RUN_ROLLING && in_motion == 0 && (r->stop != RUN_GOES || r->next == r->n_nodes))
        lease_give_back(r, p);
}

static void pass_time(struct run *r, const struct plan *p, uint32_t elapsed_ms, struct turn *t)
{
    uint32_t i = 0;

    lease_time(r, elapsed_ms);
    look_time(r, elapsed_ms);
    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        struct move m = node_time(state_node(r, id), p, elapsed_ms);
        uint32_t before = r->n_begun;

        state_extra(r, id)->claim_ms += elapsed_ms;
        state_move(r, p, id, &m, t);
        i += r->n_begun == before ? 1 : 0; /* a node that is done gives its place to the last */
    }
}

static void take_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct move m;

    switch (in->kind) {
    case IN_TIME:
        break;
    case IN_ANSWER:
        m = node_answer(state_node(r, in->node), p, &in->answer);
        state_move(r, p, in->node, &m, t);
        break;
    case IN_LB:
        look_input(r, p, in, t);
        break;
    case IN_LEASE:
        lease_answer(r, p, in, t);
        break;
    case IN_RENEW:
        renewed(r, p, in, t);
        break;
    case IN_STOP:
        run_stop(r, p, RUN_STOP_PERSON, in->answer.text, t);
        break;
    }
}

void run_turn(struct run *r, const struct plan *p, uint32_t elapsed_ms, const struct input *inputs, size_t n_inputs,
              struct turn *t)
{
    r->turn++;
    /* Answers before time: an answer that is here must not lose against a limit that ends in the same turn. */
    for (size_t i = 0; i < n_inputs; i++)
        take_input(r, p, &inputs[i], t);
    pass_time(r, p, elapsed_ms, t);
    lease_drive(r, p, t); /* the last lease may begin the rolling, */
    begin_nodes(r, p, t); /* the last node may end it */
    lease_drive(r, p, t);
    renew_claims(r, p, t);
    look_drive(r, p, t);
}

void run_stop(struct run *r, const struct plan *p, enum run_stop why, const char *text, struct turn *t)
{
    bool first = r->stop == RUN_GOES;

    if (r->phase == RUN_OVER || (!first && why != RUN_STOP_PERSON))
        return;
    if (first) {
        r->stop = (uint8_t)why;
        (void)turn_event(t, p, EVENT_STOPPING, text);
        if (r->phase == RUN_LEASING)
            lease_give_back(r, p);
    }
    if (why != RUN_STOP_PERSON && why != RUN_STOP_STORE)
        return;
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        struct move m = node_stop(state_node(r, i), p);

        state_move(r, p, (uint16_t)i, &m, t);
    }
}

bool run_over(const struct run *r)
{
    return r->phase == RUN_OVER;
}

uint32_t run_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = 60000, w;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        w = node_wait_ms(run_node(r, run_begun(r)[i]));
        wait = w < wait ? w : wait;
    }
    w = lease_wait_ms(r, p);
    wait = w < wait ? w : wait;
    w = look_wait_ms(r, p);
    return w < wait ? w : wait;
}

int run_exit_code(const struct run *r, int signal)
{
    bool failed = false;

    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct node *n = run_node(r, i);

        if (n->step != STEP_WAIT && n->step != STEP_DONE)
            return 3; /* out, or left in mid-motion: state unknown */
        failed = failed || n->outcome == OUTCOME_FAILED;
    }
    if (failed || r->stop == RUN_STOP_STORE)
        return 1;
    switch ((enum run_stop)r->stop) {
    case RUN_STOP_HELD:
        return 6;
    case RUN_STOP_UNREACHABLE:
        return 4;
    case RUN_STOP_PERSON:
        return 128 + signal;
    default:
        return 0;
    }
}

void run_replay(struct run *r, const struct plan *p, const struct event *e)
{
    (void)p;
    if ((e->kind != EVENT_STEP && e->kind != EVENT_NOTE) || e->node >= r->n_nodes)
        return;
    *state_node(r, e->node) = e->state;
}
