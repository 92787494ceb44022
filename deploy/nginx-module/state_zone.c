#include "state_zone.h"

#include <time.h>

#include "view.h"

static uint64_t wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- from rows to the zone */

static void forget_all_wanted(struct shared *shared)
{
    SHARED_EACH(u, &shared->upstreams)
    {
        struct shared_upstream *upstream = ngx_queue_data(u, struct shared_upstream, link);

        SHARED_EACH(q, &upstream->peers)
        {
            struct shared_peer *peer = ngx_queue_data(q, struct shared_peer, link);

            peer->wanted = WANTED_AS_CONFIGURED;
            peer->params_wanted = 0;
        }
    }
}

static ngx_str_t name_of(const struct state_name *name)
{
    return (ngx_str_t){name->size_bytes, (u_char *)(uintptr_t)name->bytes};
}

/* However wrong the wall clock is, no lease is longer than one that could be asked for. */
static uint64_t expiry_after(uint64_t expires_wall_ms)
{
    uint64_t now_ms = wall_ms();
    uint64_t left_ms = expires_wall_ms > now_ms ? expires_wall_ms - now_ms : 0;

    return view_now_ms() + ngx_min(left_ms, (uint64_t)LEASE_TTL_MAX_S * 1000);
}

static void put_lease(struct lease *lease, const struct lease *row)
{
    if (row->fence >= lease->fence) {
        *lease = *row;
        lease->expires_ms = expiry_after(row->expires_ms);
    }
}

static bool put_peer(ngx_shm_zone_t *zone, struct shared_upstream *upstream, const struct state_peer *row)
{
    uint64_t generation = shared_of(zone)->generation;
    ngx_str_t address = name_of(&row->address);
    struct shared_peer *peer = generation == 0 ? shared_peer_get(zone, upstream, &address, row->ordinal)
                                               : shared_peer_find(zone, upstream, &address, row->ordinal);

    if (peer == NULL) {
        return generation != 0;
    }
    peer->wanted = (uint8_t)row->wanted;
    peer->params_wanted = row->params_wanted;
    ngx_memcpy(peer->param_wanted, row->param_wanted, sizeof(peer->param_wanted));
    if (peer->seen_generation != 0) {
        shared_peer_settle(peer);
    }
    return true;
}

bool state_zone_put(ngx_shm_zone_t *zone, const struct state_rows *rows, enum state_put how)
{
    struct shared *shared = shared_of(zone);
    bool good = true;

    shared_lock(zone);
    if (how == STATE_PUT_ALL) {
        forget_all_wanted(shared);
    }
    for (size_t i = 0; i < rows->rows_n; i++) {
        const struct state_row *row = &rows->rows[i];
        ngx_str_t name = name_of(&row->upstream);
        struct shared_upstream *upstream = shared_upstream_get(zone, row->kind, &name);

        if (upstream == NULL) {
            good = false;
        } else if (row->what == STATE_LEASE) {
            put_lease(&upstream->lease, &row->lease);
        } else {
            good = put_peer(zone, upstream, &row->peer) && good;
        }
    }
    shared->version++;
    shared_unlock(zone);
    return good;
}

/* ---- from the zone to text; under the lock, memory only */

static void add_lease(struct state_text *text, struct state_row *row, const struct lease *lease)
{
    row->what = STATE_LEASE;
    row->lease = *lease;
    row->lease.expires_ms = wall_ms();
    if (lease->expires_ms > view_now_ms()) {
        row->lease.expires_ms += lease->expires_ms - view_now_ms();
    }
    state_text_add(text, row);
}

static void add_peer(struct state_text *text, struct state_row *row, const struct shared_peer *peer)
{
    row->what = STATE_PEER;
    row->peer = (struct state_peer){.address = {(const char *)peer->address, peer->address_size_bytes},
                                    .ordinal = peer->ordinal,
                                    .wanted = (enum wanted)peer->wanted,
                                    .params_wanted = peer->params_wanted};
    ngx_memcpy(row->peer.param_wanted, peer->param_wanted, sizeof(row->peer.param_wanted));
    state_text_add(text, row);
}

static bool has_row(const struct shared_state *state, const struct shared_peer *peer)
{
    bool is_wanted = peer->wanted != WANTED_AS_CONFIGURED || peer->params_wanted != 0;
    bool two = state->other.pid != 0;

    if (peer->seen_generation == 0) {
        return two && is_wanted;
    }
    return (two || is_wanted) && peer->seen_generation >= state->generation;
}

bool state_zone_text(ngx_shm_zone_t *zone, struct state_text *text, uint64_t *changed)
{
    struct shared *shared = shared_of(zone);

    state_text_begin(text);
    shared_lock(zone);
    *changed = shared->state.changed;
    SHARED_EACH(u, &shared->upstreams)
    {
        const struct shared_upstream *upstream = ngx_queue_data(u, struct shared_upstream, link);
        struct state_row row = {.kind = (enum shared_kind)upstream->kind,
                                .upstream = {(const char *)upstream->name, upstream->name_size_bytes}};

        if (upstream->lease.fence != 0) {
            add_lease(text, &row, &upstream->lease);
        }
        SHARED_EACH(q, &upstream->peers)
        {
            const struct shared_peer *peer = ngx_queue_data(q, struct shared_peer, link);

            if (has_row(&shared->state, peer)) {
                add_peer(text, &row, peer);
            }
        }
    }
    shared_unlock(zone);
    return state_text_end(text);
}
