/* status.h - STATUS of wire.h: what one service is and does on this node now. */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <jansson.h>

#include "service.h"

json_t *status_to_json(struct service *service);                                  /* a new reference; never waits */
json_t *status_job_to_json(const struct service *service, const struct job *job); /* with the time it has run so far */

#endif
