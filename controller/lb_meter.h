/* lb_meter.h - from nginx's counters in one list after another to what was served since the first. Pure.
 *
 * Counters belong to a start of nginx and to a server of its file: where one is lower than in the list before, or the
 * server was not there, what came in between is unknown, counts as nothing, and counting goes on from there. A server
 * is known by its upstream and address; of several with the same, the first of one list is the first of the next. */
#ifndef CONTROLLER_LB_METER_H
#define CONTROLLER_LB_METER_H

#include "lb_list.h"
#include "plan.h"

#define LB_METER_NO_ROW UINT32_MAX

struct lb_meter;
struct lb_meter *lb_meter_new(const struct plan *); /* the plan is borrowed */
void lb_meter_free(struct lb_meter **);

/* A list: begun, each server of the plan's upstreams in its order (`row`: the plan's peer that it is, or
 * LB_METER_NO_ROW), ended. One that is never ended is as if it had not come. */
void lb_meter_begin(struct lb_meter *, uint16_t lb);
void lb_meter_add(struct lb_meter *, uint32_t upstream, uint32_t row, const struct lb_peer *);
void lb_meter_name(struct lb_meter *, uint32_t upstream, uint32_t row, const char *server); /* a row found later */
void lb_meter_end(struct lb_meter *, uint16_t lb);

/* Of a peer of the plan: seen_peer.own and .others. */
const struct served *lb_meter_own(const struct lb_meter *, uint32_t peer);
const struct served *lb_meter_others(const struct lb_meter *, uint32_t peer);

#endif
