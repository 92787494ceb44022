/* route_lock.h - what a claim that meets another's lock is told. */
#ifndef AGENT_ROUTE_LOCK_H
#define AGENT_ROUTE_LOCK_H

#include "request.h"

/* Names who is in the way: the lock's holder, else the claim's; for FENCE_STALE whose fence. */
void route_lock_refuse(struct request *rq, enum code code);

#endif
