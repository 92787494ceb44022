/* health.h - the agent's own look at the service's health: one GET over a fresh connection, believed only when the same
 * process was there before and after; with a wait it is repeated until it is good. */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <stdint.h>

struct request;

/* Suspends the request, and answers it with wire.h's HEALTH after at most wait_ms + one check. */
void health_answer(struct request *rq, uint32_t wait_ms);

#endif
