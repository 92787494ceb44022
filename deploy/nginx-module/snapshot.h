/* snapshot.h - an upstream as it is at one moment: what changes, copied under the locks. What never changes on this
 * nginx (addresses, slow_start) is read from the peers without one. */
#ifndef API_SNAPSHOT_H
#define API_SNAPSHOT_H

#include "view.h"

struct snapshot_peer {
    ngx_uint_t down; /* nginx's value: see SHARED_DOWN, SHARED_DRAIN */
    uint64_t active; /* requests at this peer */
    int64_t param[SHARED_PARAMS];
    unsigned unavail : 1; /* nginx has given up on it for fail_timeout */
};

struct snapshot_code {
    unsigned status;
    uint64_t n;
};

struct snapshot_counts {
    uint64_t selections, selected_ms, sent_bytes, received_bytes, fails;
    uint64_t times[COUNTS_TIMES];     /* see average.h */
    uint64_t classes[COUNTS_CLASSES]; /* sums of the codes */
    struct snapshot_code *codes;      /* in rising order; those without answers are not there */
    ngx_uint_t codes_n;
    uint64_t unavail, downtime_ms;
    uint64_t downstart_ms; /* UTC; where it is unavail */
};

struct snapshot {
    struct snapshot_peer *peers;    /* as many as the upstream has */
    struct snapshot_counts *counts; /* NULL, or as many */
    struct lease lease;
    uint64_t now_ms;
    bool active_exact; /* `active` counts what workers of before a reload hold, too */
};

/* Memory from the pool. False = there is none. */
bool snapshot_take(struct snapshot *snapshot, const struct view *view, const struct view_upstream *upstream,
                   ngx_pool_t *pool);

/* Behind it, `counts`: what was active no longer is in the former and counted here. */
bool snapshot_take_counts(struct snapshot *snapshot, const struct view *view, const struct view_upstream *upstream,
                          ngx_pool_t *pool);

#endif
