#include "apply.h"

#include "balance_hot.h"
#include "weights.h"
#include "workers.h"

/* What ngx_rwlock.c makes of a lock for its one writer; no header has it. */
#define LOCKED_FOR_WRITING ((ngx_atomic_uint_t)-1)
#define PATIENCE_MS        5

bool apply_lock(ngx_http_upstream_rr_peers_t *group, bool patient)
{
    uint64_t until_ms = patient ? view_now_ms() + PATIENCE_MS : 0;

    while (!ngx_atomic_cmp_set(&group->rwlock, 0, LOCKED_FOR_WRITING)) {
        if (view_now_ms() >= until_ms) {
            return false;
        }
        ngx_sched_yield();
    }
    return true;
}

/* A peer that comes back must not wait for what it failed before, nor get a burst. */
static void peer_refresh(ngx_http_upstream_rr_peer_t *peer)
{
    peer->fails = 0;
    peer->checked = 0;
    peer->current_weight = 0;
    peer->effective_weight = peer->weight;
}

/* What nginx makes at load from the servers of a group. */
static void group_recount(ngx_http_upstream_rr_peers_t *group)
{
    ngx_uint_t tries = 0, weight = 0;

    for (ngx_http_upstream_rr_peer_t *peer = group->peer; peer != NULL; peer = peer->next) {
        tries += peer->down == 0;
        weight += (ngx_uint_t)peer->weight;
    }
    group->tries = tries;
    group->total_weight = weight;
    group->weighted = weight != group->number;
}

/* Turns that were saved up under the old weights would be taken under the new ones. */
static void group_restart_turns(ngx_http_upstream_rr_peers_t *group)
{
    for (ngx_http_upstream_rr_peer_t *peer = group->peer; peer != NULL; peer = peer->next) {
        peer->current_weight = 0;
    }
}

/* What the peer shall have, in nginx's own terms. */
struct peer_state {
    ngx_uint_t down;
#define PEER_PARAM(name, field) __typeof__(((ngx_http_upstream_rr_peer_t *)NULL)->field) field;
#include "peer_param.def"
#undef PEER_PARAM
};

static struct peer_state state_wanted(const struct view_upstream *upstream, const struct view_peer *entry,
                                      bool may_weigh)
{
    struct peer_state state = {
        .down = shared_peer_down(entry->shared),
#define PEER_PARAM(name, field) .field = (__typeof__(state.field))shared_peer_param(entry->shared, SHARED_##name),
#include "peer_param.def"
#undef PEER_PARAM
    };

    if (upstream->source.weight_is_fixed || !may_weigh) {
        state.weight = entry->peer->weight;
    }
    return state;
}

static bool peer_is_as_wanted(const struct view_upstream *upstream, const struct view_peer *entry, bool may_weigh)
{
    struct peer_state state;

    if (entry->shared == NULL) {
        return true;
    }
    state = state_wanted(upstream, entry, may_weigh);
#define PEER_PARAM(name, field) &&entry->peer->field == state.field
    return entry->peer->down == state.down
#include "peer_param.def"
        ;
#undef PEER_PARAM
}

/* A change of max_fails or fail_timeout makes a peer available, or keeps it from being so, at once. Of the newest
 * configuration: what others think does not decide where requests go. */
static void peer_judge_anew(const struct view_peer *entry, bool was_up)
{
    const ngx_http_upstream_rr_peer_t *peer = entry->peer;
    struct outage *outage = &entry->shared->counts.outage;
    uint64_t now_ms = view_now_ms();

    if (peer->down != 0 || !was_up || peer->max_fails == 0 || peer->fails < peer->max_fails) {
        outage_end(outage, now_ms); /* down instead, or up again */
    } else if (view_is_unavail(entry, ngx_time())) {
        outage_fail(outage, now_ms, balance_utc_ms(), view_unavail_until_ms(entry, now_ms));
    } else {
        outage_try(outage, now_ms, now_ms); /* it may be tried: what was left of its time is not waited for */
    }
}

static void peer_apply(const struct view *view, const struct view_upstream *upstream, const struct view_peer *entry,
                       bool may_weigh)
{
    struct peer_state state = state_wanted(upstream, entry, may_weigh);
    ngx_http_upstream_rr_peer_t *peer = entry->peer;
    bool was_up = peer->down == 0, comes_back = !was_up && state.down == 0;
    bool weighs_other = peer->weight != state.weight;

    if (weighs_other) {
        /* A share that it has lost by failing it wins back step by step, as before. */
        peer->effective_weight =
            peer->effective_weight == peer->weight ? state.weight : ngx_min(peer->effective_weight, state.weight);
    }
    peer->down = state.down;
#define PEER_PARAM(name, field) peer->field = state.field;
#include "peer_param.def"
#undef PEER_PARAM
    if (comes_back) {
        peer_refresh(peer);
    }
    if (view->generation == shared_of(view->zone)->generation) {
        peer_judge_anew(entry, was_up);
    }
}

static bool group_weighs_other(const struct view_upstream *upstream, const ngx_http_upstream_rr_peers_t *group)
{
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry->group == group && entry->shared != NULL &&
            entry->peer->weight != state_wanted(upstream, entry, true).weight) {
            return true;
        }
    }
    return false;
}

/* How long it waits goes by what came of it before: this is under the zone's lock, for which all others wait. */
static bool may_weigh(struct view_upstream *upstream, ngx_http_upstream_rr_peers_t *group)
{
    uint64_t now_ms = view_now_ms();

    if (apply_lock(group, now_ms >= upstream->weights_again_ms)) {
        upstream->weights_again_ms = 0;
        return true;
    }
    if (now_ms >= upstream->weights_again_ms) {
        upstream->weights_again_ms = now_ms + APPLY_AGAIN_MS;
    }
    return false;
}

/* Weights and their sum must fit each other for whoever selects: they alone are changed under the peers' rwlock, which
 * a worker that is killed with it keeps for ever: where it is not to be had they stay as they are, and the rest is
 * changed. What a balancer does to a peer meanwhile costs no more than one fail or one step of a weight, and a
 * selection that did not see `down` yet had begun before. Returns whether all is as wanted. */
static bool apply_to_group(const struct view *view, struct view_upstream *upstream, ngx_http_upstream_rr_peers_t *group,
                           const ngx_http_upstream_rr_peers_t *locked)
{
    bool weighs_other = group_weighs_other(upstream, group);
    bool weighs = weighs_other && (group == locked || may_weigh(upstream, group)), any = weighs;

    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry->group == group && !peer_is_as_wanted(upstream, entry, weighs)) {
            peer_apply(view, upstream, entry, weighs);
            any = true;
        }
    }
    if (any) {
        group_recount(group);
    }
    if (weighs) {
        group_restart_turns(group);
        if (group != locked) {
            ngx_rwlock_unlock(&group->rwlock);
        }
    }
    return weighs == weighs_other;
}

bool apply_view(const struct view *view, const ngx_http_upstream_rr_peers_t *locked)
{
    bool all = true;

    for (ngx_uint_t u = 0; u < view->upstreams_n; u++) {
        struct view_upstream *upstream = &view->upstreams[u];
        bool good = true;

        for (ngx_http_upstream_rr_peers_t *group = upstream->source.groups; group != NULL; group = group->next) {
            good = apply_to_group(view, upstream, group, locked) && good;
        }
        weights_renew(&upstream->source);
        if (!good) {
            apply_log_stuck(upstream);
        }
        all = all && good;
    }
    return all;
}

/* Living workers give a peer back in nginx first and then in their own counts, and count it before their selection is
 * over: while none selects, and with the lock none begins to, nginx's count is no larger than their sum. */
static bool group_has_lost(const struct view *view, const struct view_upstream *upstream,
                           const ngx_http_upstream_rr_peers_t *group, bool correct)
{
    bool any = false;

    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry->group != group || entry->shared == NULL || entry->peer->conns == 0) {
            continue;
        }
        ngx_uint_t held = workers_sum_of(view->zone, entry->shared, view->generation);
        if (entry->peer->conns > held) {
            any = true;
            entry->peer->conns = correct ? held : entry->peer->conns;
        }
    }
    return any;
}

static bool apply_conns_of(const struct view *view, const struct view_upstream *upstream,
                           ngx_http_upstream_rr_peers_t *group)
{
    if (!group_has_lost(view, upstream, group, false)) {
        return true;
    }
    if (!apply_lock(group, false)) {
        return false;
    }
    bool counted = workers_are_counted(view->zone, view->generation);
    if (counted) {
        (void)group_has_lost(view, upstream, group, true);
    }
    ngx_rwlock_unlock(&group->rwlock);
    return counted;
}

bool apply_conns(const struct view *view)
{
    bool all = true;

    for (ngx_uint_t u = 0; u < view->upstreams_n; u++) {
        const struct view_upstream *upstream = &view->upstreams[u];

        for (ngx_http_upstream_rr_peers_t *group = upstream->source.groups; group != NULL; group = group->next) {
            all = apply_conns_of(view, upstream, group) && all;
        }
    }
    return all;
}

void apply_log_stuck(struct view_upstream *upstream)
{
    if (!upstream->weights_stuck) {
        upstream->weights_stuck = true;
        ngx_log_error(
            NGX_LOG_ERR, ngx_cycle->log, 0,
            "upstream_api: the lock of the servers of upstream \"%V\" is not given back, as when a worker was "
            "killed with it: their weights stay as they are in this configuration until it is; reload nginx",
            &upstream->source.name);
    }
}
