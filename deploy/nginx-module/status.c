#include "status.h"

#include "answer.h"

/* ---- nginx's numbers */

struct client_counts {
    uint64_t accepted, handled, requests, active, reading, writing, waiting;
};

static struct client_counts counts_read(void)
{
#if (NGX_STAT_STUB)
    return (struct client_counts){.accepted = *ngx_stat_accepted,
                                  .handled = *ngx_stat_handled,
                                  .requests = *ngx_stat_requests,
                                  .active = *ngx_stat_active,
                                  .reading = *ngx_stat_reading,
                                  .writing = *ngx_stat_writing,
                                  .waiting = *ngx_stat_waiting};
#else
    return (struct client_counts){.accepted = 0};
#endif
}

/* The numbers are read one by one while they change. */
static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

ngx_int_t status_get_connections(ngx_http_request_t *r, const struct handler_target *target)
{
    struct client_counts counts = counts_read();
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    json_member_uint(&out, "accepted", counts.accepted);
    json_member_uint(&out, "dropped", less(counts.accepted, counts.handled));
    json_member_uint(&out, "active", less(counts.active, counts.waiting));
    json_member_uint(&out, "idle", counts.waiting);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

ngx_int_t status_get_requests(ngx_http_request_t *r, const struct handler_target *target)
{
    struct client_counts counts = counts_read();
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    json_member_uint(&out, "total", counts.requests);
    json_member_uint(&out, "current", counts.reading + counts.writing);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

/* ---- slabs */

#define SLOTS_MAX 32

struct slab {
    ngx_uint_t pages_used, pages_free;
    ngx_uint_t slots_n;
    size_t min_shift; /* the first slot's size is 1 << min_shift, each next one's twice that */
    ngx_slab_stat_t slots[SLOTS_MAX];
};

static struct slab slab_read(const ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)zone->shm.addr;
    struct slab slab = {.min_shift = pool->min_shift, .slots_n = ngx_pagesize_shift - pool->min_shift};

    slab.slots_n = ngx_min(slab.slots_n, (ngx_uint_t)SLOTS_MAX);
    ngx_shmtx_lock(&pool->mutex);
    slab.pages_free = pool->pfree;
    slab.pages_used = (ngx_uint_t)(pool->last - pool->pages) - pool->pfree;
    ngx_memcpy(slab.slots, pool->stats, slab.slots_n * sizeof(slab.slots[0]));
    ngx_shmtx_unlock(&pool->mutex);
    return slab;
}

static void put_slot(struct json_out *out, size_t size_bytes, const ngx_slab_stat_t *slot)
{
    u_char key[NGX_INT64_LEN];

    json_text(out, key, (size_t)(ngx_sprintf(key, "%uz", size_bytes) - key));
    json_colon(out);
    json_open(out, '{');
    json_member_uint(out, "used", slot->used);
    json_member_uint(out, "free", less(slot->total, slot->used));
    json_member_uint(out, "reqs", slot->reqs);
    json_member_uint(out, "fails", slot->fails);
    json_close(out, '}');
}

static void put_slab(struct json_out *out, const ngx_shm_zone_t *zone)
{
    struct slab slab = slab_read(zone);

    json_open(out, '{');
    json_key(out, "pages");
    json_open(out, '{');
    json_member_uint(out, "used", slab.pages_used);
    json_member_uint(out, "free", slab.pages_free);
    json_close(out, '}');
    json_key(out, "slots");
    json_open(out, '{');
    for (ngx_uint_t i = 0; i < slab.slots_n; i++) {
        put_slot(out, (size_t)1 << (slab.min_shift + i), &slab.slots[i]);
    }
    json_close(out, '}');
    json_close(out, '}');
}

static bool is_named(const ngx_shm_zone_t *zone, const struct route_part *name)
{
    return zone->shm.name.len == name->size_bytes &&
           ngx_memcmp(zone->shm.name.data, name->bytes, name->size_bytes) == 0;
}

/* Puts all, or the one of that name. False = there is none. */
static bool put_slabs(struct json_out *out, const struct route_part *name)
{
    const ngx_cycle_t *cycle = (const ngx_cycle_t *)ngx_cycle; /* nginx has it volatile */
    bool found = false;

    for (const ngx_list_part_t *part = &cycle->shared_memory.part; part != NULL; part = part->next) {
        const ngx_shm_zone_t *zones = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts && !(found && name != NULL); i++) {
            if (name == NULL) {
                json_text(out, zones[i].shm.name.data, zones[i].shm.name.len);
                json_colon(out);
            } else if (!is_named(&zones[i], name)) {
                continue;
            }
            put_slab(out, &zones[i]);
            found = true;
        }
    }
    return found;
}

ngx_int_t status_get_slabs(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    put_slabs(&out, NULL);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

ngx_int_t status_get_slab(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    handler_json_begin(&out, r, target);
    return put_slabs(&out, &target->star) ? answer_json(r, NGX_HTTP_OK, &out)
                                          : answer_error(r, ERROR_SLAB_NOT_FOUND, "slab not found");
}

/* ---- what free nginx does not count */

static void put_zeros(struct json_out *out, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        json_member_uint(out, *keys, 0);
    }
}

static void put_object(struct json_out *out, const char *key, const char *const *zeros)
{
    json_key(out, key);
    json_open(out, '{');
    put_zeros(out, zeros);
    json_close(out, '}');
}

static const char *const none[] = {NULL};

ngx_int_t status_get_processes(ngx_http_request_t *r, const struct handler_target *target)
{
    static const char *const keys[] = {"respawned", NULL};
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    put_zeros(&out, keys);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

ngx_int_t status_get_ssl(ngx_http_request_t *r, const struct handler_target *target)
{
    static const char *const keys[] = {"handshakes", "handshakes_failed", "session_reuses", NULL};
    static const char *const since_8[] = {"no_common_protocol", "no_common_cipher", "handshake_timeout",
                                          "peer_rejected_cert", NULL};
    static const char *const verify[] = {"no_cert", "expired_cert", "revoked_cert", "hostname_mismatch", "other", NULL};
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    put_zeros(&out, keys);
    if (target->version >= 8) {
        put_zeros(&out, since_8);
        put_object(&out, "verify_failures", verify);
    }
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

/* Of a node without a cluster. */
ngx_int_t status_get_zone_sync(ngx_http_request_t *r, const struct handler_target *target)
{
    static const char *const keys[] = {"bytes_in", "msgs_in", "msgs_out", "bytes_out", "nodes_online", NULL};
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    put_object(&out, "zones", none);
    put_object(&out, "status", keys);
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

/* ---- what free nginx does not have */

ngx_int_t status_get_empty(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    handler_json_begin(&out, r, target);
    json_open(&out, '{');
    json_close(&out, '}');
    return answer_json(r, NGX_HTTP_OK, &out);
}

ngx_int_t status_get_workers(ngx_http_request_t *r, const struct handler_target *target)
{
    struct json_out out;

    (void)target;
    json_begin(&out, r->pool);
    json_open(&out, '[');
    json_close(&out, ']');
    return answer_json(r, NGX_HTTP_OK, &out);
}

#define NOT_FOUND(what, error, text)                                                                                   \
    ngx_int_t status_no_##what(ngx_http_request_t *r, const struct handler_target *target)                             \
    {                                                                                                                  \
        (void)target;                                                                                                  \
        return answer_error(r, error, text);                                                                           \
    }

NOT_FOUND(server_zone, ERROR_SERVER_ZONE_NOT_FOUND, "server zone not found")
NOT_FOUND(location_zone, ERROR_LOCATION_ZONE_NOT_FOUND, "location zone not found")
NOT_FOUND(cache, ERROR_CACHE_NOT_FOUND, "cache not found")
NOT_FOUND(limit_conn, ERROR_LIMIT_CONN_NOT_FOUND, "limit_conn zone not found")
NOT_FOUND(limit_req, ERROR_LIMIT_REQ_NOT_FOUND, "limit_req zone not found")
NOT_FOUND(keyval, ERROR_KEYVAL_NOT_FOUND, "keyval zone not found")
NOT_FOUND(resolver_zone, ERROR_RESOLVER_ZONE_NOT_FOUND, "resolver zone not found")
NOT_FOUND(worker, ERROR_WORKER_NOT_FOUND, "worker not found")
