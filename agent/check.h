/* check.h - what --check looks at beyond the file itself: whether the units of the services, and the agent's own,
 * survive what the agent is to do. */
#ifndef AGENT_CHECK_H
#define AGENT_CHECK_H

#include <stdio.h>

#include "config.h"

/* False: the first fault, with its sentence; the drop-in that mends it goes to `mend`. */
bool check_units(const struct config *config, FILE *mend, struct err *err);

/* The same of one service, and of the agent's own unit where it starts that. mend may be NULL. */
bool check_service(const struct service_config *service, FILE *mend, struct err *err);

#endif
