/* fleet.h - a whole fleet on loopback: demo-servers, their agents with mutual TLS, nginxes that list all of them in the
 * upstream `app`, and the hosts file.
 *
 * A peer that failed is tried again after 1 s (nginx's default: 10 s). Nodes are node1, node2, ...; load balancers lb1,
 * lb2, ... */
#ifndef STAGE_FLEET_H
#define STAGE_FLEET_H

#include "tests/stage/agent.h"
#include "tests/stage/nginx.h"
#include "tests/stage/rollout.h"
#include "tests/stage/server.h"

#define STAGE_NODES_MAX 16
#define STAGE_LBS_MAX   4

struct stage_node {
    const char *name;
    struct stage_server *server;
    struct stage_agent *agent;
};

struct stage_fleet {
    struct stage *stage;
    unsigned n_nodes, n_lbs;
    struct stage_node node[STAGE_NODES_MAX];
    struct stage_nginx *lb[STAGE_LBS_MAX];
    const char *api[STAGE_LBS_MAX];     /* as the hosts file names it: that nginx's, unless plus.h is in front of it */
    const struct stage_tls *controller; /* its certificate */
    const char *hosts;                  /* path of the hosts file */
};

/* All nodes at version 1, up in every upstream. */
struct stage_fleet *stage_fleet(struct stage *s, unsigned n_nodes, unsigned n_lbs);

/* The same of other services: `start` sets server and agent of node[i], whose name is there. Of the server only its
 * peer is looked at: what goes by its pid file or /version is of demo-servers alone. */
typedef void stage_node_fn(struct stage_fleet *f, unsigned i);
struct stage_fleet *stage_fleet_of(struct stage *s, unsigned n_nodes, unsigned n_lbs, stage_node_fn *start);

/* Write another hosts file: `vars` are lines put into [web:vars] beside ours, e.g. "rollout_bake=1s\n". Returns its
 * path; fleet->hosts is that one from now on. */
const char *stage_fleet_hosts(struct stage_fleet *f, const char *vars);

/* `rollout --hosts F --cert .. --key .. --cacert .. ARGS` (ARGS NULL-terminated, a command such as "plan" first). The
 * waits are short ones: --min-healthy-time 100ms --health-interval 50ms --lb-poll 50ms; a later flag in ARGS wins. */
struct stage_rollout *stage_fleet_start(struct stage_fleet *f, const char *const *args);
struct stage_rollout *stage_fleet_run(struct stage_fleet *f, uint32_t limit_ms, const char *const *args);

/* ---- how nginx sees a node: peer `node` of the upstream `app` at load balancer `lb` */
json_t *stage_fleet_peer(struct stage_fleet *f, unsigned lb, unsigned node);
/* "up", "draining", "down", "unavail": its `state`. */
const char *stage_fleet_peer_state(struct stage_fleet *f, unsigned lb, unsigned node);
/* True when every node is `up` on every load balancer. */
bool stage_fleet_all_up(struct stage_fleet *f);
/* How many nodes answer /version with this text. */
unsigned stage_fleet_at_version(struct stage_fleet *f, const char *version);
/* The test fails where one does not answer with its letter of this text, "212". */
void stage_fleet_expect_versions(struct stage_fleet *f, const char *versions);

#endif
