/* survey.h - what the world looks like before anything is changed: every load balancer and every node, read in
 * parallel, each call with its limit. Facts only; what they mean is plan_make's. */
#ifndef CONTROLLER_SURVEY_H
#define CONTROLLER_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_read.h"
#include "call.h"
#include "fleet.h"
#include "lb_list.h"
#include "options.h"
#include "pool.h"

struct survey_peer {
    uint64_t id;
    const char *server, *name; /* as nginx writes it; as configured */
    enum peer_state state;
    bool backup;
    uint32_t active;
};

struct survey_upstream {
    const char *name;
    struct lb_lease lease;
    uint32_t n_peers;
    struct survey_peer *peers;
};

struct survey_lb {
    uint32_t host;          /* index into fleet->hosts */
    enum call_failure call; /* worst of its calls */
    bool good;              /* all below is there; else text says why not */
    char text[ANSWER_TEXT_MAX];
    bool read_only;      /* it takes no changes: then it is not good either */
    int64_t cert_ends_s; /* doctor: see struct call_result; 0: not told */
    uint8_t api_version;
    uint64_t generation;
    uint32_t n_upstreams;
    struct survey_upstream *upstreams; /* in the order of the list */
};

/* One service of one node. */
struct survey_node {
    uint32_t host;
    const char *service; /* NULL: the only one, options->service */
    const char *name;    /* for people, where it is one of several: "web1/app"; else NULL, see survey_node_name */
    enum call_failure call;
    bool good;
    const char *text;             /* what is wrong; "" = nothing */
    int64_t cert_ends_s, ahead_s; /* doctor: of its certificate and clock, see struct call_result */
    bool has_clock;
    struct agent_root root;     /* contract version, agent's version, features, node as the agent calls itself */
    struct agent_status status; /* what runs, listening, claim, fence, job */
};

struct survey {
    uint32_t n_lbs, n_nodes;
    struct survey_lb *lbs;     /* every load balancer of the fleet, in its order */
    struct survey_node *nodes; /* as asked for; a node's services stand side by side */
    uint32_t n_others;         /* the same of all other hosts of the hosts file: where a load balancer has no lease */
    struct survey_node
        *others;       /* (NGINX Plus) they have a vote, and an earlier run of a named rollout had them perhaps */
    struct pool owned; /* texts */
};

/* The i-th of nodes and others together. */
static inline struct survey_node *survey_voter(const struct survey *s, uint32_t i)
{
    return i < s->n_nodes ? &s->nodes[i] : &s->others[i - s->n_nodes];
}

static inline const char *survey_node_name(const struct fleet *f, const struct survey_node *n)
{
    return n->name != NULL ? n->name : f->hosts[n->host].name;
}

/* Tell `calls` the certificates, trust and password files of every host, as the options and the hosts file have them.
 */
bool survey_set_profiles(struct calls *, const struct fleet *, const struct options *, struct err *);

/* Its service is in use there: where the hosts file names services of this host, that is one of them. */
bool survey_serves(const struct fleet *, uint32_t host, const char *service);

/* Where no whole answer comes, or a 503, a host is asked once more after 200, 400, 800 ms and so on, as long as that is
 * within so much of the first time: this, or --request-timeout where that is less. Not where it refuses, and not where
 * certificates are not trusted. One that says nothing until its limit has had its time. */
#define SURVEY_PATIENCE_MS 3000
uint32_t survey_patience_ms(const struct options *);

/* Read all load balancers and these nodes (n_nodes indexes into fleet->hosts), each service of --service. An
 * unreachable host is a fact like any other (good = false). A wake-up (calls_wake) breaks it off: NULL. */
struct survey *survey_make(struct calls *, const struct fleet *, const struct options *, const uint32_t *nodes,
                           size_t n_nodes);
void survey_free(struct survey **);

#endif
