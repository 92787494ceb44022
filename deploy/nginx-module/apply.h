/* apply.h - what is wanted of the peers, brought into nginx's own. */
#ifndef API_APPLY_H
#define API_APPLY_H

#include "view.h"

#define APPLY_AGAIN_MS 1000 /* from a lock that was not to be had to the next wait for it */

/* Under the lock of the shared zone. By value, so that any number of workers may do the same. locked: the group that
 * the caller has got by apply_lock, or NULL. False: weights of some upstream are not as wanted, since its lock was not
 * to be had; all else is. */
bool apply_view(const struct view *view, const ngx_http_upstream_rr_peers_t *locked);

/* The peers' rwlock, for a change of weights; ngx_rwlock_unlock gives it back. nginx's own wait for it has no end where
 * a worker was killed with it: this one ends, after some milliseconds or, not patient, at once. */
bool apply_lock(ngx_http_upstream_rr_peers_t *group, bool patient);

/* Under the lock. What a killed worker had at a peer stays in nginx's own count of it, which keeps to max_conns and is
 * what least_conn goes by: takes it out of the peers of the view. False: not now, since a worker selects. */
bool apply_conns(const struct view *view);

/* Once a process and upstream. */
void apply_log_stuck(struct view_upstream *upstream);

#endif
