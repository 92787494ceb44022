#include "view.h"

#include <time.h>

#include "apply.h"
#include "balance.h"
#include "params.h"
#include "workers.h"

#if nginx_version >= 1027003
#error "the peers of this nginx come and go (1.27.3 changed their layout): this module is for versions before it"
#endif

/* A PATCH waits this often for the peers' rwlock (apply.h): one who only has no turn gives it back by then. */
#define LOCKED_TRIES    20
#define LOCKED_PAUSE_MS 5

uint64_t view_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void apply_again(ngx_event_t *event);

/* Under the lock. What could not be done is no reason to do it at each selection: a timer tries it. */
static void apply(struct view *view, const ngx_http_upstream_rr_peers_t *locked)
{
    bool all = apply_view(view, locked);

    view->followed = shared_of(view->zone)->version;
    if (all || ngx_process != NGX_PROCESS_WORKER || view->again.timer_set) {
        return; /* a single process outlives its views, as a timer must not */
    }
    view->again.handler = apply_again;
    view->again.data = view;
    view->again.log = ngx_cycle->log;
    view->again.cancelable = 1; /* a worker that shuts down does not wait for it */
    ngx_add_timer(&view->again, APPLY_AGAIN_MS);
}

static void apply_again(ngx_event_t *event)
{
    struct view *view = event->data;

    shared_lock(view->zone);
    apply(view, NULL);
    shared_unlock(view->zone);
}

void view_follow(struct view *view)
{
    if (view_is_current(view)) {
        return;
    }
    shared_lock(view->zone);
    apply(view, NULL);
    shared_unlock(view->zone);
}

void view_mend(const struct view *view)
{
    bool done = false;

    for (unsigned tries = 0; !done && tries < LOCKED_TRIES; tries++) {
        if (tries > 0) {
            ngx_msleep(1);
        }
        shared_lock(view->zone);
        done = apply_conns(view);
        shared_unlock(view->zone);
    }
}

static bool is_called(const struct view_source *source, const char *name, size_t size_bytes)
{
    return source->name.len == size_bytes && ngx_memcmp(source->name.data, name, size_bytes) == 0;
}

struct view_upstream *view_find(const struct view *view, const char *name, size_t size_bytes)
{
    for (ngx_uint_t u = 0; u < view->upstreams_n; u++) {
        if (is_called(&view->upstreams[u].source, name, size_bytes)) {
            return &view->upstreams[u];
        }
    }
    return NULL;
}

bool view_is_static(const struct view *view, const char *name, size_t size_bytes)
{
    for (ngx_uint_t i = 0; i < view->sources_n; i++) {
        if (view->sources[i].groups == NULL && is_called(&view->sources[i], name, size_bytes)) {
            return true;
        }
    }
    return false;
}

bool view_is_backup(const struct view_upstream *upstream, ngx_uint_t id)
{
    return upstream->peers[id].group != upstream->source.groups;
}

/* Alone in its upstream a peer is never given up on. */
bool view_is_unavail(const struct view_peer *entry, time_t now_s)
{
    const ngx_http_upstream_rr_peer_t *peer = entry->peer;

    return !entry->group->single && peer->max_fails != 0 && peer->fails >= peer->max_fails &&
           now_s - peer->checked <= peer->fail_timeout;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* nginx counts in whole seconds of the wall clock; its own copy of that clock is older than ours, and would have the
 * downtime go on for as long after the peer is up. */
uint64_t view_unavail_until_ms(const struct view_peer *entry, uint64_t now_ms)
{
    time_t timeout_s = ngx_min(entry->peer->fail_timeout, PARAMS_FAIL_TIMEOUT_MAX_S);
    int64_t now_us = clock_us(CLOCK_MONOTONIC);
    int64_t left_us = ((int64_t)entry->peer->checked + timeout_s + 1) * 1000000 - clock_us(CLOCK_REALTIME);

    return left_us > 0 ? (uint64_t)(now_us + left_us) / 1000 : now_ms;
}

/* The last word wins; `down` over `drain` where both are true. Either one false ends what it names; down:false ends a
 * drain too, since some clients cannot send drain:false. */
static enum wanted wanted_after(const struct view_change *change, ngx_uint_t down_now)
{
    if (change->has_down && change->down) {
        return WANTED_DOWN;
    }
    if (change->has_drain && change->drain) {
        return WANTED_DRAIN;
    }
    if (change->has_down || down_now == SHARED_DRAIN) {
        return WANTED_UP;
    }
    return down_now == 0 ? WANTED_UP : WANTED_DOWN;
}

/* Under the lock: primary servers beside `without` that requests go to. A server that the newest configuration does not
 * have does not count. */
static ngx_uint_t count_serving(const struct view_upstream *upstream, const struct view_peer *without)
{
    const ngx_http_upstream_rr_peers_t *primary = upstream->source.groups;
    time_t now_s = ngx_time();
    ngx_uint_t n = 0;

    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry == without || entry->group != primary || view_is_unavail(entry, now_s)) {
            continue;
        }
        n += entry->shared == NULL ? entry->peer->down == 0
                                   : entry->shared->seen_generation == upstream->shared->seen_generation &&
                                         shared_peer_down(entry->shared) == 0;
    }
    return n;
}

static bool takes_out(const struct view_upstream *upstream, const struct view_peer *peer,
                      const struct view_change *change)
{
    return (change->has_down || change->has_drain) && peer->group == upstream->source.groups &&
           shared_peer_down(peer->shared) == 0 && wanted_after(change, 0) != WANTED_UP;
}

/* Under the lock. */
static enum view_verdict judge(const struct view_upstream *upstream, const struct view_peer *peer,
                               const struct view_change *change, const struct lease_ask *ask,
                               struct view_refusal *refusal)
{
    enum lease_verdict verdict = LEASE_GRANTED;

    *refusal = (struct view_refusal){.lease = upstream->shared->lease};
    if (ask != NULL) {
        verdict = lease_judge(&upstream->shared->lease, ask, view_now_ms());
    }
    if (verdict != LEASE_GRANTED) {
        return verdict == LEASE_HELD ? VIEW_HELD : VIEW_STALE;
    }
    if (change->min_up > 0 && takes_out(upstream, peer, change)) {
        refusal->left_serving = count_serving(upstream, peer);
        if (refusal->left_serving < change->min_up) {
            return VIEW_TOO_FEW;
        }
    }
    return VIEW_CHANGED;
}

static void peer_want(struct shared_peer *peer, const struct view_change *change)
{
    if (change->has_down || change->has_drain) {
        peer->wanted = (uint8_t)wanted_after(change, shared_peer_down(peer));
    }
    for (unsigned p = 0; p < SHARED_PARAMS; p++) {
        if (change->has_params & (1u << p)) {
            peer->param_wanted[p] = change->param[p];
            peer->params_wanted = (uint8_t)(peer->params_wanted | (1u << p));
        }
    }
    shared_peer_settle(peer);
}

static bool weighs_other(const struct view_peer *peer, const struct view_change *change)
{
    return (change->has_params & (1u << SHARED_WEIGHT)) != 0 && change->param[SHARED_WEIGHT] != peer->peer->weight;
}

static enum view_verdict change_now(struct view *view, struct view_upstream *upstream, struct view_peer *peer,
                                    const struct view_change *change, const struct lease_ask *ask,
                                    struct view_refusal *refusal)
{
    struct shared *shared = shared_of(view->zone);
    enum view_verdict verdict = judge(upstream, peer, change, ask, refusal);
    ngx_http_upstream_rr_peers_t *locked = weighs_other(peer, change) ? peer->group : NULL;

    if (verdict != VIEW_CHANGED) {
        return verdict;
    }
    if (locked != NULL && !apply_lock(locked, view_now_ms() >= upstream->weights_again_ms)) {
        return VIEW_LOCKED;
    }
    shared->state.changed++;
    if (ask != NULL) {
        lease_store(&upstream->shared->lease, ask, view_now_ms());
    }
    if (change->has_down || change->has_drain || change->has_params != 0) {
        peer_want(peer->shared, change);
        shared->version++;
        apply(view, locked);
    }
    if (locked != NULL) {
        ngx_rwlock_unlock(&locked->rwlock);
    }
    return VIEW_CHANGED;
}

enum view_verdict view_change(struct view *view, struct view_upstream *upstream, struct view_peer *peer,
                              const struct view_change *change, const struct lease_ask *ask,
                              struct view_refusal *refusal)
{
    enum view_verdict verdict;
    unsigned tries = 0;

    if (upstream->shared == NULL || peer->shared == NULL) {
        return VIEW_NO_MEMORY;
    }
    for (;;) {
        shared_lock(view->zone);
        verdict = change_now(view, upstream, peer, change, ask, refusal);
        shared_unlock(view->zone);
        if (verdict != VIEW_LOCKED || upstream->weights_again_ms > view_now_ms()) {
            return verdict;
        }
        if (++tries == LOCKED_TRIES) {
            upstream->weights_again_ms = view_now_ms() + APPLY_AGAIN_MS;
            apply_log_stuck(upstream);
            return verdict;
        }
        ngx_msleep(LOCKED_PAUSE_MS); /* others go on meanwhile */
    }
}

/* ---- building it */

/* Each looks for the last one before it with its name, among those with its hash. */
static ngx_int_t ordinals_count(struct view_upstream *upstream, ngx_log_t *log)
{
    ngx_uint_t n = upstream->peers_n;
    ngx_uint_t *last = ngx_calloc((2 * n + 1) * sizeof(*last), log); /* by hash, a peer's number and 1; 0 = none */

    if (last == NULL) {
        return NGX_ERROR;
    }
    ngx_uint_t *before = last + n; /* by number, the one before it with its hash */
    for (ngx_uint_t i = 0; i < n; i++) {
        const ngx_str_t *name = &upstream->peers[i].peer->name;
        ngx_uint_t *place = &last[ngx_crc32_short(name->data, name->len) % n];
        ngx_uint_t k = *place;

        before[i] = k;
        *place = i + 1;
        while (k != 0 && (upstream->peers[k - 1].peer->name.len != name->len ||
                          ngx_memcmp(upstream->peers[k - 1].peer->name.data, name->data, name->len) != 0)) {
            k = before[k - 1];
        }
        upstream->peers[i].ordinal = k != 0 ? upstream->peers[k - 1].ordinal + 1 : 0;
    }
    ngx_free(last);
    return NGX_OK;
}

/* At most half full; and room for as many behind the last place, so that no search runs past the end or wraps. */
static ngx_int_t places_build(struct view_upstream *upstream, ngx_pool_t *pool)
{
    ngx_uint_t size = 2;
    unsigned bits = 1;

    while (size < 2 * upstream->peers_n) {
        size *= 2;
        bits++;
    }
    upstream->places_shift = 64 - bits;
    upstream->places = ngx_pcalloc(pool, (size + upstream->peers_n + 1) * sizeof(upstream->places[0]));
    if (upstream->places == NULL) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct sockaddr *address = upstream->peers[i].peer->sockaddr;
        uint64_t at = ((uint64_t)(uintptr_t)address * VIEW_PLACE_FACTOR) >> upstream->places_shift;

        while (upstream->places[at].address != NULL) {
            at++;
        }
        upstream->places[at] = (struct view_place){address, &upstream->peers[i]};
    }
    return NGX_OK;
}

static ngx_int_t upstream_build(struct view_upstream *upstream, const struct view_source *source, ngx_pool_t *pool)
{
    ngx_uint_t n = 0;

    upstream->source = *source;
    for (ngx_http_upstream_rr_peers_t *group = source->groups; group != NULL; group = group->next) {
        for (ngx_http_upstream_rr_peer_t *peer = group->peer; peer != NULL; peer = peer->next) {
            n++;
        }
    }
    upstream->peers = ngx_pcalloc(pool, (n + 1) * sizeof(upstream->peers[0]));
    if (upstream->peers == NULL) {
        return NGX_ERROR;
    }
    for (ngx_http_upstream_rr_peers_t *group = source->groups; group != NULL; group = group->next) {
        for (ngx_http_upstream_rr_peer_t *peer = group->peer; peer != NULL; peer = peer->next) {
            upstream->peers[upstream->peers_n++] = (struct view_peer){.group = group, .peer = peer};
        }
    }
    return ordinals_count(upstream, pool->log) == NGX_OK ? places_build(upstream, pool) : NGX_ERROR;
}

static void peer_register(ngx_shm_zone_t *zone, const struct view_upstream *upstream, ngx_uint_t i)
{
    struct view_peer *entry = &upstream->peers[i];
    uint64_t generation = shared_of(zone)->generation;

    entry->shared = shared_peer_get(zone, upstream->shared, &entry->peer->name, entry->ordinal);
    if (entry->shared == NULL) {
        return;
    }
    if (entry->shared->seen_generation + 1 != generation) {
        entry->shared->wanted = WANTED_AS_CONFIGURED; /* new, or gone for a while: it is as the file says */
        entry->shared->params_wanted = 0;
        counts_reset(&entry->shared->counts);
    }
    entry->shared->seen_generation = generation;
    entry->shared->configured_down = entry->peer->down != 0;
#define PEER_PARAM(name, field) entry->shared->param_configured[SHARED_##name] = (int64_t)entry->peer->field;
#include "peer_param.def"
#undef PEER_PARAM
    if (upstream->source.weight_is_fixed) {
        entry->shared->params_wanted = (uint8_t)(entry->shared->params_wanted & ~(1u << SHARED_WEIGHT));
    }
    outage_end(&entry->shared->counts.outage, view_now_ms()); /* this configuration's nginx starts to judge anew */
    shared_peer_settle(entry->shared);
}

/* Under the lock. False = the zone is full. */
static bool upstream_register(ngx_shm_zone_t *zone, struct view_upstream *upstream)
{
    uint64_t generation = shared_of(zone)->generation;
    bool good = true;

    upstream->shared = shared_upstream_get(zone, upstream->kind, &upstream->source.name);
    if (upstream->shared == NULL) {
        return false;
    }
    if (upstream->shared->seen_generation == 0 || upstream->shared->seen_generation + 1 != generation) {
        upstream->shared->counted_since = generation;
    }
    upstream->shared->seen_generation = generation;
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        peer_register(zone, upstream, i);
        good = good && upstream->peers[i].shared != NULL;
    }
    return good;
}

void view_generation_begin(ngx_shm_zone_t *zone, const ngx_cycle_t *cycle)
{
    struct shared *shared = shared_of(zone);
    ngx_time_t *now = ngx_timeofday();

    if (shared->generation == 0) {
        workers_note_uncounted(zone, cycle);
    }
    workers_reap(zone);
    bool may_forget = workers_have_joined(zone);
    shared_lock(zone);
    if (may_forget) {
        shared_forget(zone, workers_oldest_generation(zone));
    }
    shared->generation++;
    shared->load_s = now->sec;
    shared->load_ms = now->msec;
    shared_unlock(zone);
}

ngx_int_t view_build(struct view *view, const struct view_source *sources, ngx_uint_t sources_n, ngx_cycle_t *cycle)
{
    struct shared *shared = shared_of(view->zone);
    bool good = true;

    view->upstreams = ngx_pcalloc(cycle->pool, (sources_n + 1) * sizeof(view->upstreams[0]));
    if (view->upstreams == NULL) {
        return NGX_ERROR;
    }
    view->sources = sources;
    view->sources_n = sources_n;
    for (ngx_uint_t i = 0; i < sources_n; i++) {
        if (sources[i].groups == NULL) {
            continue;
        }
        struct view_upstream *upstream = &view->upstreams[view->upstreams_n++];
        upstream->kind = view->kind;
        if (upstream_build(upstream, &sources[i], cycle->pool) != NGX_OK) {
            return NGX_ERROR;
        }
        sources[i].balance->view = view;
        sources[i].balance->upstream = upstream;
    }
    shared_lock(view->zone);
    view->generation = shared->generation;
    for (ngx_uint_t u = 0; u < view->upstreams_n; u++) {
        good = upstream_register(view->zone, &view->upstreams[u]) && good;
    }
    shared->version++;
    apply(view, NULL);
    shared_unlock(view->zone);
    if (!good) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "upstream_api: the shared zone of %uz bytes is full; some servers cannot be changed",
                      view->zone->shm.size);
    }
    return NGX_OK;
}
