/* view.h - one configuration's upstreams, of http or of stream, beside their entries in the shared zone.
 *
 * Built once a configuration, in the master; workers inherit it. It holds nginx's own peers (in that configuration's
 * upstream zones) and what is wanted of them (in ours), and brings the one in line with the other: when it is built, on
 * a PATCH, and, in workers of other generations, before they select a peer or answer (view_follow).
 *
 * On nginx before 1.27.3 the peers of a zone are fixed, so the pointers stay good and an id is a place in the array:
 * the primary servers in the order of the configuration, then the backup ones.
 *
 * nginx keeps the peers of stream upstreams in structs of their own names and of the same layout (its two headers
 * differ in prefixes only; stream/ checks it at compile time). So http's names stand for both here. */
#ifndef API_VIEW_H
#define API_VIEW_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <stdbool.h>

#include "shared.h"

struct balance; /* balance.h */

struct view_peer {
    ngx_http_upstream_rr_peers_t *group; /* primary or backup */
    ngx_http_upstream_rr_peer_t *peer;
    struct shared_peer *shared; /* NULL: the shared zone is full; the peer stays as configured */
    uint32_t ordinal;           /* among the upstream's peers with the same address */
};

/* Where an address stands in memory tells the peer: every balancer hands out the one that stands in the peer itself. */
struct view_place {
    const struct sockaddr *address; /* NULL: nothing is here */
    const struct view_peer *entry;
};

/* An upstream as nginx made it. */
struct view_source {
    ngx_str_t name;
    ngx_str_t zone;                       /* the name of its `zone` */
    ngx_http_upstream_rr_peers_t *groups; /* in that zone: the primary servers, then the backup ones, if any; NULL: it
                                             has no `zone`, and nothing of it can be changed */
    bool weight_is_fixed;                 /* its balancer does not take another weight; see weights.h */
    struct view_random *random;           /* of its balancer `random`; or NULL */
    struct balance *balance;              /* to be told which upstream of the view it belongs to */
};

struct view_upstream {
    enum shared_kind kind;
    struct view_source source;
    struct shared_upstream *shared; /* NULL: as above */
    struct view_peer *peers;
    ngx_uint_t peers_n;
    struct view_place *places; /* a hash table of the same by address; its size is 1 << (64 - places_shift) */
    unsigned places_shift;
    /* Of this process, where the peers' rwlock is not given back (apply.h): */
    bool weights_stuck;        /* the log knows */
    uint64_t weights_again_ms; /* until then nobody waits for it; 0 = it was to be had */
};

struct view {
    enum shared_kind kind;
    ngx_shm_zone_t *zone;            /* ours */
    struct view_upstream *upstreams; /* those with a `zone` only; in the order of their sources */
    ngx_uint_t upstreams_n;
    const struct view_source *sources; /* all that it was built from, the others too */
    ngx_uint_t sources_n;
    uint64_t generation; /* of this configuration */
    bool state_kept;     /* `api_state` is set */
    ngx_uint_t followed; /* the shared version that our peers show; of this process */
    ngx_event_t again;   /* of this process: tries once more what apply_view could not do */
};

/* What a PATCH wants of a server; a member that was not sent is not `has_`. */
struct view_change {
    unsigned has_drain : 1;
    unsigned drain : 1;
    unsigned has_down : 1;
    unsigned down : 1;
    unsigned has_params; /* bits of enum shared_param */
    int64_t param[SHARED_PARAMS];
    uint32_t min_up; /* it is refused where it takes a server out and would leave fewer that serve */
};

/* What is to be told of a change that was refused. */
struct view_refusal {
    struct lease lease;      /* the upstream's: the one in the way */
    ngx_uint_t left_serving; /* servers without the one to be taken out */
};

enum view_verdict {
    VIEW_CHANGED,
    VIEW_NO_MEMORY, /* the peer has no entry in the shared zone */
    VIEW_HELD,      /* see lease.h */
    VIEW_STALE,
    VIEW_TOO_FEW, /* would be left, see min_up */
    VIEW_LOCKED,  /* weights cannot be changed, see apply.h; nothing is */
};

/* In init_module, once a configuration, before its views are built: counts the generation up, and forgets what no
 * living worker's configuration has. */
void view_generation_begin(ngx_shm_zone_t *zone, const ngx_cycle_t *cycle);

/* In init_module. view->kind and view->zone are set. Registers upstreams and peers, applies what is wanted of them.
 * `sources` lives as long as the configuration. */
ngx_int_t view_build(struct view *view, const struct view_source *sources, ngx_uint_t sources_n, ngx_cycle_t *cycle);

bool view_is_backup(const struct view_upstream *upstream, ngx_uint_t id);

/* nginx has given up on the peer for fail_timeout, as its balancers judge. */
bool view_is_unavail(const struct view_peer *entry, time_t now_s);

/* The end of that by the monotonic clock, where it is given up; not before now_ms, which is that clock's. */
uint64_t view_unavail_until_ms(const struct view_peer *entry, uint64_t now_ms);

#define VIEW_PLACE_FACTOR 0x9e3779b97f4a7c15u /* spreads what differs in few bits */

/* The peer that a balancer has selected. NULL = none of this upstream's. */
static inline const struct view_peer *view_peer_at(const struct view_upstream *upstream, const struct sockaddr *address)
{
    uint64_t at = ((uint64_t)(uintptr_t)address * VIEW_PLACE_FACTOR) >> upstream->places_shift;

    while (upstream->places[at].address != address) {
        if (upstream->places[at].address == NULL) {
            return NULL;
        }
        at++; /* behind the last place there is always an empty one */
    }
    return upstream->places[at].entry;
}

/* The upstream with that name. NULL = none with a zone; whether there is one without. */
struct view_upstream *view_find(const struct view *view, const char *name, size_t size_bytes);
bool view_is_static(const struct view *view, const char *name, size_t size_bytes);

/* Applies what others have changed since. Cheap when there is nothing. */
static inline bool view_is_current(const struct view *view)
{
    return view->followed == shared_of(view->zone)->version;
}
void view_follow(struct view *view);

/* In a worker at its start: it may come in the place of one that was killed. See apply_conns. */
void view_mend(const struct view *view);

/* Lease, floor and change in one step under the lock: all of it is done, or nothing. ask: NULL for a client that knows
 * of no lease. */
enum view_verdict view_change(struct view *view, struct view_upstream *upstream, struct view_peer *peer,
                              const struct view_change *change, const struct lease_ask *ask,
                              struct view_refusal *refusal);

/* The clock of leases: monotonic, the same in all processes. */
uint64_t view_now_ms(void);

#endif
