/* health.h - the agent's own look at the service's health: one GET over a fresh connection, believed only when the same
 * process was there before and after; with a wait it is repeated until it is good. */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <stdint.h>

#include "common/status_range.h"

#define HEALTH_BODY_MAX 1024 /* bytes of the text to be found */

struct request;

/* What a healthy answer is. */
struct health_want {
    struct status_range status;
    char body[HEALTH_BODY_MAX + 1]; /* stands in it; "" = anything */
};

/* Suspends the request, and answers it with wire.h's HEALTH after at most wait_ms + one check. */
void health_answer(struct request *rq, uint32_t wait_ms, const struct health_want *);

#endif
