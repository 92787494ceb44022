/* survey_answer.c - what load balancers and agents tell a survey. */
#include <stdio.h>
#include <string.h>

#include "agent_api.h"
#include "common/mem.h"
#include "lb_api.h"
#include "survey_probe.h"

#define NOBODYS_ID 1000000

/* ---- the list of one load balancer, copied */

struct copying {
    struct pool *pool;
    struct survey_lb *lb;
    uint32_t upstreams_cap, peers_cap;
};

static bool on_begin(void *ctx, const char *name, struct err *err)
{
    struct copying *c = ctx;
    struct survey_lb *lb = c->lb;

    for (uint32_t i = 0; i < lb->n_upstreams; i++)
        if (strcmp(lb->upstreams[i].name, name) == 0)
            return err_set(err, "upstream %s is in the list twice", name);
    if (lb->n_upstreams == c->upstreams_cap) {
        c->upstreams_cap = c->upstreams_cap * 2 + 8;
        lb->upstreams = mem_grow(lb->upstreams, c->upstreams_cap, sizeof *lb->upstreams);
    }
    lb->upstreams[lb->n_upstreams++] = (struct survey_upstream){.name = pool_keep(c->pool, name)};
    c->peers_cap = 0;
    return true;
}

static bool on_peer(void *ctx, const struct lb_peer *p, struct err *err)
{
    struct copying *c = ctx;
    struct survey_upstream *u = &c->lb->upstreams[c->lb->n_upstreams - 1];

    (void)err;
    if (u->n_peers == c->peers_cap) {
        c->peers_cap = c->peers_cap * 2 + 8;
        u->peers = mem_grow(u->peers, c->peers_cap, sizeof *u->peers);
    }
    u->peers[u->n_peers++] = (struct survey_peer){.id = p->id,
                                                  .server = pool_keep(c->pool, p->server),
                                                  .name = pool_keep(c->pool, p->name),
                                                  .state = p->state,
                                                  .backup = p->backup,
                                                  .active = p->active};
    return true;
}

static bool on_end(void *ctx, const struct lb_lease *lease, struct err *err)
{
    struct copying *c = ctx;

    (void)err;
    c->lb->upstreams[c->lb->n_upstreams - 1].lease = *lease;
    return true;
}

static bool read_list(struct surveying *s, struct survey_lb *lb, const struct call_result *r, struct err *err)
{
    struct copying c = {.pool = &s->survey->owned, .lb = lb};
    struct lb_walk walk = {.begin = on_begin, .peer = on_peer, .end = on_end, .ctx = &c};

    return lb_list_walk(r->body, r->body_bytes, &walk, err);
}

/* ---- of both */

static bool is_whole(const struct call_result *r, struct err *err)
{
    if (r->failure != CALL_FINE)
        return err_set(err, "%s", r->text);
    return (r->status >= 200 && r->status <= 299) || err_set(err, "HTTP status %d", r->status);
}

static enum call_failure worse(enum call_failure a, enum call_failure b)
{
    return a == CALL_FINE ? b : a;
}

/* The first thing that is wrong stays. */
static void note_lb(struct survey_lb *lb, bool went_well, const struct err *err)
{
    if (lb->good && !went_well)
        (void)snprintf(lb->text, sizeof lb->text, "%.*s", ANSWER_TEXT_MAX - 1, err->text);
    lb->good = lb->good && went_well;
}

static void note_node(struct survey *s, struct survey_node *n, bool went_well, const struct err *err)
{
    if (n->good && !went_well)
        n->text = pool_keep(&s->owned, err->text);
    n->good = n->good && went_well;
}

/* ---- a load balancer's */

/* What nginx says when it refuses is worth more than its status; whose address it was is in the hosts file. */
static void lb_refusal_text(const struct call_result *r, const char *api, struct err *err)
{
    char text[ANSWER_TEXT_MAX];

    if (r->failure != CALL_FINE)
        return;
    lb_api_refusal(r->status, r->body, r->body_bytes, text, sizeof text);
    (void)err_set(err, "%s: %s", api, text);
}

/* Where there are leases, taking one shows whether a load balancer may be changed. Where there are none, and for the
 * doctor, an empty change of a server that is not there does: 404 where it may, 405 where its API only reads. */
static void ask_write(struct surveying *s, uint32_t i)
{
    const struct survey_lb *lb = &s->survey->lbs[i];
    const char *api = s->fleet->hosts[lb->host].api_url;

    for (uint32_t k = 0; k < lb->n_upstreams; k++) {
        const struct survey_upstream *u = &lb->upstreams[k];
        uint64_t id = NOBODYS_ID;

        if (u->lease.known && s->options->command != COMMAND_DOCTOR)
            continue;
        for (uint32_t n = 0; n < u->n_peers; n++)
            id = u->peers[n].id >= id ? u->peers[n].id + 1 : id;
        (void)probe_ask(s, PROBE_WRITE, i, lb_api_url_server(api, lb->api_version, u->name, id));
        return;
    }
}

static bool may_write(const struct call_result *r, const char *api, bool *read_only, struct err *err)
{
    if (r->failure != CALL_FINE)
        return err_set(err, "%s", r->text);
    if (r->status != 401 && r->status != 403 && r->status != 405)
        return true;
    *read_only = true;
    lb_refusal_text(r, api, err);
    return false;
}

static void lb_came(struct surveying *s, const struct probe *probe, const struct call_result *r)
{
    struct survey_lb *lb = &s->survey->lbs[probe->i];
    const char *api = s->fleet->hosts[lb->host].api_url;
    struct err err = {""};
    bool went_well = probe->kind == PROBE_WRITE ? may_write(r, api, &lb->read_only, &err) : is_whole(r, &err);

    lb->call = worse(lb->call, r->failure);
    if (probe->kind == PROBE_WRITE) {
        note_lb(lb, went_well, &err);
        return;
    }
    if (probe->kind == PROBE_VERSIONS)
        lb->cert_ends_s = r->cert_ends_s;
    if (went_well && probe->kind == PROBE_VERSIONS) {
        went_well = lb_api_read_versions(r->body, r->body_bytes, &lb->api_version, &err) ||
                    err_context(&err, "%s is no nginx API", api);
        if (went_well) {
            (void)probe_ask(s, PROBE_NGINX, probe->i, lb_api_url_nginx(api, lb->api_version));
            (void)probe_ask(s, PROBE_LIST, probe->i, lb_api_url_upstreams(api, lb->api_version));
        }
    } else if (went_well && probe->kind == PROBE_NGINX) {
        went_well = lb_api_read_nginx(r->body, r->body_bytes, &lb->generation, &err);
    } else if (went_well) {
        went_well = read_list(s, lb, r, &err);
        if (went_well)
            ask_write(s, probe->i);
    } else {
        lb_refusal_text(r, api, &err);
    }
    note_lb(lb, went_well, &err);
}

/* ---- a node's */

/* What an agent says when it refuses is worth more than its status. */
static void agent_refusal_text(const struct call_result *r, struct err *err)
{
    struct answer a;

    if (r->failure != CALL_FINE)
        return;
    agent_api_answer(ASK_STATUS, NULL, r, &a);
    (void)err_set(err, "%s", a.text);
}

/* The status is asked for by the same connection. */
static bool root_came(struct surveying *s, const struct probe *probe, const struct call_result *r, struct err *err)
{
    struct survey_node *n = survey_voter(s->survey, probe->i);
    struct probe *status;

    n->cert_ends_s = r->cert_ends_s;
    n->has_clock = r->has_clock;
    n->ahead_s = r->ahead_s;
    if (!agent_read_root(r->body, r->body_bytes, &n->root, err))
        return false;
    agent_root_settle(&n->root, s->like, &s->survey->owned);
    s->like = &n->root;
    status = probe_ask(s, PROBE_STATUS, probe->i,
                       agent_api_url_status(s->fleet->hosts[n->host].agent_url,
                                            n->service != NULL ? n->service : s->options->service));
    status->gave_way = probe->gave_way;
    return true;
}

static bool status_came(struct surveying *s, struct survey_node *n, const struct call_result *r, struct err *err)
{
    if (!agent_read_status(r->body, r->body_bytes, &n->status, err))
        return false;
    agent_status_settle(&n->status, &s->survey->owned);
    return true;
}

static void node_came(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    struct survey_node *n = survey_voter(s->survey, probe->i);
    struct err err = {""};
    bool went_well = is_whole(r, &err);

    n->call = worse(n->call, r->failure);
    if (!went_well)
        agent_refusal_text(r, &err);
    else if (probe->kind == PROBE_ROOT)
        went_well = root_came(s, probe, r, &err);
    else
        went_well = status_came(s, n, r, &err);
    note_node(s->survey, n, went_well, &err);
    if (probe->kind == PROBE_STATUS || !went_well)
        probe_give_way(s, probe);
}

void survey_answer(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    if (probe_is_of_node(probe))
        node_came(s, probe, r);
    else
        lb_came(s, probe, r);
}
