#include "lb_view.h"

#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"

#define NO_ROW LB_METER_NO_ROW

/* A walk over one list. First by the very text, with a binary search; what the plan has and that did not find, by
 * addr_same in a second walk: hardly ever needed, and cheap for the few peers it is for. */
struct filling {
    struct lb_view *view;
    uint16_t lb;
    uint32_t upstream; /* NO_ROW: none of the plan's */
    bool second;
    bool *found;     /* n_upstreams: seen in this walk */
    bool *taken;     /* n_peers: found by its text */
    uint32_t *times; /* n_peers: found at all */
    bool *elsewhere; /* n_peers: in another upstream too */
    bool *more;      /* n_peers: its node has another address there */
};

static int order_of(const struct plan *plan, uint32_t row, uint32_t upstream, const char *server)
{
    const struct plan_peer *p = &plan->peers[row];

    if (p->upstream != upstream)
        return p->upstream < upstream ? -1 : 1;
    return strcmp(p->server, server);
}

static int compare_rows(const void *a, const void *b, void *plan)
{
    const uint32_t *x = a, *y = b;
    const struct plan_peer *p = &((const struct plan *)plan)->peers[*y];

    return order_of(plan, *x, p->upstream, p->server);
}

struct lb_view *lb_view_new(const struct plan *plan)
{
    struct lb_view *v = mem_zero(1, sizeof *v);

    v->plan = plan;
    v->known = lb_known_new(plan);
    v->meter = plan_gates(plan) ? lb_meter_new(plan) : NULL;
    v->upstreams = mem_zero(plan->n_upstreams, sizeof *v->upstreams);
    v->first_ids = mem_zero(plan->n_upstreams, sizeof *v->first_ids);
    v->exact = mem_zero(plan->n_upstreams, sizeof *v->exact);
    v->peers = mem_zero(plan->n_peers, sizeof *v->peers);
    v->ids = mem_zero(plan->n_peers, sizeof *v->ids);
    v->elsewhere = mem_zero(plan->n_peers, sizeof *v->elsewhere);
    v->read_once = mem_zero(plan->n_lbs, sizeof *v->read_once);
    v->order = mem_zero(plan->n_peers, sizeof *v->order);
    for (uint32_t i = 0; i < plan->n_peers; i++)
        v->order[i] = i;
    qsort_r(v->order, plan->n_peers, sizeof *v->order, compare_rows, (void *)(uintptr_t)plan);
    for (uint32_t lb = 0; lb < plan->n_lbs; lb++)
        lb_view_forget(v, (uint16_t)lb);
    return v;
}

void lb_view_free(struct lb_view **view)
{
    struct lb_view *v = *view;

    if (v == NULL)
        return;
    free(v->upstreams);
    free(v->peers);
    free(v->ids);
    free(v->first_ids);
    free(v->exact);
    free(v->order);
    free(v->elsewhere);
    free(v->read_once);
    for (uint32_t i = 0; i < v->n_closed; i++)
        free(v->closed[i].server);
    free(v->closed);
    lb_known_free(&v->known);
    lb_meter_free(&v->meter);
    free(v);
    *view = NULL;
}

static void forget_closed(struct lb_view *v, uint16_t lb)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < v->n_closed; i++) {
        if (v->plan->upstreams[v->closed[i].upstream].lb == lb)
            free(v->closed[i].server);
        else
            v->closed[kept++] = v->closed[i];
    }
    v->n_closed = kept;
}

void lb_view_forget(struct lb_view *v, uint16_t lb)
{
    const struct plan *plan = v->plan;

    forget_closed(v, lb);
    for (uint32_t i = 0; i < plan->n_upstreams; i++) {
        if (plan->upstreams[i].lb != lb)
            continue;
        v->upstreams[i] = (struct seen_upstream){0};
        v->first_ids[i] = LB_NO_ID;
        v->exact[i] = false;
    }
    for (uint32_t i = 0; i < plan->n_peers; i++) {
        if (plan->upstreams[plan->peers[i].upstream].lb != lb)
            continue;
        v->peers[i] = (struct seen_peer){.state = PEER_UNKNOWN};
        v->ids[i] = LB_NO_ID;
    }
}

/* The first place in `order` whose row is not before (upstream, server). */
static uint32_t place_of(const struct lb_view *v, uint32_t upstream, const char *server)
{
    uint32_t low = 0, high = v->plan->n_peers;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (order_of(v->plan, v->order[mid], upstream, server) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The plan's row for a server by its very text. */
static uint32_t row_by_text(const struct lb_view *v, uint32_t upstream, const char *server)
{
    uint32_t at = place_of(v, upstream, server);

    if (at < v->plan->n_peers && order_of(v->plan, v->order[at], upstream, server) == 0)
        return v->order[at];
    return NO_ROW;
}

/* Of those not found by their text. */
static uint32_t row_by_address(const struct filling *f, const char *server)
{
    const struct lb_view *v = f->view;

    if (row_by_text(v, f->upstream, server) != NO_ROW)
        return NO_ROW; /* was found in the first walk */
    for (uint32_t at = place_of(v, f->upstream, ""); at < v->plan->n_peers; at++) {
        uint32_t row = v->order[at];
        if (v->plan->peers[row].upstream != f->upstream)
            break;
        if (!f->taken[row] && addr_same(v->plan->peers[row].server, server))
            return row;
    }
    return NO_ROW;
}

static void fill_row(struct filling *f, uint32_t row, const struct lb_peer *p)
{
    struct lb_view *v = f->view;

    f->times[row]++;
    if (f->times[row] > 1) { /* which of the two is the node is anybody's guess */
        v->peers[row] = (struct seen_peer){.state = PEER_UNKNOWN};
        v->ids[row] = LB_NO_ID;
        return;
    }
    v->peers[row] = (struct seen_peer){.state = (uint8_t)p->state, .backup = p->backup, .active = p->active};
    v->ids[row] = p->id;
    if (!f->second)
        f->taken[row] = true;
}

static void keep_closed(struct lb_view *v, uint32_t upstream, const struct lb_peer *p)
{
    if (p->state != PEER_DOWN && p->state != PEER_DRAINING)
        return;
    if (v->n_closed == v->closed_cap) {
        v->closed_cap = v->closed_cap * 2 + 8;
        v->closed = mem_grow(v->closed, v->closed_cap, sizeof *v->closed);
    }
    v->closed[v->n_closed++] =
        (struct lb_closed){.upstream = upstream, .down = p->state == PEER_DOWN, .server = mem_text(p->server)};
}

/* A server that is not the plan's in this upstream, but in another one there: what is taken out is still in use. */
static bool mark_elsewhere(const struct filling *f, const struct lb_peer *p)
{
    struct lb_view *v = f->view;
    bool found = false;

    for (uint32_t u = 0; u < v->plan->n_upstreams && p->state != PEER_DOWN; u++) {
        uint32_t row = v->plan->upstreams[u].lb == f->lb && u != f->upstream ? row_by_text(v, u, p->server) : NO_ROW;

        if (row != NO_ROW)
            f->elsewhere[row] = found = true;
    }
    return found;
}

/* It is one of the node's peers of the plan, only spelled otherwise. */
static bool is_peer_of(const struct filling *f, uint16_t node, const char *server)
{
    const struct plan *plan = f->view->plan;
    const struct plan_node *n = &plan->nodes[node];

    for (uint32_t i = n->first_peer; i < n->first_peer + n->n_peers; i++)
        if (plan->peers[i].upstream == f->upstream && addr_same(plan->peers[i].server, server))
            return true;
    return false;
}

/* Nor is it the plan's anywhere, but an address where a node of it listens. */
static void mark_more(const struct filling *f, const struct lb_peer *p)
{
    const struct plan *plan = f->view->plan;
    uint32_t next = 0;
    int32_t node;

    while (p->state != PEER_DOWN && (node = lb_known_next(f->view->known, f->lb, p->server, &next)) >= 0) {
        const struct plan_node *n = &plan->nodes[node];

        for (uint32_t i = n->first_peer; i < n->first_peer + n->n_peers && !is_peer_of(f, (uint16_t)node, p->server);
             i++)
            if (plan_peer_lb(plan, i) == f->lb) {
                f->more[i] = true;
                break;
            }
    }
}

static void take_elsewhere(const struct filling *f)
{
    struct lb_view *v = f->view;

    for (uint32_t i = 0; i < v->plan->n_peers; i++) {
        if (v->plan->upstreams[v->plan->peers[i].upstream].lb != f->lb)
            continue;
        /* A repair knows of what was taken out alone. Any other plan has all upstreams that its servers stood in. */
        if (!v->read_once[f->lb] && v->plan->kind == PLAN_REPAIR)
            v->elsewhere[i] = f->elsewhere[i];
        v->peers[i].elsewhere = f->more[i]                            ? ELSEWHERE_ADDRESS
                                : f->elsewhere[i] && !v->elsewhere[i] ? ELSEWHERE_SERVER
                                                                      : ELSEWHERE_NOT;
    }
    v->read_once[f->lb] = true;
}

static bool on_begin(void *ctx, const char *name, struct err *err)
{
    struct filling *f = ctx;
    const struct plan *plan = f->view->plan;

    f->upstream = NO_ROW;
    for (uint32_t i = 0; i < plan->n_upstreams; i++)
        if (plan->upstreams[i].lb == f->lb && strcmp(plan->upstreams[i].name, name) == 0)
            f->upstream = i;
    if (f->upstream == NO_ROW)
        return true;
    if (f->found[f->upstream])
        return err_set(err, "upstream %s is in the list twice", name);
    f->found[f->upstream] = true;
    f->view->upstreams[f->upstream].there = true;
    return true;
}

static bool on_peer(void *ctx, const struct lb_peer *p, struct err *err)
{
    struct filling *f = ctx;
    struct lb_view *v = f->view;
    uint32_t row;

    (void)err;
    if (!f->second && (f->upstream == NO_ROW || row_by_text(v, f->upstream, p->server) == NO_ROW)) {
        if (!mark_elsewhere(f, p))
            mark_more(f, p);
    }
    if (f->upstream == NO_ROW)
        return true;
    if (!f->second) {
        struct seen_upstream *u = &v->upstreams[f->upstream];
        u->configured += !p->backup;
        u->up += !p->backup && p->state == PEER_UP;
        if (v->first_ids[f->upstream] == LB_NO_ID)
            v->first_ids[f->upstream] = p->id;
        keep_closed(v, f->upstream, p);
        row = row_by_text(v, f->upstream, p->server);
        if (v->meter != NULL)
            lb_meter_add(v->meter, f->upstream, row, p); /* NO_ROW is its LB_METER_NO_ROW */
    } else {
        row = row_by_address(f, p->server);
        if (v->meter != NULL && row != NO_ROW)
            lb_meter_name(v->meter, f->upstream, row, p->server);
    }
    if (row != NO_ROW)
        fill_row(f, row, p);
    return true;
}

static bool on_end(void *ctx, const struct lb_lease *lease, struct err *err)
{
    struct filling *f = ctx;

    (void)err;
    if (f->upstream != NO_ROW)
        f->view->exact[f->upstream] = lease->active_exact;
    return true;
}

static bool all_found(const struct filling *f)
{
    const struct plan *plan = f->view->plan;

    for (uint32_t i = 0; i < plan->n_peers; i++) {
        uint32_t u = plan->peers[i].upstream;
        if (plan->upstreams[u].lb == f->lb && f->found[u] && !f->taken[i])
            return false;
    }
    return true;
}

/* The list is whole: what it counted is served. */
static void take_counts(struct lb_view *v, uint16_t lb)
{
    lb_meter_end(v->meter, lb);
    for (uint32_t i = 0; i < v->plan->n_peers; i++)
        if (v->plan->upstreams[v->plan->peers[i].upstream].lb == lb) {
            v->peers[i].own = *lb_meter_own(v->meter, i);
            v->peers[i].others = *lb_meter_others(v->meter, i);
        }
}

bool lb_view_fill(struct lb_view *v, uint16_t lb, const char *body, size_t size, struct err *err)
{
    struct filling f = {.view = v, .lb = lb, .upstream = NO_ROW};
    struct lb_walk walk = {.begin = on_begin, .peer = on_peer, .end = on_end, .ctx = &f, .counts = v->meter != NULL};

    f.found = mem_zero(v->plan->n_upstreams, sizeof *f.found);
    f.taken = mem_zero(v->plan->n_peers, sizeof *f.taken);
    f.elsewhere = mem_zero(v->plan->n_peers, sizeof *f.elsewhere);
    f.more = mem_zero(v->plan->n_peers, sizeof *f.more);
    f.times = mem_zero(v->plan->n_peers, sizeof *f.times);
    lb_view_forget(v, lb);
    if (v->meter != NULL)
        lb_meter_begin(v->meter, lb);
    bool good = lb_list_walk(body, size, &walk, err);
    if (good && !all_found(&f)) {
        f.second = true;
        memset(f.found, 0, v->plan->n_upstreams * sizeof *f.found);
        good = lb_list_walk(body, size, &walk, err);
    }
    if (!good)
        lb_view_forget(v, lb);
    else if (v->meter != NULL)
        take_counts(v, lb);
    if (good)
        take_elsewhere(&f);
    free(f.found);
    free(f.taken);
    free(f.times);
    free(f.elsewhere);
    free(f.more);
    return good;
}

bool lb_view_active_exact(const struct lb_view *v, uint16_t lb)
{
    for (uint32_t i = 0; i < v->plan->n_upstreams; i++)
        if (v->plan->upstreams[i].lb == lb && !v->exact[i])
            return false;
    return true;
}

enum peer_state lb_view_was(const struct lb_view *v, uint32_t upstream, const char *server)
{
    for (uint32_t i = 0; i < v->n_closed; i++)
        if (v->closed[i].upstream == upstream && strcmp(v->closed[i].server, server) == 0)
            return v->closed[i].down ? PEER_DOWN : PEER_DRAINING;
    return PEER_UP;
}
