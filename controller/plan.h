/* plan.h - what a rollout is going to do, decided once from the hosts file and a survey of the world, then read-only.
 *
 * Everything below refers to parts of the plan by index, so that run and node states are flat. Strings belong to the
 * plan. The plan is packed whole into the rollout's first event: a resume needs no hosts file. */
#ifndef CONTROLLER_PLAN_H
#define CONTROLLER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_range.h"
#include "hook.h"
#include "ident.h"
#include "pool.h"

#define PLAN_NODE_PEERS_MAX 64 /* peers a node, over all load balancers and upstreams: bits of a mask */
#define PLAN_LBS_MAX        256
#define PLAN_UPSTREAMS_MAX  1024
#define PLAN_NODES_MAX      60000
#define PLAN_BATCHES_MAX    16

/* Waiting times of the steps (node.def names them): PLAN_WAIT(NAME, "what it is, for --explain"). */
#define PLAN_WAITS(X)                                                                                                  \
    X(NONE, "no limit")                                                                                                \
    X(CHANGE, "three times --request-timeout")                                                                         \
    X(STAGE, "10m and three times --request-timeout")                                                                  \
    X(FLOOR, "--healthy-deadline")                                                                                     \
    X(DRAIN, "--drain-timeout")                                                                                        \
    X(JOB, "--job-timeout")                                                                                            \
    X(HEALTH, "--healthy-deadline")                                                                                    \
    X(BAKE, "--bake")                                                                                                  \
    X(RETRY, "1s")                                                                                                     \
    X(POLL, "--lb-poll")                                                                                               \
    X(MEND, "the dead claim's rest and three times --request-timeout")                                                 \
    X(PROBE, "--health-interval")                                                                                      \
    X(DRAIN_POLL, "--drain-poll, where nginx does not tell by itself")                                                 \
    X(WISH, "1s")                                                                                                      \
    X(HOOK, "--hook-timeout")
enum plan_wait {
#define X(name, text) WAIT_##name,
    PLAN_WAITS(X)
#undef X
        WAIT_COUNT
};

/* What a healthy answer is, whoever asks for it. */
struct plan_health {
    struct status_range status;
    const char *body; /* stands in it; "" = anything */
};

struct plan_lb {
    const char *name;    /* inventory name */
    const char *api;     /* URL of the API's root, without a version and without a slash at the end */
    const char *address; /* what to connect to for the URL's host; the TLS name stays the URL's */
    uint8_t api_version; /* the one we speak with it: the highest both know, 4..9 */
};

/* One upstream at one load balancer: what a lease covers and what the floor is counted for. Sorted by api, name: leases
 * are taken in this order, so that of two rollouts one gets all and the other none. */
struct plan_upstream {
    uint16_t lb;
    const char *name;
    bool plus; /* its load balancer knows no lease: NGINX Plus. The voters' lock stands for it */
};

/* Who has a vote in the lock, where an upstream is Plus: one service of one host of the hosts file, limited out or not;
 * in the order in which they are asked, so that of two rollouts the first voter decides. A majority is needed of each
 * service's. */
struct plan_voter {
    const char *host; /* inventory name */
    const char *service;
    const char *agent, *address;
    uint16_t group; /* which of the rollout's services that is, from 0 */
};

/* A node is one service on one host: where several services of a host are rolled, each is a node of the plan, with an
 * agent's status, claim, job and peers of its own. */
/* A node's place in one upstream, keyed by load balancer, upstream and address; its id at nginx is looked up afresh. */
struct plan_peer {
    uint16_t node;
    uint16_t upstream;
    const char *server; /* nginx's own spelling, "127.0.0.1:8001" */
};

struct plan_node {
    const char *name; /* for people, and in job ids: inventory name, or "web1/app" where several services are rolled */
    const char *host; /* inventory name; also the name in the agent's certificate. NULL = name */
    const char *service; /* NULL = the plan's */
    const char *agent;   /* URL of the agent, https://NAME:9443, without a slash at the end */
    const char *address; /* what to connect to */
    const char *zone;    /* "" = none */
    const char *health;  /* URL that the controller checks itself; "" = the agent checks */
    const char *listens; /* ADDR:PORT,ADDR:PORT: where its service listens, each a server of nginx that is this node;
                            NULL or "" where that is not how it is known (rollout_peer, a repair) */
    uint32_t first_peer; /* its peers are peers[first_peer .. first_peer + n_peers) */
    uint32_t n_peers;
    bool at_target;        /* surveyed as running it already: skipped, and said so */
    bool in_place;         /* alone in an upstream, and --in-place was given: it is not taken out for its job */
    struct ident surveyed; /* what ran at the time of the survey */
    bool brought;          /* at_target by an earlier run of this rollout: before is what ran before that */
    bool resumed;          /* an earlier run of this rollout left it with a claim: it begins in MEND, and at once */
    bool partial;          /* a dead rollout's: it may have peers that the plan does not know, so it gets no job (I2) */
    /* From the claim of the dead rollout, or of the run before; nothing else has any, but a rollback the last two. */
    uint64_t out_mask, prior_drain_mask; /* what that rollout took out, and what of it was draining before it */
    uint64_t claim_fence;                /* of the claim that is there; what the next PUT expects */
    struct ident before;                 /* what ran when it was claimed */
    bool has_target;                     /* it is, or was, to run: */
    uint8_t target_sha256[32];
};

/* The bake on nginx's counters: gate.h. In hundredths of a percent; in force where WAIT_BAKE is not 0. */
struct plan_gate {
    uint32_t max_5xx_bp, max_fails_bp, max_slower_bp;
    uint32_t min_requests; /* 0: no gate */
    bool pause;            /* --on-inconclusive pause */
};

enum plan_kind {
    PLAN_ROLL,    /* to the release, or a restart */
    PLAN_REPAIR,  /* what a dead rollout took out is put back */
    PLAN_ROLLBACK /* each node to its target_sha256, the release before the one that runs */
};

struct plan {
    enum plan_kind kind;
    const char *rollout;       /* id: [A-Za-z0-9._-] */
    const char *holder;        /* who and where, for people: "ann@ci-7 pid 4711" */
    const char *service;       /* or several, "app,jobs": then each node says which it is */
    const char *hosts, *given; /* given.h: hosts file and options, for a resume by the journal; "" = not kept */
    uint64_t fence;
    uint32_t lease_ttl_ms;  /* of leases and claims */
    uint32_t lease_wait_ms; /* how long another's lease is waited for before it is exit 6: 0, or for a repair the rest
                               of the dead rollout's ttl */

    bool has_release; /* false: restart only */
    const char *release_file;
    uint8_t release_sha256[32];
    uint64_t release_size;
    const char *version; /* label; "" = none */

    uint32_t wait_ms[WAIT_COUNT];
    uint32_t connect_timeout_ms;
    bool drain_proceed; /* --on-drain-timeout proceed */
    uint8_t success_threshold;
    uint32_t min_healthy_ms;
    uint32_t n_batches;                 /* at least 1 */
    uint32_t batches[PLAN_BATCHES_MAX]; /* the k-th caps the nodes in motion once the sum of those before is done */
    uint32_t canary;                    /* so many nodes that the rollout changes go before all others; 0 = none */
    uint32_t pause_after;               /* after so many it waits for a promotion; 0 = never */
    uint32_t max_unavailable;           /* nodes an upstream, or percent of its configured peers */
    bool max_unavailable_percent;       /* rounded down, at least 1 */
    struct plan_gate gate;
    struct plan_health health;

    uint32_t n_hooks;
    struct hook *hooks;                      /* by point, and in the order in which they were given */
    uint8_t hook_from[HOOK_POINT_COUNT + 1]; /* those of a point are hooks[hook_from[point] .. hook_from[point + 1]) */

    bool by_zone; /* never two zones in motion at once */

    uint32_t max_failures; /* nodes that may fail before the rollout ends for it; UINT32_MAX: all of them */
    bool rolls_back;       /* and then takes the nodes back that it has changed */
    bool goes_back;        /* an earlier run of it was doing that: it begins with the way back */

    uint32_t n_lbs, n_upstreams, n_peers, n_nodes, n_voters, n_groups;
    struct plan_lb *lbs;
    struct plan_upstream *upstreams;
    struct plan_peer *peers;   /* grouped by node */
    struct plan_node *nodes;   /* in the order they are rolled */
    struct plan_voter *voters; /* none where no upstream is Plus: then there is no lock */

    struct pool owned; /* all strings and arrays above */
};

const char *plan_kind_word(enum plan_kind); /* roll, repair, rollback */

struct plan *plan_new(void); /* empty; filled in by plan_make.c or plan_unpack.c */
void plan_free(struct plan **);

/* A copy of `text` (NULL = "") that lives as long as the plan. */
const char *plan_keep(struct plan *, const char *text);

/* The hooks that it has: `n` of them, in the order in which they were given; the texts are copied. */
void plan_set_hooks(struct plan *, const struct hook *, uint32_t n);

static inline uint32_t plan_hooks(const struct plan *p, enum hook_point point)
{
    return (uint32_t)(p->hook_from[point + 1] - p->hook_from[point]);
}

static inline const struct hook *plan_hook(const struct plan *p, enum hook_point point, uint32_t i)
{
    return &p->hooks[p->hook_from[point] + i];
}

/* A node that is back is watched by what nginx counts. */
static inline bool plan_gates(const struct plan *p)
{
    return p->kind == PLAN_ROLL && p->wait_ms[WAIT_BAKE] > 0 && p->gate.min_requests > 0;
}

static inline const char *plan_node_host(const struct plan *p, uint16_t node)
{
    return p->nodes[node].host != NULL ? p->nodes[node].host : p->nodes[node].name;
}

static inline const char *plan_node_service(const struct plan *p, uint16_t node)
{
    return p->nodes[node].service != NULL ? p->nodes[node].service : p->service;
}

/* Index of a peer's load balancer. */
static inline uint16_t plan_peer_lb(const struct plan *p, uint32_t peer)
{
    return p->upstreams[p->peers[peer].upstream].lb;
}

#endif
