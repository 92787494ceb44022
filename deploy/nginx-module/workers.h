/* workers.h - which processes hold requests: each worker counts its own, by peer, in shared memory.
 *
 * nginx's peer->conns starts at 0 after a reload, while old workers go on with what they have, and a killed worker's
 * share of it never goes away. So the number of a peer is the sum over all living workers, of every generation, of what
 * each counted itself; a dead one's connections are closed and its count goes with it. */
#ifndef API_WORKERS_H
#define API_WORKERS_H

#include <stdbool.h>

#include "shared.h"

/* In the master, at the first load of the module: processes that hold requests uncounted (workers from before a reload,
 * the old nginx of a binary upgrade). While one of them lives, no sum is exact. */
void workers_note_uncounted(ngx_shm_zone_t *zone, const ngx_cycle_t *cycle);

/* The same of one process, found later: the new nginx of a binary upgrade, seen by the old one. Without the lock. */
void workers_note_other(ngx_shm_zone_t *zone, ngx_pid_t pid);

/* In the master: its workers have all come to their workers_join. Of one that has not, nobody knows the generation. */
bool workers_have_joined(ngx_shm_zone_t *zone);

/* In a worker, at its start and end. */
void workers_join(ngx_shm_zone_t *zone, uint64_t generation);
void workers_leave(ngx_shm_zone_t *zone);

/* Of this worker: it has been told to finish. False = no other serves either: the nginx is on its way out. */
bool workers_note_exiting(ngx_shm_zone_t *zone);

/* Of this process; NULL: it is no worker, or there was no row at all. */
extern struct shared_worker *workers_self;

/* Of this worker: it is about to select a peer; it has, and has counted it. What it looked at before the begin may have
 * changed since. Between the two, take no lock of ours. */
static inline void workers_select_begin(void)
{
    if (workers_self != NULL) {
        __atomic_store_n(&workers_self->selections, workers_self->selections + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before what decides the selection is looked at */
    }
}

static inline void workers_select_end(void)
{
    if (workers_self != NULL) {
        __atomic_store_n(&workers_self->selections, workers_self->selections + 1, __ATOMIC_RELEASE);
    }
}

/* Of this worker: one request more or less at a peer. */
static inline void workers_count(const struct shared_peer *peer, int change)
{
    if (workers_self != NULL && peer->index < workers_self->counts_n) {
        uint32_t *count = &workers_self->counts[peer->index];

        __atomic_store_n(count, *count + (uint32_t)change, __ATOMIC_RELEASE); /* behind what it was counted for */
    }
}

/* Drops the workers that have died. Without the lock: it reads /proc. */
void workers_reap(ngx_shm_zone_t *zone);

/* Under the lock. */
uint64_t
workers_oldest_generation(ngx_shm_zone_t *zone); /* of those alive; the newest when there is none; 0: unknown */
uint32_t workers_sum(ngx_shm_zone_t *zone, const struct shared_peer *peer);
/* Waits, a moment at most, until no selection runs that began before the call: a request that was sent to a peer before
 * it was taken out is then in the sum. False = a worker is still at it. */
bool workers_settle(ngx_shm_zone_t *zone);
/* Of the workers of one generation: none selects a peer right now, and each counts. What they have of nginx's own
 * counts is then in workers_sum_of. */
bool workers_are_counted(ngx_shm_zone_t *zone, uint64_t generation);
uint32_t workers_sum_of(ngx_shm_zone_t *zone, const struct shared_peer *peer, uint64_t generation);
bool workers_sum_is_exact(ngx_shm_zone_t *zone, const struct shared_upstream *upstream);

#endif
