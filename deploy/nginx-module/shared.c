#include "shared.h"

#include <time.h>

/* A symbol of nginx itself, so that the zone outlives an exchange of the module's file. */
#define ZONE_TAG (&ngx_core_module)

/* As many as one nginx can have processes. */
static bool spares_make(ngx_slab_pool_t *pool, struct shared *shared)
{
    ngx_queue_init(&shared->spares);
    for (unsigned i = 0; i < NGX_MAX_PROCESSES; i++) {
        struct shared_worker *worker = ngx_slab_calloc(pool, sizeof(*worker));

        if (worker == NULL) {
            return false;
        }
        ngx_queue_insert_tail(&shared->spares, &worker->link);
    }
    return true;
}

/* A reload that drops the directive and one that brings it back leave two zones under one master: the later has the
 * larger number. */
static uint64_t birth_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static ngx_int_t zone_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)zone->shm.addr;
    struct shared *shared;

    if (old != NULL) {
        zone->data = old;
        return NGX_OK;
    }
    shared = ngx_slab_calloc(pool, sizeof(*shared));
    if (shared == NULL || !spares_make(pool, shared)) {
        return NGX_ERROR;
    }
    ngx_queue_init(&shared->upstreams);
    ngx_queue_init(&shared->workers);
    shared->version = 1;
    shared->born_ns = birth_ns();
    pool->log_nomem = 0;
    zone->data = shared;
    return NGX_OK;
}

ngx_shm_zone_t *shared_zone_add(ngx_conf_t *cf)
{
    ngx_str_t name = ngx_string(SHARED_ZONE_NAME);
    ngx_shm_zone_t *zone = ngx_shared_memory_add(cf, &name, SHARED_ZONE_SIZE_BYTES, ZONE_TAG);

    if (zone != NULL) {
        zone->init = zone_init;
    }
    return zone;
}

void shared_lock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_lock(&((ngx_slab_pool_t *)zone->shm.addr)->mutex);
}

void shared_unlock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_unlock(&((ngx_slab_pool_t *)zone->shm.addr)->mutex);
}

static void *zone_calloc(ngx_shm_zone_t *zone, size_t size_bytes)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)zone->shm.addr;

    return pool->pfree > SHARED_RESERVE_BYTES / ngx_pagesize ? ngx_slab_calloc_locked(pool, size_bytes) : NULL;
}

static void zone_free(ngx_shm_zone_t *zone, void *p)
{
    ngx_slab_free_locked((ngx_slab_pool_t *)zone->shm.addr, p);
}

struct shared_upstream *shared_upstream_get(ngx_shm_zone_t *zone, enum shared_kind kind, const ngx_str_t *name)
{
    struct shared *shared = shared_of(zone);
    struct shared_upstream *upstream;

    SHARED_EACH(q, &shared->upstreams)
    {
        upstream = ngx_queue_data(q, struct shared_upstream, link);
        if (upstream->kind == kind && upstream->name_size_bytes == name->len &&
            ngx_memcmp(upstream->name, name->data, name->len) == 0) {
            return upstream;
        }
    }
    upstream = zone_calloc(zone, sizeof(*upstream) + name->len);
    if (upstream == NULL) {
        return NULL;
    }
    ngx_queue_init(&upstream->peers);
    upstream->kind = (uint8_t)kind;
    upstream->name_size_bytes = name->len;
    ngx_memcpy(upstream->name, name->data, name->len);
    ngx_queue_insert_tail(&shared->upstreams, &upstream->link);
    return upstream;
}

/* The lowest index that no peer has. */
static uint32_t index_take(struct shared *shared)
{
    uint32_t index = shared->index_from;

    while (shared->index_used[index]) {
        index++;
    }
    shared->index_used[index] = 1;
    shared->index_from = index + 1;
    shared->index_bound = ngx_max(shared->index_bound, index + 1);
    return index;
}

static void index_give(struct shared *shared, uint32_t index)
{
    shared->index_used[index] = 0;
    shared->index_from = ngx_min(shared->index_from, index);
}

static struct shared_peer **place_of(struct shared *shared, const struct shared_upstream *upstream,
                                     const u_char *address, size_t size_bytes, uint32_t ordinal)
{
    uint32_t hash = ngx_crc32_short((u_char *)address, size_bytes);

    ngx_crc32_update(&hash, (u_char *)&upstream, sizeof(upstream));
    ngx_crc32_update(&hash, (u_char *)&ordinal, sizeof(ordinal));
    return &shared->places[hash % SHARED_PLACES];
}

struct shared_peer *shared_peer_find(ngx_shm_zone_t *zone, const struct shared_upstream *upstream,
                                     const ngx_str_t *address, uint32_t ordinal)
{
    struct shared_peer *peer = *place_of(shared_of(zone), upstream, address->data, address->len, ordinal);

    while (peer != NULL &&
           (peer->upstream != upstream || peer->ordinal != ordinal || peer->address_size_bytes != address->len ||
            ngx_memcmp(peer->address, address->data, address->len) != 0)) {
        peer = peer->next;
    }
    return peer;
}

struct shared_peer *shared_peer_get(ngx_shm_zone_t *zone, struct shared_upstream *upstream, const ngx_str_t *address,
                                    uint32_t ordinal)
{
    struct shared *shared = shared_of(zone);
    struct shared_peer *peer = shared_peer_find(zone, upstream, address, ordinal);

    if (peer != NULL) {
        return peer;
    }
    peer = zone_calloc(zone, sizeof(*peer) + address->len);
    if (peer == NULL) {
        return NULL;
    }
    peer->upstream = upstream;
    peer->index = index_take(shared);
    peer->ordinal = ordinal;
    peer->address_size_bytes = address->len;
    ngx_memcpy(peer->address, address->data, address->len);
    ngx_queue_insert_tail(&upstream->peers, &peer->link);
    struct shared_peer **place = place_of(shared, upstream, address->data, address->len, ordinal);
    peer->next = *place;
    *place = peer;
    return peer;
}

static void peer_free(ngx_shm_zone_t *zone, struct shared_peer *peer)
{
    struct shared *shared = shared_of(zone);
    struct shared_peer **place =
        place_of(shared, peer->upstream, peer->address, peer->address_size_bytes, peer->ordinal);
    struct counts_code *code = peer->counts.codes;

    while (*place != peer) {
        place = &(*place)->next;
    }
    *place = peer->next;
    index_give(shared, peer->index);
    ngx_queue_remove(&peer->link);
    while (code != NULL) {
        struct counts_code *next = code->next;

        zone_free(zone, code);
        code = next;
    }
    zone_free(zone, peer);
}

static void forget_peers(ngx_shm_zone_t *zone, struct shared_upstream *upstream, uint64_t oldest_generation)
{
    ngx_queue_t *q = ngx_queue_head(&upstream->peers);

    while (q != ngx_queue_sentinel(&upstream->peers)) {
        struct shared_peer *peer = ngx_queue_data(q, struct shared_peer, link);

        q = ngx_queue_next(q);
        if (peer->seen_generation < oldest_generation) {
            peer_free(zone, peer);
        }
    }
}

void shared_forget(ngx_shm_zone_t *zone, uint64_t oldest_generation)
{
    struct shared *shared = shared_of(zone);
    ngx_queue_t *q = ngx_queue_head(&shared->upstreams);

    while (q != ngx_queue_sentinel(&shared->upstreams)) {
        struct shared_upstream *upstream = ngx_queue_data(q, struct shared_upstream, link);

        q = ngx_queue_next(q);
        forget_peers(zone, upstream, oldest_generation);
        if (upstream->seen_generation < oldest_generation && upstream->lease.fence == 0) {
            ngx_queue_remove(&upstream->link);
            zone_free(zone, upstream);
        }
    }
}

ngx_uint_t shared_peer_down(const struct shared_peer *peer)
{
    switch (peer->wanted) {
    case WANTED_UP:
        return 0;
    case WANTED_DRAIN:
        return SHARED_DRAIN;
    case WANTED_DOWN:
        return SHARED_DOWN;
    default:
        return peer->configured_down ? SHARED_DOWN : 0;
    }
}

int64_t shared_peer_param(const struct shared_peer *peer, enum shared_param param)
{
    return peer->params_wanted & (1u << param) ? peer->param_wanted[param] : peer->param_configured[param];
}

void shared_peer_settle(struct shared_peer *peer)
{
    for (unsigned p = 0; p < SHARED_PARAMS; p++) {
        if (peer->param_wanted[p] == peer->param_configured[p]) {
            peer->params_wanted = (uint8_t)(peer->params_wanted & ~(1u << p));
        }
    }
    if ((peer->wanted == WANTED_UP && !peer->configured_down) ||
        (peer->wanted == WANTED_DOWN && peer->configured_down)) {
        peer->wanted = WANTED_AS_CONFIGURED;
    }
}

uint64_t *shared_answers_new(ngx_shm_zone_t *zone, struct shared_peer *peer, unsigned status)
{
    struct counts_code *code;

    shared_lock(zone);
    code = counts_code_find(&peer->counts, status); /* another worker's first one may have come before ours */
    if (code == NULL) {
        code = zone_calloc(zone, sizeof(*code));
        if (code != NULL) {
            code->status = status;
            counts_code_append(&peer->counts, code);
        }
    }
    shared_unlock(zone);
    return code != NULL ? &code->n : &peer->counts.uncoded[counts_class(status)];
}
