/* balance_hot.h - what each request goes through around its selection of a peer. Inline, since it is in the way of
 * every one; what is rare stands in balance.c. */
#ifndef API_BALANCE_HOT_H
#define API_BALANCE_HOT_H

#include "balance.h"
#include "workers.h"

static inline uint64_t balance_utc_ms(void)
{
    const ngx_time_t *now = ngx_timeofday();

    return (uint64_t)now->sec * 1000 + now->msec;
}

/* Who looks for requests in flight sees either that we are selecting or that we selected by what is wanted now. */
static inline void balance_select_begin(const struct balance *balance)
{
    workers_select_begin();
    if (!view_is_current(balance->view)) {
        balance_catch_up(balance);
    }
}

/* Behind the balancer's own get. Whatever that said: nginx gives a peer back if it finds an address in `pc`, and puts
 * none there itself. Returns the peer that has been counted, or NULL. */
static inline const struct view_peer *balance_selected(const struct balance *balance, const ngx_peer_connection_t *pc)
{
    const struct view_peer *entry = pc->sockaddr != NULL ? view_peer_at(balance->upstream, pc->sockaddr) : NULL;

    if (entry == NULL || entry->shared == NULL) {
        workers_select_end();
        return NULL;
    }
    workers_count(entry->shared, 1);
    counts_selected(&entry->shared->counts, balance_utc_ms());
    workers_select_end();
    if (entry->peer->fails != 0 && entry->peer->fails >= entry->peer->max_fails) {
        balance_note_try(balance, entry);
    }
    return entry;
}

/* Before the balancer's own free. */
static inline void balance_attempted(const struct balance *balance, const struct view_peer *entry,
                                     const struct attempt *attempt, ngx_uint_t state)
{
    counts_ended(&entry->shared->counts, attempt, (state & NGX_PEER_FAILED) != 0);
    if (attempt->status != 0) {
        __atomic_fetch_add(shared_answers(balance->view->zone, entry->shared, attempt->status), 1, __ATOMIC_RELAXED);
    }
}

/* Behind it. At a peer that is quiet, all has been counted. */
static inline void balance_freed(const struct balance *balance, const struct view_peer *entry, ngx_uint_t state)
{
    if (state & NGX_PEER_FAILED) {
        balance_note_failure(balance, entry);
    } else if (entry->shared->counts.outage.given_up) {
        balance_note_success(balance, entry);
    }
    workers_count(entry->shared, -1);
}

#endif
