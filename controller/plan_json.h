/* plan_json.h - a plan that was not begun, for programs: the document of `plan --output json` (docs/output.md); and the
 * sums that its text needs as well. */
#ifndef CONTROLLER_PLAN_JSON_H
#define CONTROLLER_PLAN_JSON_H

#include <jansson.h>

#include "plan_make.h"

/* {"kind","service","release":HEX|null,"version":TEXT|null,"to_do":N,"at_a_time":[N],"by_zone":BOOL,
 *  "upstreams":[{"upstream","lb","configured":N,"up":N,"floor":N}],
 *  "nodes":[{"node","action":"upgrade|restart|none","from":HEX,"to":HEX|null,"zone":TEXT|null,"in_place":BOOL,
 *            "takes_out":[{"server","upstream","lb"}]}]} - a new reference. */
json_t *plan_json(const struct plan *, const struct survey *);

/* Nodes that the plan would change. */
uint32_t plan_to_do(const struct plan *);

/* Of the plan's upstream: its peers that are no backup, and how many of them are up. */
uint32_t plan_peers_up(const struct plan *, const struct survey *, uint32_t upstream, uint32_t *configured);

#endif
