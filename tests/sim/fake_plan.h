/* fake_plan.h - a small plan for the fake fleet: nodes a, b, c ... behind load balancers lb1, lb2 ..., each node once
 * in every upstream of every load balancer, short times. What a test wants otherwise it sets in the plan itself. */
#ifndef SIM_FAKE_PLAN_H
#define SIM_FAKE_PLAN_H

#include "controller/plan.h"

struct fake_shape {          /* 0 = 1, but for restart */
    uint32_t nodes;          /* at most 26 */
    uint32_t lbs, upstreams; /* upstreams: of each load balancer, named app, app2 ... */
    uint32_t ports;          /* peers a node in one upstream */
    bool restart;            /* no release: restart only */
};

#define FAKE_OLD 'A' /* the executables, by the first byte of their SHA-256, the other bytes are 0 */
#define FAKE_NEW 'B'

/* rollout r1, fence 7, batch 1, max unavailable 1, three checks in a row and 1 s; to be freed by plan_free. */
struct plan *fake_plan(struct fake_shape);

/* What runs on a node in the beginning. */
struct ident fake_plan_ident(uint32_t node);

/* Make it a repair of these nodes: a dead rollout's claim of fence 7 took all their peers out, and wanted FAKE_NEW. Our
 * fence is 8. */
void fake_plan_repair(struct plan *);

/* Make it a resume of all these nodes: an earlier run of r1 with fence 7 took all their peers out. Our fence is 8. */
void fake_plan_resume(struct plan *);

#endif
