/* world_net.h - the real world: actions become HTTP calls to nginx's API and the agents, answers become inputs.
 *
 * A load balancer's list is read for everybody who needs it. Ids of servers come from the latest list, at most
 * WORLD_LIST_AGE_MS old, and are never kept beyond it. Of an action that needs several calls the answer's kind is the
 * worst (answer_worse). */
#ifndef CONTROLLER_WORLD_NET_H
#define CONTROLLER_WORLD_NET_H

#include "call.h"
#include "plan.h"
#include "world.h"

struct view;

#define WORLD_LIST_AGE_MS 1000

/* `plan` and `calls` are borrowed until close (which drops all calls under way). The profiles of all hosts are set in
 * `calls` already; calls_wake ends a collect early with no inputs. */
struct world *world_net_open(const struct plan *, struct calls *);

/* What hooks are told of, fed by the loop before it starts an action; borrowed until close. Without it no hook runs. */
void world_net_tell(struct world *, const struct view *);

#endif
