#include "http_upstreams.h"

#include "balance_hot.h"
#include "module.h"
#include "weights.h"

/* A part of the module's configuration of an upstream. */
struct http_balance {
    struct balance balance;
    ngx_http_upstream_init_peer_pt init; /* these are of the upstream's own balancer */
    ngx_event_get_peer_pt get;           /* NULL before its first request in this process */
    ngx_event_free_peer_pt free;
};

void *http_upstreams_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct http_balance));
}

static inline struct http_balance *balance_of(ngx_http_upstream_srv_conf_t *conf)
{
    return ngx_http_conf_upstream_srv_conf(conf, ngx_http_upstream_api_module);
}

/* Not that of a connection that was handed over to something else, nor of one that was cut. */
static inline bool has_whole_answer(const ngx_http_upstream_t *u)
{
    const ngx_event_pipe_t *pipe = u->pipe;

    if (u->cleanup != NULL || u->upgrade) { /* it is not the end of the request; a tunnel */
        return false;
    }
    if (!u->buffering) {
        return u->length == 0 || (u->length == -1 && u->peer.connection != NULL && u->peer.connection->read->eof);
    }
    if (pipe->upstream == NULL) {
        return u->header_sent; /* and no body was wanted */
    }
    return pipe->upstream_done || (pipe->upstream_eof && pipe->length == -1);
}

/* nginx has filled in the state by then, but for its `status`, where it goes on to the next peer: that is still what
 * the peer itself said. A status line without the end of its head is no answer. */
static inline struct attempt attempt_read(const ngx_http_upstream_t *u)
{
    const ngx_http_upstream_state_t *state = u->state;
    bool answered = state->header_time != (ngx_msec_t)-1;

    return (struct attempt){
        .sent_bytes = (uint64_t)state->bytes_sent,
        .received_bytes = (uint64_t)state->bytes_received,
        .status = answered ? (unsigned)state->status : 0,
        .time_ms = {[COUNTS_CONNECT] = -1,
                    [COUNTS_FIRST] = (ngx_msec_int_t)state->header_time,
                    [COUNTS_RESPONSE] = answered && has_whole_answer(u) ? (ngx_msec_int_t)state->response_time : -1},
    };
}

static void attempt_of(void *ctx, struct attempt *attempt)
{
    const ngx_http_request_t *r = ctx;

    *attempt = attempt_read(r->upstream);
}

/* ---- our place without memory for each request: the functions of most balancers are the same each time, and what they
 * are given leads to the upstream. Ours leave their data where it is. */

static inline ngx_http_upstream_t *upstream_of(ngx_peer_connection_t *pc)
{
    return (ngx_http_upstream_t *)(void *)((u_char *)pc - offsetof(ngx_http_upstream_t, peer));
}

static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data)
{
    const struct http_balance *hb = balance_of(upstream_of(pc)->upstream);

    balance_select_begin(&hb->balance);
    ngx_int_t rc = hb->get(pc, data);
    (void)balance_selected(&hb->balance, pc);
    return rc;
}

static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    ngx_http_upstream_t *u = upstream_of(pc);
    const struct http_balance *hb = balance_of(u->upstream);
    const struct view_peer *entry = view_peer_at(hb->balance.upstream, pc->sockaddr);

    if (entry == NULL || entry->shared == NULL) {
        hb->free(pc, data, state);
        return;
    }
    struct attempt attempt = attempt_read(u);
    balance_attempted(&hb->balance, entry, &attempt, state);
    hb->free(pc, data, state);
    balance_freed(&hb->balance, entry, state);
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *conf)
{
    struct http_balance *hb = balance_of(conf);
    ngx_peer_connection_t *pc = &r->upstream->peer;

    if (!view_is_current(hb->balance.view)) {
        balance_begin(&hb->balance);
    }
    if (hb->init(r, conf) != NGX_OK) {
        return NGX_ERROR;
    }
    if (hb->get == NULL) {
        hb->get = pc->get;
        hb->free = pc->free;
    }
    if (pc->get != hb->get || pc->free != hb->free || r->upstream->upstream != conf) {
        return balance_wrap(&hb->balance, pc, r->pool, r);
    }
    pc->get = get_peer;
    pc->free = free_peer;
    return NGX_OK;
}

/* Only an `upstream` block with a `zone` has something that can be changed. */
static struct view_source source_of(ngx_http_upstream_srv_conf_t *conf, const ngx_cycle_t *cycle)
{
    struct view_source source = {.name = conf->host};
    struct http_balance *hb;

    if (conf->srv_conf == NULL || conf->shm_zone == NULL) {
        return source;
    }
    hb = balance_of(conf);
    hb->init = conf->peer.init;
    conf->peer.init = init_peer;
    source.zone = conf->shm_zone->shm.name;
    source.groups = conf->peer.data;
    source.balance = &hb->balance;
    hb->balance.attempt = attempt_of;
    weights_look(&source, cycle, "http", conf->srv_conf);
    return source;
}

ngx_int_t http_upstreams_build(struct view *view, ngx_cycle_t *cycle)
{
    ngx_http_upstream_main_conf_t *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_upstream_module);
    ngx_http_upstream_srv_conf_t **confs = main->upstreams.elts;
    struct view_source *sources = ngx_pcalloc(cycle->pool, (main->upstreams.nelts + 1) * sizeof(sources[0]));

    if (sources == NULL) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < main->upstreams.nelts; i++) {
        sources[i] = source_of(confs[i], cycle);
    }
    return view_build(view, sources, main->upstreams.nelts, cycle);
}
