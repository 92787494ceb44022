/* lb_api.h - nginx's API as the controller speaks it: URLs, bodies and headers out, answers in. No I/O, no clock.
 *
 * NGINX Plus' REST API (versions 4 to 9) and our module's additions: the lease (headers Rollout-*, member `rollout` of
 * an upstream). Lists are walked peer by peer, never held as a whole tree. */
#ifndef CONTROLLER_LB_API_H
#define CONTROLLER_LB_API_H

#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"
#include "ask.h"
#include "common/err.h"
#include "plan.h"

#define LB_API_VERSION_MIN 4
#define LB_API_VERSION_MAX 9
#define LB_LIST_MAX_BYTES  (64 * 1024 * 1024) /* cap of a list of upstreams */
#define LB_BODY_MAX_BYTES  (256 * 1024)       /* cap of all other answers */
#define LB_NO_ID           UINT64_MAX

/* ---- requests. URLs: the caller frees; `root` is plan_lb.api. */
char *lb_api_url_versions(const char *root);
char *lb_api_url_nginx(const char *root, unsigned version);
char *lb_api_url_upstreams(const char *root, unsigned version);
char *lb_api_url_server(const char *root, unsigned version, const char *upstream, uint64_t id);

/* PATCH bodies, static texts. Back: `drain` where it was draining before us; our module and Plus end a drain by
 * down:false, so the drain is given again in the same PATCH. */
const char *lb_api_body_drain(void);
const char *lb_api_body_down(void);
const char *lb_api_body_back(bool was_draining);
const char *lb_api_body_renew(void); /* changes nothing: takes, renews or releases the lease by its headers */

/* Lease headers of a PATCH: the four lines. ttl_ms is rounded up to seconds; 0 releases. */
#define LB_LEASE_HEADERS 4
struct lb_lease_headers {
    char lines[LB_LEASE_HEADERS][192];
    const char *list[LB_LEASE_HEADERS]; /* as struct call_request wants them */
};
void lb_api_lease_headers(struct lb_lease_headers *, const struct plan *, uint32_t ttl_ms);

/* ---- answers */

/* The list of versions -> the highest that both know. */
bool lb_api_read_versions(const char *body, size_t size, uint8_t *version, struct err *);

/* /nginx -> a number that changes when nginx is reloaded or restarted. */
bool lb_api_read_nginx(const char *body, size_t size, uint64_t *generation, struct err *);

/* The lease of an upstream, as our module shows it. */
struct lb_lease {
    bool known;     /* the member `rollout` is there: our module. The rest is zero where it is null or empty */
    uint64_t fence; /* highest seen */
    char id[WIRE_ID_MAX + 1], holder[WIRE_HOLDER_MAX + 1];
    uint32_t ttl_s; /* left; 0 = free */
};

struct lb_peer {
    uint64_t id;
    const char *server; /* ADDR:PORT as nginx writes it */
    const char *name;   /* as its configuration names it */
    enum peer_state state;
    bool backup;
    uint32_t active;
};

/* Called in the list's order; all pointers live only for the call. `upstream` is called at the end of each, after its
 * peers. Returning false ends the walk: then lb_api_walk returns false and err is the callee's. */
struct lb_walk {
    bool (*peer)(void *ctx, const char *upstream, const struct lb_peer *, struct err *);
    bool (*upstream)(void *ctx, const char *upstream, const struct lb_lease *, struct err *);
    void *ctx;
};
bool lb_api_walk(const char *body, size_t size, const struct lb_walk *, struct err *);

/* What the load balancers showed last of the plan's upstreams and peers: arrays over the whole plan, rows of one load
 * balancer are written at a time. */
struct lb_view {
    struct seen_upstream *upstreams; /* n_upstreams */
    struct seen_peer *peers;         /* n_peers */
    uint64_t *ids;                   /* n_peers: nginx's id of it in the latest list; LB_NO_ID = not there, or twice */
    uint64_t *first_ids;             /* n_upstreams: of any server in it, for the lease */
    bool *leases;                    /* n_upstreams: shows the member `rollout` */
    uint32_t *order;                 /* n_peers, sorted by upstream and server: how a row is found */
    const struct plan *plan;
};
struct lb_view *lb_view_new(const struct plan *);
void lb_view_free(struct lb_view **);

/* Forget what `lb` showed: its peers are PEER_UNKNOWN, its upstreams not there. */
void lb_view_forget(struct lb_view *, uint16_t lb);

/* Fill in the rows of `lb` from its list; a peer is the one with the plan's address (addr_same), and PEER_UNKNOWN where
 * the upstream lists that address twice. False: the rows of `lb` are forgotten. */
bool lb_view_fill(struct lb_view *, uint16_t lb, const char *body, size_t size, struct err *);

/* `active` counts requests of old workers too: all of the plan's upstreams at `lb` are our module's. */
bool lb_view_active_exact(const struct lb_view *, uint16_t lb);

/* An answer with `status` to a PATCH of `server` (NULL: of any, for a lease). text: "" or why not. ANS_BAD where the
 * server that answered is another one: nginx was reloaded with another order in between. */
enum answer_kind lb_api_patch_answer(int status, const char *body, size_t size, const char *server, char *text,
                                     size_t text_size);

#endif
