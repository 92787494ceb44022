/* handler.h - from a request to its answer: version, path, method, upstream, server, in that order. */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include "json_out.h"
#include "route.h"
#include "view.h"

/* What a request is about; the later members are set where its route has them. */
struct handler_target {
    enum route route;
    unsigned version;          /* of the API */
    struct route_part star;    /* the first * of the path */
    const struct view *stream; /* NULL: there is no stream block */
    struct view *view;
    struct view_upstream *upstream;
    ngx_uint_t server_id;
};

/* Instead of json_begin, in a GET that ?fields= may shorten. */
void handler_json_begin(struct json_out *out, ngx_http_request_t *r, const struct handler_target *target);

/* The content handler of an `api` location. */
ngx_int_t handler_run(ngx_http_request_t *r);

#endif
