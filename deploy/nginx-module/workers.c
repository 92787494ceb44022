#include "workers.h"

#include <stdlib.h>
#include <unistd.h>

#include "process.h"

/* A selection takes microseconds; only a worker that has lost the processor in it needs more than a few. */
#define SETTLE_YIELDS 100

struct shared_worker *workers_self;

static bool is_known(const struct shared *shared, const struct process *process)
{
    SHARED_EACH(q, &shared->workers)
    {
        const struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);
        struct process other = {worker->pid, worker->start_ticks};

        if (process_is(&other, process)) {
            return true;
        }
    }
    return false;
}

/* NULL = there is none left. */
static struct shared_worker *spare_take(struct shared *shared)
{
    struct shared_worker *worker;

    if (ngx_queue_empty(&shared->spares)) {
        return NULL;
    }
    worker = ngx_queue_data(ngx_queue_head(&shared->spares), struct shared_worker, link);
    ngx_queue_remove(&worker->link);
    ngx_memzero(worker, sizeof(*worker));
    worker->spare = 1;
    return worker;
}

/* Under the lock. */
static struct shared_worker *worker_add(ngx_shm_zone_t *zone, const struct process *process, uint64_t generation,
                                        uint32_t counts_n)
{
    struct shared *shared = shared_of(zone);
    struct shared_worker *worker = ngx_slab_calloc_locked((ngx_slab_pool_t *)zone->shm.addr,
                                                          sizeof(*worker) + counts_n * sizeof(worker->counts[0]));

    if (worker == NULL) {
        worker = spare_take(shared);
        counts_n = 0;
    }
    if (worker == NULL) {
        shared->worker_missed = 1;
        return NULL;
    }
    worker->pid = process->pid;
    worker->start_ticks = process->start_ticks;
    worker->generation = generation;
    worker->counts_n = counts_n;
    ngx_queue_insert_tail(&shared->workers, &worker->link);
    return worker;
}

static void worker_drop(ngx_shm_zone_t *zone, struct shared_worker *worker)
{
    ngx_queue_remove(&worker->link);
    if (worker->spare) {
        ngx_queue_insert_tail(&shared_of(zone)->spares, &worker->link);
        return;
    }
    ngx_slab_free_locked((ngx_slab_pool_t *)zone->shm.addr, worker);
}

/* Under the lock. One that is there already, counting or not, stays as it is. */
static void note(ngx_shm_zone_t *zone, const struct process *process, bool foreign)
{
    if (!is_known(shared_of(zone), process)) {
        struct shared_worker *worker = worker_add(zone, process, 0, 0);

        if (worker != NULL) {
            worker->foreign = foreign;
        }
    }
}

/* The other nginx of a binary upgrade, whichever of its processes live. False = they cannot be told. */
static bool note_foreign(ngx_shm_zone_t *zone)
{
    struct process found[NGX_MAX_PROCESSES];
    size_t n;
    bool all = process_kin(ngx_process == NGX_PROCESS_WORKER ? ngx_parent : ngx_pid, found, NGX_MAX_PROCESSES, &n);

    shared_lock(zone);
    for (size_t i = 0; i < n; i++) {
        note(zone, &found[i], true);
    }
    shared_unlock(zone);
    return all;
}

void workers_note_uncounted(ngx_shm_zone_t *zone, const ngx_cycle_t *cycle)
{
    if (ngx_is_init_cycle(cycle->old_cycle)) {
        if (getenv(NGINX_VAR) != NULL && !note_foreign(zone)) {
            workers_note_other(zone, getppid());
        }
        return;
    }
    for (ngx_int_t i = 0; i < ngx_last_process; i++) {
        if (ngx_processes[i].pid != -1 && !ngx_processes[i].exited) {
            struct process process = {ngx_processes[i].pid, process_start_ticks(ngx_processes[i].pid)};

            shared_lock(zone);
            note(zone, &process, false);
            shared_unlock(zone);
        }
    }
}

void workers_note_other(ngx_shm_zone_t *zone, ngx_pid_t pid)
{
    struct process process = {pid, process_start_ticks(pid)};

    shared_lock(zone);
    note(zone, &process, true);
    shared_unlock(zone);
}

bool workers_have_joined(ngx_shm_zone_t *zone)
{
    bool all = true;

    for (ngx_int_t i = 0; all && i < ngx_last_process; i++) {
        const ngx_process_t *child = &ngx_processes[i];
        struct process process = {.pid = child->pid};

        if (child->pid != -1 && !child->exited && ngx_strcmp(child->name, "worker process") == 0) {
            shared_lock(zone);
            all = is_known(shared_of(zone), &process);
            shared_unlock(zone);
            all = all || !process_lives(&process);
        }
    }
    return all;
}

void workers_join(ngx_shm_zone_t *zone, uint64_t generation)
{
    struct process self = {ngx_pid, process_start_ticks(ngx_pid)};

    /* A single process stays over reloads: its row would be too short for later peers. */
    if (ngx_process == NGX_PROCESS_SINGLE) {
        generation = 0;
    }
    shared_lock(zone);
    workers_self = worker_add(zone, &self, generation, shared_of(zone)->index_bound);
    shared_unlock(zone);
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

/* Moves the dead to the front. How many; whether one of them is of another nginx. */
static size_t find_dead(ngx_shm_zone_t *zone, struct process seen[NGX_MAX_PROCESSES], bool *foreign)
{
    struct shared *shared = shared_of(zone);
    bool is_foreign[NGX_MAX_PROCESSES];
    size_t n = 0, dead = 0;

    shared_lock(zone);
    for (ngx_queue_t *q = ngx_queue_head(&shared->workers);
         q != ngx_queue_sentinel(&shared->workers) && n < NGX_MAX_PROCESSES; q = ngx_queue_next(q)) {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        is_foreign[n] = worker->foreign;
        seen[n++] = (struct process){worker->pid, worker->start_ticks};
    }
    shared_unlock(zone);

    *foreign = false;
    for (size_t i = 0; i < n; i++) {
        if (seen[i].pid != ngx_pid && !process_lives(&seen[i])) {
            *foreign = *foreign || is_foreign[i];
            seen[dead++] = seen[i];
        }
    }
    return dead;
}

void workers_reap(ngx_shm_zone_t *zone)
{
    struct shared *shared = shared_of(zone);
    struct process seen[NGX_MAX_PROCESSES];
    bool foreign;
    size_t dead = find_dead(zone, seen, &foreign);

    if (dead == 0) {
        return;
    }
    /* A master that was killed leaves its workers behind: they are known before it is forgotten. */
    bool may_forget_foreign = !foreign || note_foreign(zone);
    shared_lock(zone);
    ngx_queue_t *q = ngx_queue_head(&shared->workers);
    while (q != ngx_queue_sentinel(&shared->workers)) {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        q = ngx_queue_next(q);
        for (size_t i = 0; i < dead; i++) {
            if (worker->pid == seen[i].pid && worker->start_ticks == seen[i].start_ticks &&
                (may_forget_foreign || !worker->foreign)) {
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
    uint64_t oldest = shared->worker_missed ? 0 : shared->generation;

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        oldest = ngx_min(oldest, worker->generation);
    }
    return oldest;
}

static uint32_t count_of(const struct shared_worker *worker, const struct shared_peer *peer)
{
    return peer->index < worker->counts_n ? __atomic_load_n(&worker->counts[peer->index], __ATOMIC_ACQUIRE) : 0;
}

uint32_t workers_sum(ngx_shm_zone_t *zone, const struct shared_peer *peer)
{
    struct shared *shared = shared_of(zone);
    uint32_t sum = 0;

    SHARED_EACH(q, &shared->workers)
    {
        sum += count_of(ngx_queue_data(q, struct shared_worker, link), peer);
    }
    return sum;
}

uint32_t workers_sum_of(ngx_shm_zone_t *zone, const struct shared_peer *peer, uint64_t generation)
{
    struct shared *shared = shared_of(zone);
    uint32_t sum = 0;

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        sum += worker->generation == generation ? count_of(worker, peer) : 0;
    }
    return sum;
}

bool workers_are_counted(ngx_shm_zone_t *zone, uint64_t generation)
{
    struct shared *shared = shared_of(zone);

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        if (worker->generation == generation &&
            (worker->spare || __atomic_load_n(&worker->selections, __ATOMIC_ACQUIRE) % 2 == 1)) {
            return false;
        }
    }
    return !shared->worker_missed;
}

bool workers_sum_is_exact(ngx_shm_zone_t *zone, const struct shared_upstream *upstream)
{
    struct shared *shared = shared_of(zone);

    SHARED_EACH(q, &shared->workers)
    {
        struct shared_worker *worker = ngx_queue_data(q, struct shared_worker, link);

        if (worker->spare || worker->generation < upstream->counted_since) {
            return false;
        }
    }
    return !shared->worker_missed;
}
