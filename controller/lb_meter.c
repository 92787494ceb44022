#include "lb_meter.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "gate.h"

struct server {
    char *name;
    struct lb_counts was, now;
    uint32_t row;
    bool seen;   /* in the list under way */
    bool counts; /* in it up and not backup */
};

/* The servers of one upstream, in the order of its latest list. */
struct servers {
    struct server *items;
    uint32_t n, room;
    uint32_t next; /* where the next one of the list is looked for first */
};

struct lb_meter {
    const struct plan *plan;
    struct servers *upstreams;
    struct served *own, *others; /* by the plan's peer */
};

struct lb_meter *lb_meter_new(const struct plan *p)
{
    struct lb_meter *m = mem_zero(1, sizeof *m);

    m->plan = p;
    m->upstreams = mem_zero(p->n_upstreams, sizeof *m->upstreams);
    m->own = mem_zero(p->n_peers, sizeof *m->own);
    m->others = mem_zero(p->n_peers, sizeof *m->others);
    return m;
}

void lb_meter_free(struct lb_meter **meter)
{
    struct lb_meter *m = *meter;

    if (m == NULL)
        return;
    for (uint32_t u = 0; u < m->plan->n_upstreams; u++) {
        for (uint32_t i = 0; i < m->upstreams[u].n; i++)
            free(m->upstreams[u].items[i].name);
        free(m->upstreams[u].items);
    }
    free(m->upstreams);
    free(m->own);
    free(m->others);
    free(m);
    *meter = NULL;
}

void lb_meter_begin(struct lb_meter *m, uint16_t lb)
{
    for (uint32_t u = 0; u < m->plan->n_upstreams; u++) {
        struct servers *s = &m->upstreams[u];

        s->next = 0;
        for (uint32_t i = 0; m->plan->upstreams[u].lb == lb && i < s->n; i++)
            s->items[i].seen = false;
    }
}

/* The first of that name that this list has not shown yet; a list in the order of the one before finds it at once. */
static struct server *find(struct servers *s, const char *name)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct server *at = &s->items[(s->next + i) % s->n];

        if (!at->seen && strcmp(at->name, name) == 0) {
            s->next = (uint32_t)(at - s->items) + 1;
            return at;
        }
    }
    if (s->n == s->room) {
        s->room = s->room * 2 + 8;
        s->items = mem_grow(s->items, s->room, sizeof *s->items);
    }
    s->items[s->n] = (struct server){.name = mem_text(name)};
    s->next = s->n + 1;
    return &s->items[s->n++];
}

void lb_meter_add(struct lb_meter *m, uint32_t upstream, uint32_t row, const struct lb_peer *p)
{
    struct server *at = find(&m->upstreams[upstream], p->server);

    at->now = p->counts;
    at->row = row;
    at->seen = true;
    at->counts = p->state == PEER_UP && !p->backup;
}

void lb_meter_name(struct lb_meter *m, uint32_t upstream, uint32_t row, const char *server)
{
    struct servers *s = &m->upstreams[upstream];

    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].seen && strcmp(s->items[i].name, server) == 0)
            s->items[i].row = row;
}

static uint32_t rise(uint64_t was, uint64_t now)
{
    return now - was < UINT32_MAX ? (uint32_t)(now - was) : UINT32_MAX;
}

/* Between the list before and this one. */
static struct served step_of(const struct server *s)
{
    const struct lb_counts *was = &s->was, *now = &s->now;
    struct served d = {0};

    if (!was->known || !now->known || now->answers < was->answers || now->errors < was->errors ||
        now->fails < was->fails)
        return d;
    d.answers = rise(was->answers, now->answers);
    d.errors = rise(was->errors, now->errors);
    d.fails = rise(was->fails, now->fails);
    d.timed = now->timed ? d.answers : 0;
    d.time_ms = (uint64_t)now->response_ms * d.timed;
    return d;
}

static bool same_place(const struct plan *p, uint32_t a, uint32_t b)
{
    return p->peers[a].node == p->peers[b].node && p->peers[a].upstream == p->peers[b].upstream;
}

/* All that counted in this upstream but the node's own, to the first of its peers there. */
static void share_out(struct lb_meter *m, uint32_t upstream, const struct served *all, const struct served *counted)
{
    const struct plan *p = m->plan;

    for (uint32_t i = 0; i < p->n_peers; i++) {
        struct served others = *all;

        if (p->peers[i].upstream != upstream || (i > 0 && same_place(p, i, i - 1)))
            continue;
        for (uint32_t k = i; k < p->n_peers && same_place(p, i, k); k++)
            others = served_since(&others, &counted[k]);
        served_add(&m->others[i], &others);
    }
}

static void end_upstream(struct lb_meter *m, uint32_t upstream, struct served *counted)
{
    struct servers *s = &m->upstreams[upstream];
    struct served all = {0};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct server *at = &s->items[i];
        struct served d;

        if (!at->seen) {
            free(at->name);
            continue;
        }
        d = step_of(at);
        if (at->counts)
            served_add(&all, &d);
        if (at->row != LB_METER_NO_ROW) {
            served_add(&m->own[at->row], &d);
            counted[at->row] = at->counts ? d : (struct served){0};
        }
        at->was = at->now;
        s->items[kept++] = *at;
    }
    s->n = kept;
    share_out(m, upstream, &all, counted);
}

void lb_meter_end(struct lb_meter *m, uint16_t lb)
{
    struct served *counted = mem_zero(m->plan->n_peers, sizeof *counted);

    for (uint32_t u = 0; u < m->plan->n_upstreams; u++)
        if (m->plan->upstreams[u].lb == lb)
            end_upstream(m, u, counted);
    free(counted);
}

const struct served *lb_meter_own(const struct lb_meter *m, uint32_t peer)
{
    return &m->own[peer];
}

const struct served *lb_meter_others(const struct lb_meter *m, uint32_t peer)
{
    return &m->others[peer];
}
