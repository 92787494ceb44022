#include "handler.h"

#include "answer.h"
#include "module.h"
#include "patch.h"
#include "render.h"
#include "state.h"
#include "status.h"
#include "wait.h"
#include "workers.h"

#ifdef NGX_BUILD
#define BUILD_NAME NGX_BUILD
#else
#define BUILD_NAME ""
#endif

static ngx_int_t get_versions(ngx_http_request_t *r)
{
    struct json_out out;

    json_begin(&out, r->pool);
    json_open(&out, '[');
    for (uint64_t version = ROUTE_VERSION_MIN; version <= ROUTE_VERSION_MAX; version++) {
        json_uint(&out, version);
    }
    json_close(&out, ']');
    return answer_json(r, NGX_HTTP_OK, &out);
}

/* What is below a path, by route.def. */
static ngx_int_t get_list(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;
    const char *name;
    enum route below;
    size_t next = 0;

    json_begin(&out, r->pool);
    json_open(&out, '[');
    while ((name = route_below(target->route, target->version, &next, &below)) != NULL) {
        if (below != ROUTE_STREAM || target->stream != NULL) {
            json_text(&out, (const u_char *)name, ngx_strlen(name));
        }
    }
    json_close(&out, ']');
    return answer_json(r, NGX_HTTP_OK, &out);
}

/* Generation and load time are those of the newest configuration, whichever worker answers. */
static ngx_int_t get_nginx(ngx_http_request_t *r, const struct handler_target *target)
{
    struct shared *shared = shared_of(target->view->zone);
    u_char text[NGX_SOCKADDR_STRLEN];
    ngx_str_t address = {sizeof(text), text};
    ngx_time_t *now = ngx_timeofday();
    struct json_out out;

    if (ngx_connection_local_sockaddr(r->connection, &address, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    shared_lock(target->view->zone);
    uint64_t generation = shared->generation;
    time_t load_s = shared->load_s;
    ngx_msec_t load_ms = shared->load_ms;
    shared_unlock(target->view->zone);

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    json_member_word(&out, "version", NGINX_VERSION);
    json_member_word(&out, "build", BUILD_NAME);
    json_member_text(&out, "address", &address);
    json_member_uint(&out, "generation", generation);
    json_key(&out, "load_timestamp");
    json_time(&out, load_s, load_ms);
    json_key(&out, "timestamp");
    json_time(&out, now->sec, now->msec);
    json_member_uint(&out, "pid", (uint64_t)ngx_pid);
    json_member_uint(&out, "ppid", (uint64_t)ngx_parent);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

static ngx_int_t answer_rendered(ngx_http_request_t *r, bool good, const struct json_out *out)
{
    return good ? answer_json(r, NGX_HTTP_OK, out) : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

static ngx_int_t get_upstreams(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;
    bool good = true;

    workers_reap(target->view->zone);
    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    for (ngx_uint_t u = 0; good && u < target->view->upstreams_n; u++) {
        const struct view_upstream *upstream = &target->view->upstreams[u];

        json_text(&out, upstream->source.name.data, upstream->source.name.len);
        json_colon(&out);
        good = render_upstream(&out, target->view, upstream, target->version);
    }
    json_close(&out, '}');
    return answer_rendered(r, good, &out);
}

static ngx_int_t get_upstream(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    workers_reap(target->view->zone);
    handler_json_begin(&out, r, target);
    return answer_rendered(r, render_upstream(&out, target->view, target->upstream, target->version), &out);
}

static ngx_int_t get_servers(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    json_begin(&out, r->pool);
    return answer_rendered(r, render_servers(&out, target->view, target->upstream), &out);
}

static ngx_int_t get_server(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;
    ngx_int_t rc = wait_start(r, target);

    if (rc != NGX_DECLINED) {
        return rc;
    }
    json_begin(&out, r->pool);
    return answer_rendered(r, render_server(&out, target->view, target->upstream, target->server_id), &out);
}

typedef ngx_int_t (*handler_fn)(ngx_http_request_t *r, const struct handler_target *target);

/* What a route is about, as route.def names it. */
static const struct about {
    enum shared_kind kind;
    bool needs_stream, names_upstream;
} API = {SHARED_HTTP, false, false}, STREAM = {SHARED_STREAM, true, false}, HTTP_UPSTREAM = {SHARED_HTTP, false, true},
  STREAM_UPSTREAM = {SHARED_STREAM, true, true};

static const struct {
    const struct about *about;
    enum json_fields fields;
    handler_fn get, patch;
} handlers[] = {
#define ROUTE(name, path, since, about, fields, get, patch) [ROUTE_##name] = {&about, JSON_FIELDS_##fields, get, patch},
#include "route.def"
#undef ROUTE
};

void handler_json_begin(struct json_out *out, ngx_http_request_t *r, const struct handler_target *target)
{
    struct fields fields = fields_find((const char *)r->args.data, r->args.len);

    json_begin(out, r->pool);
    json_choose(out, handlers[target->route].fields, &fields);
}

/* ---- what is asked for */

/* NGX_OK with the target set, or an answer has been given and *rc is what to return. */
static ngx_int_t find_target(ngx_http_request_t *r, const struct route_part stars[2], struct handler_target *target,
                             ngx_int_t *rc)
{
    if (!handlers[target->route].about->names_upstream) {
        return NGX_OK;
    }
    target->upstream = view_find(target->view, stars[0].bytes, stars[0].size_bytes);
    if (target->upstream == NULL) {
        *rc = view_is_static(target->view, stars[0].bytes, stars[0].size_bytes)
                  ? answer_error(r, ERROR_UPSTREAM_STATIC, "upstream is static")
                  : answer_error(r, ERROR_UPSTREAM_NOT_FOUND, "upstream not found");
        return NGX_DECLINED;
    }
    if (stars[1].bytes == NULL) {
        return NGX_OK;
    }
    ngx_int_t id = ngx_atoi((u_char *)stars[1].bytes, stars[1].size_bytes);
    if (id == NGX_ERROR) {
        *rc = answer_error(r, ERROR_SERVER_ID, "invalid server ID");
        return NGX_DECLINED;
    }
    if ((ngx_uint_t)id >= target->upstream->peers_n) {
        *rc = answer_error(r, ERROR_SERVER_NOT_FOUND, "server with ID \"%i\" does not exist", id);
        return NGX_DECLINED;
    }
    target->server_id = (ngx_uint_t)id;
    return NGX_OK;
}

static bool is_of_servers(enum route route)
{
    return route == ROUTE_SERVERS || route == ROUTE_SERVER || route == ROUTE_STREAM_SERVERS ||
           route == ROUTE_STREAM_SERVER;
}

static const char *why_disabled(const ngx_http_request_t *r, enum route route, bool may_patch)
{
    bool takes_patch = route != ROUTE_VERSIONS && handlers[route].patch != NULL;

    switch (r->method) {
    case NGX_HTTP_PATCH:
        return takes_patch ? "the \"api\" directive of this location has write=off, which is the default; "
                             "write=on allows changes"
                           : "PATCH one server, .../upstreams/NAME/servers/ID";
    case NGX_HTTP_POST:
    case NGX_HTTP_DELETE:
        if (is_of_servers(route)) {
            return "the servers of an upstream are fixed when nginx loads its configuration: edit the file and reload; "
                   "to take a server out, PATCH it with {\"down\":true}";
        }
        return r->method == NGX_HTTP_DELETE ? "counters are not reset; compare two reads" : "nothing is added here";
    default:
        return may_patch ? "GET, HEAD and PATCH are served here" : "GET and HEAD are served here";
    }
}

static ngx_int_t answer_method_disabled(ngx_http_request_t *r, enum route route, bool may_patch)
{
    ngx_table_elt_t *allow = ngx_list_push(&r->headers_out.headers);

    if (allow == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    *allow = (ngx_table_elt_t){.hash = 1};
    ngx_str_set(&allow->key, "Allow");
    if (may_patch) {
        ngx_str_set(&allow->value, "GET, HEAD, PATCH");
    } else {
        ngx_str_set(&allow->value, "GET, HEAD");
    }
    return answer_error(r, ERROR_METHOD, "method disabled: %s", why_disabled(r, route, may_patch));
}

static handler_fn choose(ngx_http_request_t *r, enum route route, bool may_patch)
{
    if (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) {
        return handlers[route].get;
    }
    return r->method == NGX_HTTP_PATCH && may_patch ? handlers[route].patch : NULL;
}

static ngx_int_t run_route(ngx_http_request_t *r, enum route route, unsigned version, const struct route_part stars[2])
{
    struct api_main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_upstream_api_module);
    struct api_location_conf *location = ngx_http_get_module_loc_conf(r, ngx_http_upstream_api_module);
    const struct about *about = handlers[route].about;
    const struct view *stream = &main->views[SHARED_STREAM];
    struct handler_target target = {.route = route,
                                    .version = version,
                                    .star = stars[0],
                                    .stream = stream->sources != NULL ? stream : NULL,
                                    .view = &main->views[about->kind]};
    bool may_patch = location->write && handlers[route].patch != NULL;
    handler_fn run = choose(r, route, may_patch);
    ngx_int_t rc;

    if (about->needs_stream && target.stream == NULL) {
        return answer_error(r, ERROR_UNKNOWN_PATH, "path not found");
    }
    if (run == NULL) {
        return answer_method_disabled(r, route, may_patch);
    }
    if (find_target(r, stars, &target, &rc) != NGX_OK) {
        return rc;
    }
    state_look(target.view->zone);
    view_follow(target.view);
    return run(r, &target);
}

ngx_int_t handler_run(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    struct route_part stars[2] = {{NULL, 0}, {NULL, 0}};

    /* `rewrite ... break` leaves its location's handler with a path of somewhere else. */
    if (r->uri.len < core->name.len || ngx_memcmp(r->uri.data, core->name.data, core->name.len) != 0) {
        return answer_error(r, ERROR_UNKNOWN_PATH, "path not found: it was rewritten to one outside of this location");
    }
    const char *path = (const char *)r->uri.data + core->name.len;
    size_t size_bytes = r->uri.len - core->name.len;
    unsigned version = 0;

    /* `location /api` is asked for /apis, too. */
    if (size_bytes > 0 && path[0] != '/' && core->name.data[core->name.len - 1] != '/') {
        return answer_error(r, ERROR_UNKNOWN_PATH, "path not found");
    }
    enum route route = route_find(path, size_bytes, stars, &version);
    switch (route) {
    case ROUTE_VERSIONS:
        return r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD) ? get_versions(r) : answer_method_disabled(r, route, false);
    case ROUTE_UNKNOWN_VERSION:
        return answer_error(r, ERROR_UNKNOWN_VERSION, "unknown version");
    case ROUTE_UNKNOWN_PATH:
        return answer_error(r, ERROR_UNKNOWN_PATH, "path not found");
    default:
        return run_route(r, route, version, stars);
    }
}
