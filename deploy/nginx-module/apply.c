#include "apply.h"

#include "weights.h"

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

static struct peer_state state_wanted(const struct view_upstream *upstream, const struct view_peer *entry)
{
    struct peer_state state = {
        .down = shared_peer_down(entry->shared),
#define PEER_PARAM(name, field) .field = (__typeof__(state.field))shared_peer_param(entry->shared, SHARED_##name),
#include "peer_param.def"
#undef PEER_PARAM
    };

    if (upstream->source.weight_is_fixed) {
        state.weight = entry->peer->weight;
    }
    return state;
}

static bool peer_is_as_wanted(const struct view_upstream *upstream, const struct view_peer *entry)
{
    struct peer_state state;

    if (entry->shared == NULL) {
        return true;
    }
    state = state_wanted(upstream, entry);
#define PEER_PARAM(name, field) &&entry->peer->field == state.field
    return entry->peer->down == state.down
#include "peer_param.def"
        ;
#undef PEER_PARAM
}

static void peer_apply(const struct view *view, const struct view_upstream *upstream, const struct view_peer *entry)
{
    struct peer_state state = state_wanted(upstream, entry);
    ngx_http_upstream_rr_peer_t *peer = entry->peer;
    bool comes_back = peer->down != 0 && state.down == 0;
    bool weighs_other = peer->weight != state.weight;

    if (weighs_other) {
        /* A share that it has lost by failing it wins back step by step, as before. */
        peer->effective_weight =
            peer->effective_weight == peer->weight ? state.weight : ngx_min(peer->effective_weight, state.weight);
    }
    if (peer->down != state.down && view->generation == shared_of(view->zone)->generation) {
        outage_end(&entry->shared->counts.outage, view_now_ms()); /* it is down instead, or up again */
    }
    peer->down = state.down;
#define PEER_PARAM(name, field) peer->field = state.field;
#include "peer_param.def"
#undef PEER_PARAM
    if (comes_back) {
        peer_refresh(peer);
    }
}

static bool group_weighs_other(const struct view_upstream *upstream, const ngx_http_upstream_rr_peers_t *group)
{
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry->group == group && entry->shared != NULL &&
            entry->peer->weight != state_wanted(upstream, entry).weight) {
            return true;
        }
    }
    return false;
}

/* Weights and their sum must fit each other for whoever selects: they alone are changed under the peers' rwlock, which
 * a worker that is killed with it keeps for ever. What a balancer does to a peer while the rest is changed costs no
 * more than one fail or one step of a weight, and a selection that did not see `down` yet had begun before. */
static void apply_to_group(const struct view *view, const struct view_upstream *upstream,
                           ngx_http_upstream_rr_peers_t *group)
{
    bool weighs_other = group_weighs_other(upstream, group), any = weighs_other;

    if (weighs_other) {
        ngx_http_upstream_rr_peers_wlock(group);
    }
    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];

        if (entry->group == group && !peer_is_as_wanted(upstream, entry)) {
            peer_apply(view, upstream, entry);
            any = true;
        }
    }
    if (any) {
        group_recount(group);
    }
    if (weighs_other) {
        group_restart_turns(group);
        ngx_http_upstream_rr_peers_unlock(group);
    }
}

void apply_view(const struct view *view)
{
    for (ngx_uint_t u = 0; u < view->upstreams_n; u++) {
        const struct view_source *source = &view->upstreams[u].source;

        for (ngx_http_upstream_rr_peers_t *group = source->groups; group != NULL; group = group->next) {
            apply_to_group(view, &view->upstreams[u], group);
        }
        weights_renew(source);
    }
}
