/* lb_known.h - the addresses that the plan's nodes listen on: whose is a server that the plan does not have? By the
 * rule of peer_book.h, an address of the loopback means the machine of whoever says it. */
#ifndef CONTROLLER_LB_KNOWN_H
#define CONTROLLER_LB_KNOWN_H

#include "plan.h"

struct lb_known;

/* The plan is borrowed until lb_known_free. */
struct lb_known *lb_known_new(const struct plan *);
void lb_known_free(struct lb_known **);

/* The nodes that listen on the address of `server` of the load balancer `lb`, one a call; *next begins as 0. -1: no
 * more. */
int32_t lb_known_next(const struct lb_known *, uint16_t lb, const char *server, uint32_t *next);

#endif
