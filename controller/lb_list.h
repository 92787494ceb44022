/* lb_list.h - nginx's list of upstreams (GET http/upstreams/), walked peer by peer and never held as a whole tree: ten
 * thousand peers as one tree took 43 MB. */
#ifndef CONTROLLER_LB_LIST_H
#define CONTROLLER_LB_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"
#include "ask.h"
#include "common/err.h"

/* The lease of an upstream, as our module shows it: {"fence":N,"id":TEXT,"holder":TEXT,"ttl":SECONDS LEFT,
 * "active_exact":BOOL,"state_kept":BOOL}. */
struct lb_lease {
    bool known;     /* the member `rollout` is there: our module. The rest is zero where it is null or empty */
    uint64_t fence; /* highest seen */
    char id[WIRE_ID_MAX + 1], holder[WIRE_HOLDER_MAX + 1];
    uint32_t ttl_s;              /* left; 0 = free */
    bool active_exact;           /* `active` counts requests that old workers still hold after a reload */
    bool state_told, state_kept; /* told: whether what was changed outlives nginx itself */
};

/* Of one peer, since its nginx was started. */
struct lb_counts {
    bool known; /* all of it is there */
    bool timed; /* response_ms, a moving average, is there */
    uint32_t response_ms;
    uint64_t answers, errors, fails; /* responses.total, responses.5xx, fails */
};

struct lb_peer {
    uint64_t id;
    const char *server; /* ADDR:PORT as nginx writes it */
    const char *name;   /* as its configuration names it */
    enum peer_state state;
    bool backup;
    uint32_t active;
    struct lb_counts counts; /* where the walk says so */
};

/* Called in the list's order; all pointers live only for the call. For each upstream `begin`, its peers, then `end`
 * with its lease. Returning false ends the walk: lb_list_walk returns false and err is the callee's. NULL: not called.
 */
struct lb_walk {
    bool (*begin)(void *ctx, const char *upstream, struct err *);
    bool (*peer)(void *ctx, const struct lb_peer *, struct err *);
    bool (*end)(void *ctx, const struct lb_lease *, struct err *);
    void *ctx;
    bool counts; /* peers with their counters */
};
bool lb_list_walk(const char *body, size_t size, const struct lb_walk *, struct err *);

#endif
