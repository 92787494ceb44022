#include "http_upstreams.h"

#include "balance.h"
#include "module.h"
#include "weights.h"

/* A part of the module's configuration of an upstream. */
struct http_balance {
    struct balance balance;
    ngx_http_upstream_init_peer_pt init; /* of the upstream's own balancer */
};

void *http_upstreams_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct http_balance));
}

static struct http_balance *balance_of(ngx_http_upstream_srv_conf_t *conf)
{
    return ngx_http_conf_upstream_srv_conf(conf, ngx_http_upstream_api_module);
}

/* Not that of a connection that was handed over to something else, nor of one that was cut. */
static bool has_whole_answer(const ngx_http_request_t *r, const ngx_http_upstream_t *u)
{
    if (u->cleanup != NULL || u->upgrade) { /* it is not the end of the request; a tunnel */
        return false;
    }
    if (r->header_only) {
        return true;
    }
    if (u->buffering) {
        return u->pipe != NULL && (u->pipe->upstream_done || (u->pipe->upstream_eof && u->pipe->length == -1));
    }
    return u->length == 0 || (u->length == -1 && u->peer.connection != NULL && u->peer.connection->read->eof);
}

/* nginx has filled in the state by then, but for its `status`, where it goes on to the next peer: that is still what
 * the peer itself said. A status line without the end of its head is no answer. */
static void attempt_of(void *ctx, struct attempt *attempt)
{
    const ngx_http_request_t *r = ctx;
    const ngx_http_upstream_t *u = r->upstream;
    const ngx_http_upstream_state_t *state = u->state;

    *attempt = (struct attempt){
        .sent_bytes = (uint64_t)state->bytes_sent,
        .received_bytes = (uint64_t)state->bytes_received,
        .time_ms = {[COUNTS_CONNECT] = -1, [COUNTS_FIRST] = (ngx_msec_int_t)state->header_time, [COUNTS_RESPONSE] = -1},
    };
    if (state->header_time != (ngx_msec_t)-1) {
        attempt->status = (unsigned)state->status;
        if (has_whole_answer(r, u)) {
            attempt->time_ms[COUNTS_RESPONSE] = (ngx_msec_int_t)state->response_time;
        }
    }
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *conf)
{
    const struct http_balance *hb = balance_of(conf);

    balance_begin(&hb->balance);
    if (hb->init(r, conf) != NGX_OK) {
        return NGX_ERROR;
    }
    return balance_wrap(&hb->balance, &r->upstream->peer, r->pool, r);
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
