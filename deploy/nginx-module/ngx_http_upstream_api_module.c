/* Configuration and life cycle: the directives `api [write=on|off] [min_up=N]` and `api_state FILE`, the zone, and the
 * hooks at load and worker start.
 */
#include "handler.h"
#include "http_upstreams.h"
#include "min_up.h"
#include "module.h"
#include "state.h"
#include "workers.h"

static void *create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct api_main_conf));
}

static void *create_location_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct api_location_conf));
}

static bool read_option(struct api_location_conf *conf, const ngx_str_t *word)
{
    static const ngx_str_t min_up = ngx_string("min_up=");

    if (ngx_strncmp(word->data, min_up.data, min_up.len) == 0) {
        ngx_str_t number = {word->len - min_up.len, word->data + min_up.len};

        return min_up_parse(&number, &conf->min_up);
    }
    conf->write = ngx_strcmp(word->data, "write=on") == 0;
    return conf->write || ngx_strcmp(word->data, "write=off") == 0;
}

static char *set_api(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct api_main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_api_module);
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    struct api_location_conf *location = conf;
    ngx_str_t *words = cf->args->elts;
    ngx_str_t request_id = ngx_string("request_id");

    (void)command;
    if (location->enabled) {
        return "is duplicate";
    }
#if (NGX_PCRE)
    if (core->regex != NULL) {
        return "needs a prefix location: what follows the prefix is the path in the API";
    }
#endif
    if (core->named) {
        return "needs a prefix location: what follows the prefix is the path in the API";
    }
    location->enabled = 1;
    core->handler = handler_run;
    if (main->zone == NULL) {
        main->zone = shared_zone_add(cf);
        main->request_id = ngx_http_get_variable_index(cf, &request_id);
        if (main->zone == NULL || main->request_id == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        if (!read_option(location, &words[i])) {
            ngx_conf_log_error(
                NGX_LOG_EMERG, cf, 0,
                "invalid parameter \"%V\": \"api\" takes write=on or write=off, and min_up=0 to min_up=%d", &words[i],
                MIN_UP_MAX);
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

/* `limit_except` and `if` are nameless locations of their own within ours: the API goes on in them. nginx asks the
 * former for its handler anew. */
static char *merge_location_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    const struct api_location_conf *outer = parent;
    struct api_location_conf *inner = child;

    if (core->noname && !inner->enabled && outer->enabled) {
        *inner = *outer;
        if (core->lmt_excpt && core->handler == NULL) {
            core->handler = handler_run;
        }
    }
    return NGX_CONF_OK;
}

/* Runs under `nginx -t` too: writes nothing but memory. */
static ngx_int_t init_module(ngx_cycle_t *cycle)
{
    struct api_main_conf *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_upstream_api_module);

    if (main == NULL || main->zone == NULL) {
        return NGX_OK;
    }
    for (enum shared_kind kind = 0; kind < SHARED_KINDS; kind++) {
        main->views[kind].kind = kind;
        main->views[kind].zone = main->zone;
        main->views[kind].state_kept = main->state_path.len != 0;
    }
    state_load(main->zone, &main->state_path, cycle);
    view_generation_begin(main->zone, cycle);
    return http_upstreams_build(&main->views[SHARED_HTTP], cycle);
}

static struct api_main_conf *conf_in_worker(ngx_cycle_t *cycle)
{
    struct api_main_conf *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_upstream_api_module);
    bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;

    return serves && main != NULL && main->zone != NULL ? main : NULL;
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    struct api_main_conf *main = conf_in_worker(cycle);

    if (main != NULL) {
        workers_reap(main->zone);
        workers_join(main->zone, main->views[SHARED_HTTP].generation);
        for (enum shared_kind kind = 0; kind < SHARED_KINDS && ngx_process == NGX_PROCESS_WORKER; kind++) {
            view_mend(&main->views[kind]);
        }
        state_begin(main->zone, main->views[SHARED_HTTP].generation);
    }
    return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    struct api_main_conf *main = conf_in_worker(cycle);

    if (main != NULL) {
        workers_leave(main->zone);
    }
}

static ngx_command_t commands[] = {
    {ngx_string("api"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE12, set_api, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},
    {ngx_string("api_state"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, state_set_path, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct api_main_conf, state_path), NULL},
    ngx_null_command,
};

static ngx_http_module_t hooks = {
    .create_main_conf = create_main_conf,
    .create_srv_conf = http_upstreams_create_conf,
    .create_loc_conf = create_location_conf,
    .merge_loc_conf = merge_location_conf,
};

ngx_module_t ngx_http_upstream_api_module = {
    NGX_MODULE_V1,
    &hooks,
    commands,
    NGX_HTTP_MODULE,
    NULL, /* init_master */
    init_module,
    init_process,
    NULL, /* init_thread */
    NULL, /* exit_thread */
    exit_process,
    NULL, /* exit_master */
    NGX_MODULE_V1_PADDING,
};
