#include "balance_hot.h"

struct balance_peer {
    const struct balance *balance;
    const struct view_peer *held; /* NULL: no peer is, or one that has no entry in the shared zone */
    void *ctx;                    /* of the one who asked for our place */
    void *data;                   /* what follows is the balancer's own */
    ngx_event_get_peer_pt get;
    ngx_event_free_peer_pt free;
    ngx_event_notify_peer_pt notify;
    ngx_event_set_peer_session_pt set_session;
    ngx_event_save_peer_session_pt save_session;
};

/* Within a selection. */
void balance_catch_up(const struct balance *balance)
{
    do {
        workers_select_end();
        view_follow(balance->view);
        workers_select_begin();
    } while (!view_is_current(balance->view));
}

/* ---- when nginx gives up on a peer. That is told by its own words of it, read without its lock: of two failures at
 * the same moment either may see the other's. */

static bool is_given_up(const struct view_peer *entry)
{
    return view_is_unavail(entry, ngx_time());
}

/* After a reload the new workers judge anew, and what old ones think no longer decides where requests go. */
static bool judges(const struct view *view)
{
    return view->generation == shared_of(view->zone)->generation;
}

void balance_note_try(const struct balance *balance, const struct view_peer *entry)
{
    const struct view *view = balance->view;
    struct outage *outage = &entry->shared->counts.outage;

    if (!outage->given_up || !judges(view)) {
        return;
    }
    shared_lock(view->zone);
    uint64_t now_ms = view_now_ms();
    outage_try(outage, now_ms, view_unavail_until_ms(entry, now_ms));
    shared_unlock(view->zone);
}

void balance_note_failure(const struct balance *balance, const struct view_peer *entry)
{
    const struct view *view = balance->view;
    if (!is_given_up(entry) || !judges(view)) {
        return;
    }
    shared_lock(view->zone);
    uint64_t now_ms = view_now_ms();
    outage_fail(&entry->shared->counts.outage, now_ms, balance_utc_ms(), view_unavail_until_ms(entry, now_ms));
    shared_unlock(view->zone);
}

void balance_note_success(const struct balance *balance, const struct view_peer *entry)
{
    const struct view *view = balance->view;
    if (entry->peer->fails >= entry->peer->max_fails || !judges(view)) {
        return;
    }
    shared_lock(view->zone);
    outage_end(&entry->shared->counts.outage, view_now_ms());
    shared_unlock(view->zone);
}

/* ---- around the balancer's own */

static ngx_int_t balance_get(ngx_peer_connection_t *pc, void *data)
{
    struct balance_peer *bp = data;

    balance_select_begin(bp->balance);
    ngx_int_t rc = bp->get(pc, bp->data);
    bp->held = balance_selected(bp->balance, pc);
    return rc;
}

static void balance_free(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    struct balance_peer *bp = data;
    const struct view_peer *held = bp->held;
    struct attempt attempt;

    if (held != NULL) {
        bp->balance->attempt(bp->ctx, &attempt);
        balance_attempted(bp->balance, held, &attempt, state);
    }
    bp->free(pc, bp->data, state);
    if (held != NULL) {
        bp->held = NULL;
        balance_freed(bp->balance, held, state);
    }
}

static void balance_notify(ngx_peer_connection_t *pc, void *data, ngx_uint_t type)
{
    struct balance_peer *bp = data;

    bp->notify(pc, bp->data, type);
    if (bp->held != NULL && bp->held->shared->counts.outage.given_up) {
        balance_note_success(bp->balance, bp->held); /* a connection that has come about is enough for stream */
    }
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

ngx_int_t balance_wrap(const struct balance *balance, ngx_peer_connection_t *pc, ngx_pool_t *pool, void *ctx)
{
    struct balance_peer *bp = ngx_palloc(pool, sizeof(*bp));

    if (bp == NULL) {
        return NGX_ERROR;
    }
    *bp = (struct balance_peer){
        .balance = balance,
        .ctx = ctx,
        .data = pc->data,
        .get = pc->get,
        .free = pc->free,
        .notify = pc->notify,
        .set_session = pc->set_session,
        .save_session = pc->save_session,
    };
    pc->data = bp;
    pc->get = balance_get;
    pc->free = balance_free;
    if (bp->notify != NULL) {
        pc->notify = balance_notify;
    }
    if (bp->set_session != NULL) {
        pc->set_session = balance_set_session;
    }
    if (bp->save_session != NULL) {
        pc->save_session = balance_save_session;
    }
    return NGX_OK;
}
