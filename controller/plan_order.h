/* plan_order.h - in which order the nodes are rolled. Pure. */
#ifndef CONTROLLER_PLAN_ORDER_H
#define CONTROLLER_PLAN_ORDER_H

#include "common/err.h"
#include "fleet.h"

/* --order zone: the zones one after another, in the order in which the hosts file names them first; within a zone the
 * nodes (indexes into fleet->hosts) stay as they are. False where one has no zone: it might stand in any. */
bool plan_order_by_zone(const struct fleet *, uint32_t *nodes, size_t n_nodes, struct err *);

#endif
