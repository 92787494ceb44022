/* http_upstreams.h - the upstreams of the http block: found in nginx's configuration, each with our place in its
 * balancer. stream/ has the same for the stream block. */
#ifndef API_HTTP_UPSTREAMS_H
#define API_HTTP_UPSTREAMS_H

#include "view.h"

/* nginx's create_srv_conf. */
void *http_upstreams_create_conf(ngx_conf_t *cf);

/* In init_module, when every balancer is in place: builds the view and wraps the balancers. */
ngx_int_t http_upstreams_build(struct view *view, ngx_cycle_t *cycle);

#endif
