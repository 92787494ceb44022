/* plan_resume.h - what an earlier run of the same rollout has done and left, by the agents' claims and jobs: for
 * plan_make.c. Pure.
 *
 * A node with a claim of this rollout's id is resumed: what was taken out, what of it was draining, and what ran before
 * come from the claim, so that the journal is not needed (DESIGN I6). */
#ifndef CONTROLLER_PLAN_RESUME_H
#define CONTROLLER_PLAN_RESUME_H

#include "plan_make.h"

/* Its agent holds a claim of this rollout, whoever put it. */
bool plan_resume_holds(const struct survey_node *, const struct plan_request *);

/* An earlier run took another release there, or none: complains. */
void plan_resume_check(const char *name, const struct survey_node *, const struct plan_request *, struct complaints *);

/* The node (survey index) whose claim says that this rollout took the peer out, or -1: where nothing runs it listens
 * nowhere. */
int32_t plan_resume_owner(const struct survey *, const struct plan_request *, const char *lb, const char *upstream,
                          const char *server);

/* The node's masks and `before`, once its peers are in the plan. Complains where what was taken out is not found. */
void plan_resume_node(const struct plan *, struct plan_node *, const struct agent_claim *, struct complaints *);

/* Its claim says that an earlier run was taking it back from the release; in plan_resume_back.c. */
bool plan_resume_goes_back(const struct survey_node *, const struct plan_request *);
/* Where an earlier run was on its way back, and this one is to roll back as well, so is the plan: it goes on there. */
void plan_resume_back(struct plan *, const struct survey *, const struct plan_request *);

/* The release (a SHA-256) that an earlier run was taking the node back from, or has; NULL: it tells of none. */
const uint8_t *plan_resume_from(const struct survey_node *, const struct plan_request *);
/* Nobody has named that release now: complains. */
void plan_resume_back_lacks(const char *name, const struct survey_node *, const struct plan_request *,
                            struct complaints *);

/* What runs came by a job of this rollout, which is done there; for a restart that is all that tells. */
bool plan_resume_brought(const struct agent_status *, const struct plan_request *);

/* An earlier run took nodes back again: to go on would bring to them what it took away. Complains. */
void plan_resume_rolled_back(const struct fleet *, const struct survey *, const struct plan_request *,
                             struct complaints *);

/* It is told to take back what a restart has changed: complains. */
void plan_resume_takes_nothing_back(const struct plan_request *, struct complaints *);

/* A resume without a journal: complains where the fleet does not tell enough to go on from. */
void plan_resume_traces(const struct fleet *, const struct survey *, const struct plan_request *, struct complaints *);

#endif
