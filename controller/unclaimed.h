/* unclaimed.h - peers that are out although no claim says that a rollout took them: by hand, by a rollout whose claim
 * went with an agent's disk, or of a node that nobody was asked about. A person must decide, so a person is told. */
#ifndef CONTROLLER_UNCLAIMED_H
#define CONTROLLER_UNCLAIMED_H

#include <stdbool.h>

#include "session.h"

/* A line for each, by the survey: a text to be freed, "" where there are none. *unknown (may be NULL): how many belong
 * to no node that was asked, in upstreams that have some of ours; all: those of nodes that were asked are named, too.
 */
char *unclaimed_text(const struct session *, bool all, unsigned *unknown);

#endif
