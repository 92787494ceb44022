/* health.h - a health check from the controller: was the service's answer the one that is wanted? Pure. Whose answer it
 * is, the agent says before and after it (world_agent.c). */
#ifndef CONTROLLER_HEALTH_H
#define CONTROLLER_HEALTH_H

#include "call.h"
#include "plan.h"

#define HEALTH_BODY_MAX (256 * 1024) /* bytes; a longer answer is no good one */

/* text: "" or why not, for people. */
bool health_good(const struct plan_health *, const struct call_result *, char *text, size_t size);

#endif
