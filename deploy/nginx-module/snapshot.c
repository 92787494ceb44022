#include "snapshot.h"

#include "workers.h"

/* Words, each read as it is, without the group's rwlock: nobody would take it from a worker that was killed with it. */
static void take_group(struct snapshot *snapshot, const struct view_upstream *upstream,
                       const ngx_http_upstream_rr_peers_t *group)
{
    time_t now_s = ngx_time();

    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        const ngx_http_upstream_rr_peer_t *peer = upstream->peers[i].peer;

        if (upstream->peers[i].group == group) {
            snapshot->peers[i] = (struct snapshot_peer){
                .down = peer->down,
                .active = peer->conns,
#define PEER_PARAM(name, field) .param[SHARED_##name] = (int64_t)peer->field,
#include "peer_param.def"
#undef PEER_PARAM
                .unavail = view_is_unavail(&upstream->peers[i], now_s) ? 1 : 0,
            };
        }
    }
}

/* Our own sums; where they miss a worker, nginx's count of this generation may know more. */
static void take_active(struct snapshot *snapshot, const struct view *view, const struct view_upstream *upstream)
{
    bool settled = workers_settle(view->zone);
    bool exact = workers_sum_is_exact(view->zone, upstream->shared);

    for (ngx_uint_t i = 0; i < upstream->peers_n; i++) {
        if (upstream->peers[i].shared == NULL) {
            exact = false;
            continue;
        }
        uint64_t sum = workers_sum(view->zone, upstream->peers[i].shared);
        snapshot->peers[i].active = exact ? sum : ngx_max(sum, snapshot->peers[i].active);
        if (!settled && snapshot->peers[i].down != 0 && snapshot->peers[i].active == 0) {
            snapshot->peers[i].active = 1; /* may be on its way; never say quiet before it is sure */
        }
    }
    snapshot->active_exact = exact;
}

bool snapshot_take(struct snapshot *snapshot, const struct view *view, const struct view_upstream *upstream,
                   ngx_pool_t *pool)
{
    *snapshot = (struct snapshot){.now_ms = view_now_ms()};
    snapshot->peers = ngx_pcalloc(pool, (upstream->peers_n + 1) * sizeof(snapshot->peers[0]));
    if (snapshot->peers == NULL) {
        return false;
    }
    for (ngx_http_upstream_rr_peers_t *group = upstream->source.groups; group != NULL; group = group->next) {
        take_group(snapshot, upstream, group);
    }
    if (upstream->shared != NULL) {
        shared_lock(view->zone);
        snapshot->lease = upstream->shared->lease;
        take_active(snapshot, view, upstream);
        shared_unlock(view->zone);
    }
    return true;
}
