#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "agent_api.h"
#include "clock.h"
#include "common/mem.h"
#include "lb_api.h"

#define WAIT_MS         1000 /* of one collect; every call has its own limit */
#define RESULTS_AT_ONCE 64
#define NOBODYS_ID      1000000
#define NODES_AT_ONCE   (CALLS_ACTIVE_MAX / 2)
#define AGAIN_FIRST_MS  200                    /* then twice as long each time */
#define AGAIN_LEAST_MS  50                     /* a last wait that is shorter is not worth a call */
#define KEPT_MAX        (CALLS_ACTIVE_MAX / 2) /* nodes whose connections wait for the rollout; more would be in its way */

enum probe_kind { PROBE_VERSIONS, PROBE_NGINX, PROBE_LIST, PROBE_WRITE, PROBE_ROOT, PROBE_STATUS };

/* One question, however often it is asked. */
struct probe {
    enum probe_kind kind;
    uint32_t i;       /* of the survey's lbs or nodes */
    char *url;        /* while there is no answer */
    int64_t began_ms; /* when it was asked first */
    uint32_t pause_ms;
    struct probe *next; /* while it waits to be asked again, which is at: */
    int64_t due_ms;
    bool gave_way; /* the next node was asked meanwhile */
};

struct surveying {
    struct calls *calls;
    const struct fleet *fleet;
    const struct options *options;
    struct survey *survey;
    struct probe *probes; /* at most four a load balancer, two a node */
    uint32_t n_probes;
    uint32_t n_open;               /* calls */
    struct probe *waiting;         /* to be asked again */
    int64_t due_ms;                /* the first of them */
    const struct agent_root *like; /* the latest node's */
    uint32_t next_node;            /* the first that was not asked yet */
    uint32_t end_node;             /* and behind the last that is to be asked */
};

bool survey_set_profiles(struct calls *calls, const struct fleet *fleet, const struct options *o, struct err *err)
{
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *h = &fleet->hosts[i];
        struct call_profile p = {.cert_file = options_host_text(o, fleet, i, OPT_cert),
                                 .key_file = options_host_text(o, fleet, i, OPT_key),
                                 .ca_file = options_host_text(o, fleet, i, OPT_cacert),
                                 .auth_file =
                                     h->api_url != NULL ? options_host_text(o, fleet, i, OPT_lb_auth_file) : NULL};

        if (!calls_set_profile(calls, h->name, &p, err))
            return err_context(err, "host %s", h->name);
    }
    return true;
}

/* ---- calls */
static bool is_of_node(const struct probe *probe)
{
    return probe->kind == PROBE_ROOT || probe->kind == PROBE_STATUS;
}

static void call(struct surveying *s, struct probe *probe)
{
    uint32_t host = is_of_node(probe) ? survey_voter(s->survey, probe->i)->host : s->survey->lbs[probe->i].host;
    const struct fleet_host *h = &s->fleet->hosts[host];
    const char *body = probe->kind == PROBE_WRITE ? lb_api_body_renew() : NULL;
    struct call_request q = {.method = body != NULL ? "PATCH" : "GET",
                             .body = body,
                             .body_bytes = body != NULL ? strlen(body) : 0,
                             .peer = h->name,
                             .url = probe->url,
                             .connect_to = h->api_url != NULL ? h->api_address : h->agent_address,
                             .limit_ms = s->options->request_timeout_ms,
                             .cap_bytes = probe->kind == PROBE_LIST ? LB_LIST_MAX_BYTES : LB_BODY_MAX_BYTES,
                             .show_peer = s->options->command == COMMAND_DOCTOR &&
                                          (probe->kind == PROBE_VERSIONS || probe->kind == PROBE_ROOT),
                             .tag = probe,
                             .last = probe->kind == PROBE_STATUS && s->end_node > KEPT_MAX};

    s->n_open++;
    calls_start(s->calls, &q);
}

static struct probe *ask(struct surveying *s, enum probe_kind kind, uint32_t i, char *url)
{
    struct probe *probe = &s->probes[s->n_probes++];

    *probe = (struct probe){.kind = kind, .i = i, .began_ms = clock_ms(), .pause_ms = AGAIN_FIRST_MS};
    probe->url = url;
    call(s, probe);
    return probe;
}

/* It may have been a moment's: a service that starts, a lost packet, one that has too much to do. What was refused, and
 * whom we do not trust, will be so the next time. */
static bool may_pass(const struct call_result *r)
{
    return r->failure == CALL_FINE ? r->status == 503 : !r->lasting;
}

/* False: it has had its time. */
static bool ask_again_later(struct surveying *s, struct probe *probe)
{
    int64_t now = clock_ms(), left = survey_patience_ms(s->options) - (now - probe->began_ms);

    if (left < AGAIN_LEAST_MS)
        return false;
    probe->due_ms = now + (left < probe->pause_ms ? left : probe->pause_ms);
    probe->pause_ms *= 2;
    probe->next = s->waiting;
    if (s->waiting == NULL || probe->due_ms < s->due_ms)
        s->due_ms = probe->due_ms;
    s->waiting = probe;
    return true;
}

/* No more than there is room for on the wire; the others wait here. */
static void ask_due(struct surveying *s)
{
    struct probe *waiting = s->waiting;
    int64_t now = clock_ms();

    if (waiting == NULL || now < s->due_ms)
        return;
    s->waiting = NULL;
    s->due_ms = INT64_MAX;
    for (struct probe *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        if (waiting->due_ms <= now && s->n_open < CALLS_ACTIVE_MAX) {
            call(s, waiting);
        } else {
            s->due_ms = waiting->due_ms < s->due_ms ? waiting->due_ms : s->due_ms;
            waiting->next = s->waiting;
            s->waiting = waiting;
        }
    }
}

static uint32_t wait_ms(const struct surveying *s)
{
    int64_t left = s->waiting == NULL || s->n_open >= CALLS_ACTIVE_MAX ? WAIT_MS : s->due_ms - clock_ms();

    return left < 0 ? 0 : left > WAIT_MS ? WAIT_MS : (uint32_t)left;
}

/* As one has told all, the next is asked: each call that waits for its turn would cost as much as what it tells. */
static void ask_next_node(struct surveying *s)
{
    uint32_t i = s->next_node++, host = survey_voter(s->survey, i)->host;

    (void)ask(s, PROBE_ROOT, i, agent_api_url_root(s->fleet->hosts[host].agent_url));
}

static void ask_nodes(struct surveying *s, uint32_t end)
{
    uint32_t first = s->next_node;

    s->end_node = end;
    while (s->next_node < end && s->next_node - first < NODES_AT_ONCE)
        ask_next_node(s);
}

static void ask_all(struct surveying *s)
{
    for (uint32_t i = 0; i < s->survey->n_lbs; i++) {
        const char *api = s->fleet->hosts[s->survey->lbs[i].host].api_url;
        (void)ask(s, PROBE_VERSIONS, i, lb_api_url_versions(api));
    }
    ask_nodes(s, s->survey->n_nodes);
}

/* ---- the list of one load balancer, copied */
struct copying {
    struct pool *pool;
    struct survey_lb *lb;
    uint32_t upstreams_cap, peers_cap;
};

static const char *kept(struct pool *pool, const char *text)
{
    return pool_text(pool, text, strlen(text));
}

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
    lb->upstreams[lb->n_upstreams++] = (struct survey_upstream){.name = kept(c->pool, name)};
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
                                                  .server = kept(c->pool, p->server),
                                                  .name = kept(c->pool, p->name),
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

/* ---- answers */
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
        n->text = kept(&s->owned, err->text);
    n->good = n->good && went_well;
}

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
        (void)ask(s, PROBE_WRITE, i, lb_api_url_server(api, lb->api_version, u->name, id));
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
            (void)ask(s, PROBE_NGINX, probe->i, lb_api_url_nginx(api, lb->api_version));
            (void)ask(s, PROBE_LIST, probe->i, lb_api_url_upstreams(api, lb->api_version));
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

/* What an agent says when it refuses is worth more than its status. */
static void refusal_text(const struct call_result *r, struct err *err)
{
    struct answer a;

    if (r->failure != CALL_FINE || (r->status >= 200 && r->status <= 299))
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
    status = ask(s, PROBE_STATUS, probe->i,
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

/* Once for each node: there are no more at a time than at the beginning. */
static void give_way(struct surveying *s, struct probe *probe)
{
    if (!probe->gave_way && s->next_node < s->end_node)
        ask_next_node(s);
    probe->gave_way = true;
}

static void node_came(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    struct survey_node *n = survey_voter(s->survey, probe->i);
    struct err err = {""};
    bool went_well = is_whole(r, &err);

    n->call = worse(n->call, r->failure);
    if (!went_well)
        refusal_text(r, &err);
    else if (probe->kind == PROBE_ROOT)
        went_well = root_came(s, probe, r, &err);
    else
        went_well = status_came(s, n, r, &err);
    note_node(s->survey, n, went_well, &err);
    if (probe->kind == PROBE_STATUS || !went_well)
        give_way(s, probe);
}

static void came(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    if (may_pass(r) && ask_again_later(s, probe)) {
        if (is_of_node(probe))
            give_way(s, probe); /* it waits for itself, not for us all */
        return;
    }
    if (is_of_node(probe))
        node_came(s, probe, r);
    else
        lb_came(s, probe, r);
    free(probe->url);
    probe->url = NULL;
}

static bool collect_all(struct surveying *s)
{
    struct call_result results[RESULTS_AT_ONCE];
    bool woken = false;

    while ((s->n_open > 0 || s->waiting != NULL) && !woken) {
        size_t n = calls_collect(s->calls, wait_ms(s), results, RESULTS_AT_ONCE, &woken);
        for (size_t i = 0; i < n; i++) {
            s->n_open--;
            came(s, results[i].tag, &results[i]);
            call_result_free(&results[i]);
        }
        ask_due(s);
    }
    if (woken)
        calls_drop(s->calls);
    return !woken;
}

/* ---- what the header promises */
bool survey_serves(const struct fleet *fleet, uint32_t host, const char *service)
{
    const char *there = fleet_text(fleet, host, OPT_service);
    char name[OPTION_NAME_MAX + 1];

    for (uint32_t i = 0; there != NULL && option_name_at(there, i, name); i++)
        if (strcmp(name, service) == 0)
            return true;
    return there == NULL;
}

static void add_service(struct survey *s, struct survey_node *n, const struct fleet *fleet, uint32_t host,
                        const char *services, const char *service)
{
    char name[OPTION_NAME_MAX + 260];

    *n = (struct survey_node){.host = host, .good = true, .text = ""};
    if (option_names_count(services) == 1)
        return;
    (void)snprintf(name, sizeof name, "%.256s/%s", fleet->hosts[host].name, service);
    n->service = kept(&s->owned, service);
    n->name = kept(&s->owned, name);
}

static struct survey *survey_new(const struct fleet *fleet, const struct options *o, const uint32_t *nodes,
                                 size_t n_nodes)
{
    struct survey *s = mem_zero(1, sizeof *s);
    char service[OPTION_NAME_MAX + 1];

    s->lbs = mem_zero(fleet->n_lbs, sizeof *s->lbs);
    s->nodes = mem_zero(n_nodes * option_names_count(o->service), sizeof *s->nodes);
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        if (fleet->hosts[i].api_url != NULL)
            s->lbs[s->n_lbs++] = (struct survey_lb){.host = i, .good = true};
    for (size_t i = 0; i < n_nodes; i++)
        for (uint32_t k = 0; option_name_at(o->service, k, service); k++)
            add_service(s, &s->nodes[s->n_nodes++], fleet, nodes[i], o->service, service);
    return s;
}

/* Of the hosts that were not asked. */
static void add_others(struct survey *s, const struct fleet *fleet, const struct options *o, const uint32_t *nodes,
                       size_t n_nodes)
{
    bool *asked = mem_zero(fleet->n_hosts, sizeof *asked);
    char service[OPTION_NAME_MAX + 1];

    for (size_t i = 0; i < n_nodes; i++)
        asked[nodes[i]] = true;
    s->others = mem_zero((fleet->n_hosts - n_nodes) * option_names_count(o->service), sizeof *s->others);
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        for (uint32_t k = 0; !asked[i] && fleet->hosts[i].agent_url != NULL && option_name_at(o->service, k, service);
             k++)
            if (survey_serves(fleet, i, service))
                add_service(s, &s->others[s->n_others++], fleet, i, o->service, service);
    free(asked);
}

static bool any_without_lease(const struct survey *s)
{
    for (uint32_t i = 0; i < s->n_lbs; i++)
        for (uint32_t k = 0; k < s->lbs[i].n_upstreams; k++)
            if (!s->lbs[i].upstreams[k].lease.known)
                return true;
    return false;
}

/* There may have been an earlier run of this very rollout, with another --limit. */
static bool may_go_on(const struct options *o)
{
    return o->rollout_id != NULL &&
           (o->command == COMMAND_ROLL || o->command == COMMAND_RESUME || o->command == COMMAND_ROLLBACK);
}

uint32_t survey_patience_ms(const struct options *o)
{
    return o->request_timeout_ms < SURVEY_PATIENCE_MS ? o->request_timeout_ms : SURVEY_PATIENCE_MS;
}

static struct probe *probes_new(size_t n_lbs, size_t n_nodes)
{
    return mem_zero(n_lbs * 4 + n_nodes * 2, sizeof(struct probe));
}

static void probes_clear(struct surveying *s)
{
    for (uint32_t i = 0; i < s->n_probes; i++)
        free(s->probes[i].url);
    free(s->probes);
    s->n_probes = 0;
}

static bool survey_others(struct surveying *s, const uint32_t *nodes, size_t n_nodes)
{
    add_others(s->survey, s->fleet, s->options, nodes, n_nodes);
    probes_clear(s);
    s->probes = probes_new(0, s->survey->n_others);
    ask_nodes(s, s->survey->n_nodes + s->survey->n_others);
    return collect_all(s);
}

struct survey *survey_make(struct calls *calls, const struct fleet *fleet, const struct options *o,
                           const uint32_t *nodes, size_t n_nodes)
{
    struct surveying s = {.calls = calls, .fleet = fleet, .options = o, .survey = survey_new(fleet, o, nodes, n_nodes)};

    s.probes = probes_new(s.survey->n_lbs, s.survey->n_nodes);
    ask_all(&s);
    if (!collect_all(&s) || ((any_without_lease(s.survey) || may_go_on(o)) && !survey_others(&s, nodes, n_nodes)))
        survey_free(&s.survey);
    probes_clear(&s);
    return s.survey;
}

void survey_free(struct survey **survey)
{
    struct survey *s = *survey;

    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->n_lbs; i++) {
        for (uint32_t u = 0; u < s->lbs[i].n_upstreams; u++)
            free(s->lbs[i].upstreams[u].peers);
        free(s->lbs[i].upstreams);
    }
    for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++) {
        agent_root_clear(&survey_voter(s, i)->root);
        agent_status_clear(&survey_voter(s, i)->status);
    }
    free(s->others);
    free(s->lbs);
    free(s->nodes);
    pool_free(&s->owned);
    free(s);
    *survey = NULL;
}
