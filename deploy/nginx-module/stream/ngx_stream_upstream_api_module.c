/* The upstreams of the stream block, for the API that the http module serves: a view of them, and our place in their
 * balancers. All else is the http module's (../core.h), which must be loaded first; so must nginx's stream module. */
#include "core.h"
#include "layout.h"

#pragma weak ngx_http_upstream_api_core /* where it is not loaded, a sentence and not the linker's complaint */

extern ngx_module_t ngx_stream_upstream_api_module;

/* The module's configuration of an upstream. */
struct stream_balance {
    struct balance balance;
    ngx_stream_upstream_init_peer_pt init; /* of the upstream's own balancer */
};

static void *create_upstream_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct stream_balance));
}

static ngx_int_t check_core(ngx_conf_t *cf)
{
    if (&ngx_http_upstream_api_core == NULL) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "ngx_stream_upstream_api_module.so works with ngx_http_upstream_api_module.so only: load that "
            "one before it");
        return NGX_ERROR;
    }
    if (ngx_http_upstream_api_core.abi != API_CORE_ABI) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "ngx_stream_upstream_api_module.so is not of the same build as "
                           "ngx_http_upstream_api_module.so: install both together");
        return NGX_ERROR;
    }
    return NGX_OK;
}

static struct stream_balance *balance_of(ngx_stream_upstream_srv_conf_t *conf)
{
    return ngx_stream_conf_upstream_srv_conf(conf, ngx_stream_upstream_api_module);
}

static int64_t time_of(ngx_msec_t ms)
{
    return ms != (ngx_msec_t)-1 ? (int64_t)ms : -1;
}

/* What nginx has counted of a connection by the time that it gives the peer back. */
static void attempt_of(void *ctx, struct attempt *attempt)
{
    const ngx_stream_session_t *s = ctx;
    const ngx_stream_upstream_state_t *state = s->upstream->state;

    *attempt = (struct attempt){
        .sent_bytes = (uint64_t)state->bytes_sent,
        .received_bytes = (uint64_t)state->bytes_received,
        .time_ms = {[COUNTS_CONNECT] = time_of(state->connect_time),
                    [COUNTS_FIRST] = time_of(state->first_byte_time),
                    [COUNTS_RESPONSE] = time_of(state->response_time)},
    };
}

static ngx_int_t init_peer(ngx_stream_session_t *s, ngx_stream_upstream_srv_conf_t *conf)
{
    const struct stream_balance *sb = balance_of(conf);

    ngx_http_upstream_api_core.balance_begin(&sb->balance);
    if (sb->init(s, conf) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_http_upstream_api_core.balance_wrap(&sb->balance, &s->upstream->peer, s->connection->pool, s);
}

/* Only an `upstream` block with a `zone` has something that can be changed. */
static struct view_source source_of(ngx_stream_upstream_srv_conf_t *conf, const ngx_cycle_t *cycle)
{
    struct view_source source = {.name = conf->host};
    struct stream_balance *sb;

    if (conf->srv_conf == NULL || conf->shm_zone == NULL) {
        return source;
    }
    sb = balance_of(conf);
    sb->init = conf->peer.init;
    conf->peer.init = init_peer;
    source.zone = conf->shm_zone->shm.name;
    source.groups = conf->peer.data;
    source.balance = &sb->balance;
    sb->balance.attempt = attempt_of;
    ngx_http_upstream_api_core.weights_look(&source, cycle, "stream", conf->srv_conf);
    return source;
}

static ngx_int_t build(struct view *view, ngx_stream_upstream_main_conf_t *main, ngx_cycle_t *cycle)
{
    ngx_stream_upstream_srv_conf_t **confs = main->upstreams.elts;
    struct view_source *sources = ngx_pcalloc(cycle->pool, (main->upstreams.nelts + 1) * sizeof(sources[0]));

    if (sources == NULL) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < main->upstreams.nelts; i++) {
        sources[i] = source_of(confs[i], cycle);
    }
    return ngx_http_upstream_api_core.view_build(view, sources, main->upstreams.nelts, cycle);
}

/* After the http module's: modules are asked in the order in which they were loaded. Runs under `nginx -t` too: touches
 * nothing but memory. */
static ngx_int_t init_module(ngx_cycle_t *cycle)
{
    ngx_stream_upstream_main_conf_t *main = ngx_stream_cycle_get_module_main_conf(cycle, ngx_stream_upstream_module);
    struct view *view = main != NULL ? ngx_http_upstream_api_core.view(cycle, SHARED_STREAM) : NULL;

    return view != NULL ? build(view, main, cycle) : NGX_OK;
}

static ngx_stream_module_t hooks = {
    .preconfiguration = check_core,
    .create_srv_conf = create_upstream_conf,
};

ngx_module_t ngx_stream_upstream_api_module = {
    NGX_MODULE_V1,
    &hooks,
    NULL, /* commands */
    NGX_STREAM_MODULE,
    NULL, /* init_master */
    init_module,
    NULL, /* init_process */
    NULL, /* init_thread */
    NULL, /* exit_thread */
    NULL, /* exit_process */
    NULL, /* exit_master */
    NGX_MODULE_V1_PADDING,
};
