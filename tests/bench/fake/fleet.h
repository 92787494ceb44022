/* fleet.h - the fake fleet: N nodes with an agent each (agent/wire.h), behind M load balancers with one upstream `app`
 * of all of them (NGINX Plus' API; with or without our module's `Prefer: wait`). Nothing is restarted and nothing holds
 * requests: a drain and a restart take as long as they are said to take.
 *
 * Node i is 127.64.0.1 + i, load balancer k 127.32.0.1 + k; their names n00001.fleet.test and lb1.fleet.test. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "server.h"

#define FLEET_NODES_MAX 60000
#define FLEET_LBS_MAX   64
#define FLEET_NODE_BASE 0x7f400001u
#define FLEET_LB_BASE   0x7f200001u

struct fleet_peer {
    bool down, drain;
    int64_t quiet_ns; /* its last request ends then */
    struct timer quiet;
    struct wait *waits; /* for that */
};

enum fleet_job { JOB_NONE, JOB_RUNNING, JOB_DONE };

struct fleet_node {
    uint32_t pid;
    uint64_t start_ticks;
    char release[65], staged[65]; /* SHA-256 in hex; staged "" = none */
    /* the claim */
    bool claimed;
    char rollout[129], holder[129];
    uint64_t fence, highest;
    uint32_t ttl_s;
    int64_t claim_end_ns;
    char *claim_rest; /* before, target and took_out, as they came */
    /* the latest job */
    enum fleet_job job;
    char job_id[449], job_release[65], action[16];
    char *job_before; /* IDENT */
    struct timer job_end;
    struct wait *waits;
};

struct fleet_lb {
    uint64_t fence;
    char id[129], holder[129];
    int64_t lease_end_ns;
};

struct fleet {
    uint32_t n_nodes, n_lbs;
    int64_t drain_ns, restart_ns;
    bool prefer; /* GET of a server knows Prefer: wait */
    struct fleet_node *nodes;
    struct fleet_peer *peers; /* a load balancer after another */
    struct fleet_lb *lbs;
    int64_t first_ns, last_ns; /* when the first and the latest change came */
};
extern struct fleet fleet;

void fleet_new(void); /* from n_nodes and n_lbs */
void fleet_free(void);
struct fleet_peer *fleet_peer(uint32_t lb, uint32_t node);
const char *fleet_address(uint32_t node, char text[32]); /* of its service, ADDR:PORT */
void fleet_changed(void);                                /* somebody changes something now */

void lb_handle(struct conn *, const struct request *);    /* lb.c */
void agent_handle(struct conn *, const struct request *); /* agent.c */

/* A text that grows, one at a time: valid until the next page_begin. */
struct page {
    char *text;
    size_t n, room;
};
extern struct page page;
void page_begin(void);
__attribute__((format(printf, 1, 2))) void page_add(const char *format, ...);
void page_raw(const char *bytes, size_t n);
void page_send(struct conn *, int status, const char *header);
void page_error(struct conn *, int status, const char *code, const char *text); /* as both APIs have it */

#endif
