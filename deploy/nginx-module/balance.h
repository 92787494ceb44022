/* balance.h - our place in nginx's selection of a peer: around whatever balancer the upstream has.
 *
 * Before a selection we follow changes made by workers of other generations; after it we count the request at its peer
 * until it is given back. */
#ifndef API_BALANCE_H
#define API_BALANCE_H

#include "view.h"

/* A part of the module's configuration of an upstream. */
struct balance {
    ngx_http_upstream_init_peer_pt init; /* of the upstream's own balancer */
    struct view *view;
    struct view_upstream *upstream; /* set once the view is built */
};

/* In postconfiguration, when every balancer is in place. */
void balance_wrap(struct balance *balance, ngx_http_upstream_srv_conf_t *conf);

#endif
