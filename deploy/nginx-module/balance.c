#include "balance.h"

#include "workers.h"

struct balance_peer {
    const struct balance *balance;
    struct shared_peer *counted; /* NULL: no peer is held */
    void *data;                  /* what follows is the balancer's own */
    ngx_event_get_peer_pt get;
    ngx_event_free_peer_pt free;
    ngx_event_notify_peer_pt notify;
    ngx_event_set_peer_session_pt set_session;
    ngx_event_save_peer_session_pt save_session;
};

/* Every balancer hands out the address that stands in the peer itself, so its place in memory tells the peer. */
static struct shared_peer *peer_of(const struct view_upstream *upstream, const struct sockaddr *address)
{
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        if (upstream->peers[i].peer->sockaddr == address) {
            return upstream->peers[i].shared;
        }
    }
    return NULL;
}

/* Who looks for requests in flight sees either that we are selecting or that we selected by what is wanted now. */
static void selection_begin(struct view *view)
{
    workers_select_begin();
    while (!view_is_current(view)) {
        workers_select_end();
        view_follow(view);
        workers_select_begin();
    }
}

static ngx_int_t balance_get(ngx_peer_connection_t *pc, void *data)
{
    struct balance_peer *bp = data;

    selection_begin(bp->balance->view);
    ngx_int_t rc = bp->get(pc, bp->data);
    if ((rc == NGX_OK || rc == NGX_DONE) && bp->counted == NULL) {
        bp->counted = peer_of(bp->balance->upstream, pc->sockaddr);
        if (bp->counted != NULL) {
            workers_count(bp->counted, 1);
        }
    }
    workers_select_end();
    return rc;
}

static void balance_free(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    struct balance_peer *bp = data;

    bp->free(pc, bp->data, state);
    if (bp->counted != NULL) {
        workers_count(bp->counted, -1);
        bp->counted = NULL;
    }
}

static void balance_notify(ngx_peer_connection_t *pc, void *data, ngx_uint_t type)
{
    struct balance_peer *bp = data;

    bp->notify(pc, bp->data, type);
}

static ngx_int_t balance_set_session(ngx_peer_connection_t *pc, void *data)
{
    struct balance_peer *bp = data;

    return bp->set_session(pc, bp->data);
}

static void balance_save_session(ngx_peer_connection_t *pc, void *data)
{
    struct balance_peer *bp = data;

    bp->save_session(pc, bp->data);
}

void balance_begin(const struct balance *balance)
{
    view_follow(balance->view);
}

ngx_int_t balance_wrap(const struct balance *balance, ngx_peer_connection_t *pc, ngx_pool_t *pool)
{
    struct balance_peer *bp = ngx_pcalloc(pool, sizeof(*bp));

    if (bp == NULL) {
        return NGX_ERROR;
    }
    bp->balance = balance;
    bp->data = pc->data;
    bp->get = pc->get;
    bp->free = pc->free;
    bp->notify = pc->notify;
    bp->set_session = pc->set_session;
    bp->save_session = pc->save_session;
    pc->data = bp;
    pc->get = balance_get;
    pc->free = balance_free;
    pc->notify = bp->notify != NULL ? balance_notify : NULL;
    pc->set_session = bp->set_session != NULL ? balance_set_session : NULL;
    pc->save_session = bp->save_session != NULL ? balance_save_session : NULL;
    return NGX_OK;
}
