/* lb_view.h - what the load balancers showed last of the plan's upstreams and peers. */
#ifndef CONTROLLER_LB_VIEW_H
#define CONTROLLER_LB_VIEW_H

#include "lb_known.h"
#include "lb_list.h"
#include "lb_meter.h"
#include "plan.h"

#define LB_NO_ID UINT64_MAX

/* A server that the latest list showed as taken out, the plan's or not. */
struct lb_closed {
    uint32_t upstream;
    bool down; /* else draining */
    char *server;
};

/* Arrays over the whole plan; the rows of one load balancer are written at a time. */
struct lb_view {
    struct seen_upstream *upstreams; /* n_upstreams */
    struct seen_peer *peers;         /* n_peers */
    uint64_t *ids;                   /* n_peers: nginx's id of it in the latest list; LB_NO_ID = not there, or twice */
    uint64_t *first_ids;             /* n_upstreams: of any server in it, for the lease; LB_NO_ID = empty */
    bool *exact;                     /* n_upstreams: its `active` is right over reloads (our module) */
    uint32_t *order;                 /* n_peers, sorted by upstream and server: how a row is found */
    struct lb_closed *closed;        /* n_closed */
    uint32_t n_closed, closed_cap;
    bool *elsewhere; /* n_peers: its server was so in the first list already, and is meant so; see seen_peer */
    bool *read_once; /* n_lbs: a list of it has been read whole */
    struct lb_known *known;
    struct lb_meter *meter;  /* NULL where the plan has no gate */
    const struct plan *plan; /* borrowed */
};
struct lb_view *lb_view_new(const struct plan *);
void lb_view_free(struct lb_view **);

/* Forget what `lb` showed: its peers are PEER_UNKNOWN, its upstreams not there. */
void lb_view_forget(struct lb_view *, uint16_t lb);

/* Fill in the rows of `lb` from its list; a peer is the one with the plan's address (addr_same), and PEER_UNKNOWN where
 * the upstream lists that address twice. False: the rows of `lb` are forgotten. */
bool lb_view_fill(struct lb_view *, uint16_t lb, const char *body, size_t size, struct err *);

/* `active` counts requests of old workers too, in all of the plan's upstreams at `lb`. */
bool lb_view_active_exact(const struct lb_view *, uint16_t lb);

/* What the latest list showed of any server of a plan's upstream: PEER_DOWN, PEER_DRAINING, else PEER_UP. */
enum peer_state lb_view_was(const struct lb_view *, uint32_t upstream, const char *server);

#endif
