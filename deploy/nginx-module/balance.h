/* balance.h - our place in nginx's selection of a peer: around whatever balancer the upstream has, of http or of
 * stream.
 *
 * Before a selection we follow changes made by workers of other generations; after it we count the request at its peer
 * until it is given back. Each selection is one attempt, and has one end: nginx gives the peer back once, whether it
 * tries another one, has the whole answer, or the client has gone. */
#ifndef API_BALANCE_H
#define API_BALANCE_H

#include "view.h"

/* What came of an attempt, asked for when the peer is given back, before the balancer hears of it. `ctx` is that of
 * balance_wrap; nginx's own record of the attempt still stands as the upstream left it. Sets every member
 * of *attempt. */
typedef void balance_attempt_fn(void *ctx, struct attempt *attempt);

/* One upstream's, for the life of its configuration. */
struct balance {
    struct view *view;
    const struct view_upstream *upstream;
    balance_attempt_fn *attempt;
};

/* The rare parts of balance_hot.h. Within a selection: follows what has changed. Outside: the peer was given up on and
 * is tried again; an attempt has failed; one has not, and it was given up on. */
__attribute__((cold)) void balance_catch_up(const struct balance *balance);
__attribute__((cold)) void balance_note_try(const struct balance *balance, const struct view_peer *entry);
__attribute__((cold)) void balance_note_failure(const struct balance *balance, const struct view_peer *entry);
__attribute__((cold)) void balance_note_success(const struct balance *balance, const struct view_peer *entry);

/* First in a peer.init of ours, before the balancer's own looks at how many tries there are. */
void balance_begin(const struct balance *balance);

/* Last in it: puts itself around what the balancer has put into `pc`. Memory from the pool of the request or session,
 * which is `ctx`. */
ngx_int_t balance_wrap(const struct balance *balance, ngx_peer_connection_t *pc, ngx_pool_t *pool, void *ctx);

#endif
