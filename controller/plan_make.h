/* plan_make.h - from hosts file, options and survey to a plan, or to all the reasons why not. Pure: reads no world. */
#ifndef CONTROLLER_PLAN_MAKE_H
#define CONTROLLER_PLAN_MAKE_H

#include "complaints.h"
#include "fleet.h"
#include "options.h"
#include "plan.h"
#include "release_signature.h"
#include "survey.h"

/* What the caller has found out about itself and its release. */
struct plan_request {
    const char *rollout; /* id */
    const char *holder;
    bool rolls_back;     /* --failure-action rollback */
    bool rollback;       /* each node to the release before the one that runs; without a release */
    uint32_t pause_left; /* of a resume: nodes to the --pause-after that the run before did not come to; 0 = none */
    const char *hosts, *given; /* given.h; NULL = not to be kept. They outlive the plan, which borrows them */
    bool has_release;
    uint8_t release_sha256[32];
    uint64_t release_size;
    struct release_signature signature;
};

/* Claims, leases and votes name rollout and holder: is it this very process's? An id may be a pipeline's, which a
 * second job of it, or the same job again, has too. */
bool plan_is_ours(const struct plan_request *, const char *rollout, const char *holder);

/* NULL when the complaints have an exit code. The rules: DESIGN 4.1 (whose peer), 4.3 (leases, claims), I1 (a plan that
 * cannot hold the floor is refused). */
struct plan *plan_make(const struct fleet *, const struct options *, const struct survey *, const struct plan_request *,
                       struct complaints *);

/* The plan that puts back what dead rollouts took out, by the agents' claims. A plan of no nodes: nothing to repair. An
 * agent that cannot be reached is complained about, but the others are mended: the plan is there all the same. */
struct plan *plan_make_repair(const struct fleet *, const struct options *, const struct survey *,
                              const struct plan_request *, struct complaints *);

/* Of `rollout rollback`: to which release a node goes back, or a complaint that none is known; in plan_rollback.c. */
void plan_aim_back(struct plan_node *, const struct agent_status *, const struct plan_request *, struct complaints *);
/* The node is claimed by an earlier run of it: complains where that was no rollback. */
void plan_check_back(const char *name, const struct survey_node *, const struct plan_request *, struct complaints *);

/* Of an upgrade: in plan_signature.c. */
void plan_check_signature(const struct fleet *, const struct options *, const struct survey *,
                          const struct plan_request *, struct complaints *);

/* --in-place, the one exception to I2: nodes that are alone in an upstream are handed over without being taken out; in
 * plan_in_place.c. */
void plan_mark_in_place(struct plan *, const struct survey *);

/* Where an upstream of the plan is NGINX Plus: who has a vote. False, with a complaint, where a majority cannot be had.
 * In plan_lock.c. */
bool plan_add_voters(struct plan *, const struct fleet *, const struct survey *, const struct plan_request *,
                     struct complaints *);

/* What both begin with: settings, load balancers; in plan_settings.c. */
struct plan *plan_begin(const struct fleet *, const struct options *, const struct survey *,
                        const struct plan_request *);
/* In plan_health.c. Can the agents check what is wanted, and is what the controller would ask the node's own service?
 */
void plan_check_health(const struct fleet *, const struct options *, const struct survey *, struct complaints *);
/* What checks this node's health: plan_node.health. */
const char *plan_health_url(struct plan *, const struct fleet *, const struct options *, const struct survey_node *);
/* Name, host, service, agent, address and zone of a node. */
void plan_name_node(struct plan *, struct plan_node *, const struct fleet *, const struct survey_node *);
/* 1 + the highest fence that any load balancer or agent reports. */
uint64_t plan_next_fence(const struct survey *);
/* Index of an upstream at a load balancer (by survey index), or -1. */
const struct survey_upstream *plan_surveyed_upstream(const struct survey *, uint16_t lb, const char *upstream);

#endif
