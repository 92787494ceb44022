#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "clock.h"
#include "common/mem.h"
#include "lb_api.h"
#include "world_net.h"
#include "world_work.h"

static const struct plan_upstream *upstream_of(const struct world_net *w, const struct part *part)
{
    const struct plan *p = w->plan;

    return &p->upstreams[part->kind == PART_LEASE ? part->work->action.upstream : p->peers[part->peer].upstream];
}

/* ---- reading a load balancer */
static void get(struct world_net *w, struct part *part, uint16_t lb, char *url, size_t cap_bytes)
{
    const struct plan_lb *l = &w->plan->lbs[lb];
    struct call_request q = {
        .method = "GET", .peer = l->name, .url = url, .connect_to = l->address, .cap_bytes = cap_bytes};

    part_call(w, part, &q);
    free(url);
}

static void read_start(struct world_net *w, const struct action *a, bool silent)
{
    const struct plan_lb *l = &w->plan->lbs[a->lb];
    struct work *work = work_new(w, a, 2);

    work->silent = silent;
    work->input.upstreams = w->view->upstreams;
    work->input.peers = w->view->peers;
    w->lbs[a->lb].n_reading++;
    struct part *list = work_part(work, PART_LIST, 0);
    if (!silent)
        get(w, work_part(work, PART_NGINX, 0), a->lb, lb_api_url_nginx(l->api, l->api_version), LB_BODY_MAX_BYTES);
    get(w, list, a->lb, lb_api_url_upstreams(l->api, l->api_version), LB_LIST_MAX_BYTES);
}

/* A whole answer with a good status, or false with why not. */
static bool read_good(const struct call_result *r, const char *lb, enum answer_kind *kind, struct err *err)
{
    char text[ANSWER_TEXT_MAX];

    *kind = answer_of_failure(r->failure, false);
    if (r->failure != CALL_FINE)
        return err_set(err, "%s", r->text);
    if (r->status >= 200 && r->status <= 299)
        return true;
    *kind = answer_of_status(r->status);
    lb_api_refusal(r->status, r->body, r->body_bytes, text, sizeof text);
    return err_set(err, "load balancer %s: %s", lb, text);
}

static void nginx_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    struct input *in = &part->work->input;
    const char *lb = w->plan->lbs[in->lb].name;
    enum answer_kind kind;
    struct err err = {""};

    if (read_good(r, lb, &kind, &err) && !lb_api_read_nginx(r->body, r->body_bytes, &in->generation, &err)) {
        kind = ANS_BAD;
        (void)err_context(&err, "load balancer %s", lb);
    }
    part_end(w, part, kind, err.text);
}

static void id_search(struct world_net *w, struct part *part, bool searched, enum answer_kind kind, const char *text);

static void list_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    struct input *in = &part->work->input;
    uint16_t lb = in->lb;
    struct lb_state *s = &w->lbs[lb];
    const char *name = w->plan->lbs[lb].name;
    int64_t left_ms = clock_ms() - r->age_ms;
    bool newest = !s->good || left_ms >= s->read_ms;
    enum answer_kind kind;
    struct err err = {""};

    if (read_good(r, name, &kind, &err) && newest) {
        s->good = lb_view_fill(w->view, lb, r->body, r->body_bytes, &err);
        s->read_ms = left_ms;
        if (!s->good) {
            kind = ANS_BAD;
            (void)err_context(&err, "load balancer %s", name);
        }
    }
    in->active_exact = lb_view_active_exact(w->view, lb);
    in->one_by_one = in->active_exact && !s->no_single; /* exact: our module says so, and that shows them */
    s->n_reading--;
    struct part *waiting = s->waiting;
    s->waiting = NULL;
    while (waiting != NULL) {
        struct part *next = waiting->next;
        id_search(w, waiting, true, kind, err.text);
        waiting = next;
    }
    part_end(w, part, kind, err.text);
}

/* ---- looking at a server */
static void look(struct world_net *w, struct part *part, uint64_t id)
{
    const struct plan_upstream *u = upstream_of(w, part);
    const struct plan_lb *l = &w->plan->lbs[u->lb];
    uint32_t hold_s = part->work->action.hold_s;
    char prefer[32];
    const char *const headers[] = {prefer};
    char *url = lb_api_url_server(l->api, l->api_version, u->name, id);
    struct call_request q = {.method = "GET",
                             .peer = l->name,
                             .url = url,
                             .connect_to = l->address,
                             .headers = headers,
                             .n_headers = 1,
                             .limit_ms = hold_s * 1000 + w->request_ms,
                             .cap_bytes = LB_BODY_MAX_BYTES};

    (void)snprintf(prefer, sizeof prefer, "Prefer: wait=%u", hold_s);
    part->id = id;
    part_call(w, part, &q);
    free(url);
}

static void look_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    const struct plan_upstream *u = upstream_of(w, part);
    const struct plan_lb *l = &w->plan->lbs[u->lb];
    struct work *work = part->work;
    struct seen_peer *seen = &work->looked[part->peer - w->plan->nodes[work->action.node].first_peer];
    enum answer_kind kind;
    struct err err = {""};

    if (read_good(r, l->name, &kind, &err)) {
        kind = lb_api_read_server(r->body, r->body_bytes, w->plan->peers[part->peer].server, seen, &err);
        if (kind != ANS_OK)
            (void)err_context(&err, "load balancer %s, upstream %s", l->name, u->name);
        else if (seen->state == PEER_UNKNOWN)
            w->lbs[u->lb].no_single = true;
    }
    if (r->status == 404 || kind == ANS_BAD)
        w->lbs[u->lb].good = false; /* its order is not the list's any more */
    part_end(w, part, kind, err.text);
}

/* ---- changing a server */
static const char *body_of(const struct world_net *w, const struct part *part)
{
    const struct action *a = &part->work->action;

    if (part->kind == PART_LEASE)
        return lb_api_body_renew();
    if (part->kind == PART_AMEND) {
        enum peer_state was = lb_view_was(w->view, w->plan->peers[part->peer].upstream, part->hit);
        return was == PEER_DOWN ? lb_api_body_down() : lb_api_body_back(was == PEER_DRAINING);
    }
    if (a->ask == ASK_BACK)
        return lb_api_body_back(a->prior_mask >> (part->peer - w->plan->nodes[a->node].first_peer) & 1);
    return a->ask == ASK_DRAIN ? lb_api_body_drain() : lb_api_body_down();
}

static void patch(struct world_net *w, struct part *part, uint64_t id)
{
    const struct plan_upstream *u = upstream_of(w, part);
    const struct plan_lb *l = &w->plan->lbs[u->lb];
    struct lb_lease_headers h = {0};
    struct call_request q = {.method = "PATCH",
                             .peer = l->name,
                             .connect_to = l->address,
                             .headers = h.list,
                             .n_headers = LB_LEASE_HEADERS,
                             .body = body_of(w, part),
                             .cap_bytes = LB_BODY_MAX_BYTES};
    char *url;

    if (clock_ms() > part->work->until_ms) { /* it waited for a list, or we were stopped in our tracks meanwhile */
        part_end(w, part, ANS_TIMEOUT, "not sent: our lock was not confirmed any more by then");
        return;
    }
    url = lb_api_url_server(l->api, l->api_version, u->name, id);
    part->id = id;
    lb_api_lease_headers(&h, w->plan, part->kind == PART_LEASE ? part->work->action.ttl_ms : w->plan->lease_ttl_ms);
    q.body_bytes = strlen(q.body);
    q.url = url;
    part_call(w, part, &q);
    free(url);
}

/* Its id is not in the list that was just read, or that could not be read: nothing was sent. */
static void no_id(struct world_net *w, struct part *part, enum answer_kind kind, const char *text)
{
    const struct plan_upstream *u = upstream_of(w, part);
    char why[ANSWER_TEXT_MAX];

    if (kind == ANS_OK) {
        kind = ANS_REFUSED;
        if (part->kind == PART_LEASE)
            (void)snprintf(why, sizeof why, "load balancer %.60s has no server in its upstream %.60s",
                           w->plan->lbs[u->lb].name, u->name);
        else
            (void)snprintf(why, sizeof why, "load balancer %.40s does not list %.60s once in its upstream %.40s",
                           w->plan->lbs[u->lb].name, w->plan->peers[part->peer].server, u->name);
        text = why;
    } else if (kind == ANS_LOST || kind == ANS_BAD) {
        kind = ANS_TIMEOUT;
    }
    part_end(w, part, kind, text);
}

/* Send the PATCH when the latest list is young enough and has the server; else wait for a list. `searched`: a list came
 * just now and went like `kind`. */
static void id_search(struct world_net *w, struct part *part, bool searched, enum answer_kind kind, const char *text)
{
    uint16_t lb = upstream_of(w, part)->lb;
    struct lb_state *s = &w->lbs[lb];
    bool young = s->good && clock_ms() - s->read_ms <= WORLD_LIST_AGE_MS;
    uint64_t id = part->kind == PART_LEASE ? w->view->first_ids[part->work->action.upstream] : w->view->ids[part->peer];

    /* A look may go by an older list: the answer names the server, and nothing is changed. */
    if (searched ? kind == ANS_OK && id != LB_NO_ID
                 : (young || (s->good && part->kind == PART_LOOK)) && id != LB_NO_ID) {
        if (part->kind == PART_LOOK)
            look(w, part, id);
        else
            patch(w, part, id);
    } else if (searched) {
        no_id(w, part, kind, text);
    } else {
        part->next = s->waiting;
        s->waiting = part;
        if (s->n_reading == 0)
            read_start(w, &(struct action){.kind = ACT_READ_LB, .lb = lb}, true);
    }
}

static void say(char text[ANSWER_TEXT_MAX], const char *lb, const char *upstream, const char *said)
{
    (void)snprintf(text, ANSWER_TEXT_MAX, "load balancer %.40s, upstream %.40s: %.190s", lb, upstream, said);
}

/* Nginx was reloaded with another order since the list: another server was changed. It must not stay so. */
static bool amend(struct world_net *w, struct part *part, const struct call_result *r)
{
    if (!lb_api_patched_server(r->body, r->body_bytes, part->hit, sizeof part->hit) ||
        clock_ms() > part->work->until_ms)
        return false; /* not ours to change any more: it is told what was hit */
    part->kind = PART_AMEND;
    patch(w, part, part->id);
    return true;
}

static void amend_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    const struct plan_upstream *u = upstream_of(w, part);
    char said[ANSWER_TEXT_MAX], text[ANSWER_TEXT_MAX], why[128];
    bool good = r->failure == CALL_FINE &&
                lb_api_patch_answer(r->status, r->body, r->body_bytes, part->hit, said, sizeof said) == ANS_OK;

    w->lbs[u->lb].good = false;
    (void)snprintf(why, sizeof why, "reloaded with another order; %.50s was changed by mistake %s", part->hit,
                   good ? "and put back" : "AND IS LEFT SO");
    say(text, w->plan->lbs[u->lb].name, u->name, why);
    part_end(w, part, ANS_BAD, text);
}

static void patch_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    struct answer *a = &part->work->input.answer;
    const struct plan_upstream *u = upstream_of(w, part);
    const char *server = part->kind == PART_LEASE ? NULL : w->plan->peers[part->peer].server;
    enum answer_kind kind = answer_of_failure(r->failure, true);
    char said[ANSWER_TEXT_MAX], text[ANSWER_TEXT_MAX] = "";

    if (r->failure != CALL_FINE) {
        part_end(w, part, kind, r->text);
        return;
    }
    kind = lb_api_patch_answer(r->status, r->body, r->body_bytes, server, said, sizeof said);
    if (kind == ANS_BAD && part->kind == PART_PATCH && amend(w, part, r))
        return;
    if (kind == ANS_OK && part->kind == PART_PATCH)
        a->ok_mask |= UINT64_C(1) << (part->peer - w->plan->nodes[part->work->action.node].first_peer);
    if (r->status == 404)
        w->lbs[u->lb].good = false;                 /* its order is not the list's any more */
    if (kind != ANS_OK && part->kind != PART_LEASE) /* who asks for a lease knows where */
        say(text, w->plan->lbs[u->lb].name, u->name, said);
    part_end(w, part, kind, part->kind == PART_LEASE ? said : text);
}

/* ---- what world_work.h promises */
static void patches_start(struct world_net *w, const struct action *a)
{
    const struct plan_node *n = &w->plan->nodes[a->node];
    struct work *work = work_new(w, a, n->n_peers + 1);
    struct part *begin = work_part(work, PART_PATCH, 0); /* keeps the work open until all have begun */

    for (uint32_t i = 0; i < n->n_peers; i++)
        if (a->mask >> i & 1)
            id_search(w, work_part(work, PART_PATCH, n->first_peer + i), false, ANS_OK, "");
    part_end(w, begin, ANS_OK, "");
}

static void looks_start(struct world_net *w, const struct action *a)
{
    const struct plan_node *n = &w->plan->nodes[a->node];
    struct work *work = work_new(w, a, n->n_peers + 1);
    struct part *begin = work_part(work, PART_LOOK, 0); /* keeps the work open until all have begun */

    work->looked = mem_zero(n->n_peers, sizeof *work->looked);
    work->input.looked = work->looked;
    work->input.mask = a->mask;
    work->input.look = a->look;
    work->input.hold_s = a->hold_s;
    for (uint32_t i = 0; i < n->n_peers; i++)
        if (a->mask >> i & 1)
            id_search(w, work_part(work, PART_LOOK, n->first_peer + i), false, ANS_OK, "");
    part_end(w, begin, ANS_OK, "");
}

void world_lb_start(struct world_net *w, const struct action *a)
{
    if (a->kind == ACT_READ_LB)
        read_start(w, a, false);
    else if (a->kind == ACT_LOOK)
        looks_start(w, a);
    else if (a->kind == ACT_LEASE)
        id_search(w, work_part(work_new(w, a, 1), PART_LEASE, 0), false, ANS_OK, "");
    else
        patches_start(w, a);
}

void world_lb_result(struct world_net *w, struct part *part, const struct call_result *r)
{
    switch (part->kind) {
    case PART_NGINX:
        nginx_came(w, part, r);
        return;
    case PART_LIST:
        list_came(w, part, r);
        return;
    case PART_PATCH:
    case PART_LEASE:
        patch_came(w, part, r);
        return;
    case PART_AMEND:
        amend_came(w, part, r);
        return;
    case PART_LOOK:
        look_came(w, part, r);
        return;
    case PART_AGENT:
    case PART_STAGED:
    case PART_BEFORE:
    case PART_CHECK:
    case PART_AFTER:
    case PART_HOOK:
        break;
    }
    assert(!"not a load balancer's");
}
