/* status.h - what clients of NGINX Plus read beside upstreams, in answer to GETs of route.def.
 *
 * Connections, requests and slabs are nginx's own numbers. What free nginx does not have (zones of servers, key-value
 * pairs, ...) is empty, and what it does not count (respawned processes, TLS handshakes) is 0. */
#ifndef API_STATUS_H
#define API_STATUS_H

#include "handler.h"

ngx_int_t status_get_processes(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_connections(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_requests(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_ssl(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_zone_sync(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_workers(ngx_http_request_t *r,
                             const struct handler_target *target); /* none: they are not counted */

/* Of every shared memory zone, those of other modules and of stream too. */
ngx_int_t status_get_slabs(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_get_slab(ngx_http_request_t *r, const struct handler_target *target);

/* A map without elements, and the error where one of them is asked for. */
ngx_int_t status_get_empty(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_server_zone(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_location_zone(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_cache(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_limit_conn(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_limit_req(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_keyval(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_resolver_zone(ngx_http_request_t *r, const struct handler_target *target);
ngx_int_t status_no_worker(ngx_http_request_t *r, const struct handler_target *target);

#endif
