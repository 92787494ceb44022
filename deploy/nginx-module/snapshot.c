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

/* ---- counts */

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static int compare_codes(const void *a, const void *b)
{
    unsigned left = ((const struct snapshot_code *)a)->status, right = ((const struct snapshot_code *)b)->status;

    return (left > right) - (left < right);
}

/* The classes are summed from what is shown of the codes, so that the two agree. */
static bool take_codes(struct snapshot_counts *to, const struct counts *from, ngx_pool_t *pool)
{
    ngx_uint_t n = 0;

    for (const struct counts_code *code = from->codes; code != NULL; code = code->next) {
        n++;
    }
    to->codes = ngx_palloc(pool, (n + 1) * sizeof(to->codes[0]));
    if (to->codes == NULL) {
        return false;
    }
    for (const struct counts_code *code = from->codes; code != NULL; code = code->next) {
        uint64_t answers = load(&code->n);

        if (answers != 0) {
            to->codes[to->codes_n++] = (struct snapshot_code){code->status, answers};
            to->classes[counts_class(code->status)] += answers;
        }
    }
    for (unsigned i = 0; i < COUNTS_CLASSES; i++) {
        to->classes[i] += load(&from->uncoded[i]);
    }
    ngx_qsort(to->codes, to->codes_n, sizeof(to->codes[0]), compare_codes);
    return true;
}

static bool take_counts(struct snapshot_counts *to, const struct counts *from, const struct snapshot *snapshot,
                        bool unavail, ngx_pool_t *pool)
{
    *to = (struct snapshot_counts){
        .selections = load(&from->selections),
        .selected_ms = load(&from->selected_ms),
        .sent_bytes = load(&from->sent_bytes),
        .received_bytes = load(&from->received_bytes),
        .fails = load(&from->fails),
        .unavail = from->outage.times,
        .downtime_ms = outage_total_ms(&from->outage, snapshot->now_ms),
        .downstart_ms = unavail && outage_lasts(&from->outage, snapshot->now_ms) ? from->outage.start_ms : 0,
    };
    for (unsigned i = 0; i < COUNTS_TIMES; i++) {
        to->times[i] = load(&from->averages[i]);
    }
    return take_codes(to, from, pool);
}

bool snapshot_take_counts(struct snapshot *snapshot, const struct view *view, const struct view_upstream *upstream,
                          ngx_pool_t *pool)
{
    bool good = true;

    snapshot->counts = ngx_pcalloc(pool, (upstream->peers_n + 1) * sizeof(snapshot->counts[0]));
    if (snapshot->counts == NULL) {
        return false;
    }
    shared_lock(view->zone);
    for (ngx_uint_t i = 0; good && i < upstream->peers_n; i++) {
        const struct view_peer *entry = &upstream->peers[i];
        bool unavail = snapshot->peers[i].down == 0 && snapshot->peers[i].unavail;

        good =
            entry->shared == NULL || take_counts(&snapshot->counts[i], &entry->shared->counts, snapshot, unavail, pool);
    }
    shared_unlock(view->zone);
    return good;
}
