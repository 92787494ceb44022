#include "workers.h"

#include <stdlib.h>
#include <unistd.h>

#include "process.h"

/* A selection takes microseconds; only a worker that has lost the processor in it needs more than a few. */
#define SETTLE_YIELDS 100

struct shared_worker *workers_self;

static struct shared_worker *worker_add(ngx_shm_zone_t *zone, ngx_pid_t pid, uint64_t generation, uint32_t counts_n)
{
    struct shared *shared = shared_of(zone);
    struct shared_worker *worker;
    uint64_t start_ticks = process_start_ticks(pid);

    shared_lock(zone);
    worker = ngx_slab_calloc_locked((ngx_slab_pool_t *)zone->shm.addr,
                                    sizeof(*worker) + counts_n * sizeof(worker->counts[0]));
    if (worker == NULL) {
        shared->worker_missed = 1;
    } else {
        worker->pid = pid;
        worker->start_ticks = start_ticks;
        worker->generation = generation;
        worker->counts_n = counts_n;
        ngx_queue_insert_tail(&shared->workers, &worker->link);
    }
    shared_unlock(zone);
    return worker;
}

static void worker_drop(ngx_shm_zone_t *zone, struct shared_worker *worker)
{
    ngx_queue_remove(&worker->link);
    ngx_slab_free_locked((ngx_slab_pool_t *)zone->shm.addr, worker);
}

void workers_note_uncounted(ngx_shm_zone_t *zone, const ngx_cycle_t *cycle)
{
    if (ngx_is_init_cycle(cycle->old_cycle)) {
        if (getenv(NGINX_VAR) != NULL) {
            worker_add(zone, getppid(), 0, 0);
        }
        return;
    }
    for (ngx_int_t i = 0; i < ngx_last_process; i++) {
        if (ngx_processes[i].pid != -1 && !ngx_processes[i].exited) {
            worker_add(zone, ngx_processes[i].pid, 0, 0);
        }
    }
}

void workers_note_other(ngx_shm_zone_t *zone, ngx_pid_t pid)
{
    struct shared *shared = shared_of(zone);
    bool known = false;

    shared_lock(zone);
    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        known = known || worker->pid == pid;
    }
    shared_unlock(zone);
    if (!known) {
        (void)worker_add(zone, pid, 0, 0);
    }
}

void workers_join(ngx_shm_zone_t *zone, uint64_t generation)
{
    /* A single process stays over reloads: its row would be too short for later peers. */
    if (ngx_process == NGX_PROCESS_SINGLE) {
        generation = 0;
    }
    workers_self = worker_add(zone, ngx_pid, generation, shared_of(zone)->index_bound);
}

void workers_leave(ngx_shm_zone_t *zone)
{
    if (workers_self == NULL) {
        return;
    }
    shared_lock(zone);
    worker_drop(zone, workers_self);
    shared_unlock(zone);
    workers_self = NULL;
}

bool workers_note_exiting(ngx_shm_zone_t *zone)
{
    struct shared *shared = shared_of(zone);
    bool any_serves = false;

    shared_lock(zone);
    if (workers_self != NULL) {
        workers_self->exiting = 1;
    }
    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        any_serves = any_serves || (!worker->exiting && worker->generation != 0);
    }
    shared_unlock(zone);
    return any_serves;
}

bool workers_settle(ngx_shm_zone_t *zone)
{
    struct shared *shared = shared_of(zone);
    int yields_left = SETTLE_YIELDS;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);
        uint32_t selections = __atomic_load_n(&worker->selections, __ATOMIC_ACQUIRE);

        while (selections % 2 == 1 && selections == __atomic_load_n(&worker->selections, __ATOMIC_ACQUIRE)) {
            if (yields_left-- == 0) {
                return false;
            }
            ngx_sched_yield();
        }
    }
    return true;
}

void workers_reap(ngx_shm_zone_t *zone)
{
    struct shared *shared = shared_of(zone);
    struct process seen[NGX_MAX_PROCESSES];
    size_t n = 0, dead = 0;
    ngx_queue_t *q;

    shared_lock(zone);
    for (q = ngx_queue_head(&shared->workers); q != ngx_queue_sentinel(&shared->workers) && n < NGX_MAX_PROCESSES;
         q = ngx_queue_next(q)) {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        seen[n++] = (struct process){worker->pid, worker->start_ticks};
    }
    shared_unlock(zone);

    for (size_t i = 0; i < n; i++) {
        if (seen[i].pid != ngx_pid && !process_lives(&seen[i])) {
            seen[dead++] = seen[i];
        }
    }
    if (dead == 0) {
        return;
    }
    shared_lock(zone);
    q = ngx_queue_head(&shared->workers);
    while (q != ngx_queue_sentinel(&shared->workers)) {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        q = ngx_queue_next(q);
        for (size_t i = 0; i < dead; i++) {
            if (worker->pid == seen[i].pid && worker->start_ticks == seen[i].start_ticks) {
                worker_drop(zone, worker);
                break;
            }
        }
    }
    shared_unlock(zone);
}

uint64_t workers_oldest_generation(ngx_shm_zone_t *zone)
{
    struct shared *shared = shared_of(zone);
    uint64_t oldest = shared->generation;

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        oldest = ngx_min(oldest, worker->generation);
    }
    return oldest;
}

uint32_t workers_sum(ngx_shm_zone_t *zone, const struct shared_peer *peer)
{
    struct shared *shared = shared_of(zone);
    uint32_t sum = 0;

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        if (peer->index < worker->counts_n) {
            sum += __atomic_load_n(&worker->counts[peer->index], __ATOMIC_ACQUIRE);
        }
    }
    return sum;
}

bool workers_sum_is_exact(ngx_shm_zone_t *zone, const struct shared_upstream *upstream)
{
    struct shared *shared = shared_of(zone);

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        if (worker->generation < upstream->counted_since) {
            return false;
        }
    }
    return !shared->worker_missed;
}
