/* handler.h - from a request to its answer: version, path, method, upstream, server, in that order. */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include "route.h"
#include "view.h"

/* What a request is about; the later members are set where its route has them. */
struct handler_target {
    unsigned version; /* of the API */
    struct view *view;
    struct view_upstream *upstream;
    ngx_uint_t server_id;
};

/* The content handler of an `api` location. */
ngx_int_t handler_run(ngx_http_request_t *r);

#endif
