/* unclaimed.h - peers that are out although no claim says that a rollout took them: by hand, by a rollout whose claim
 * went with an agent's disk, or of a node that nobody was asked about. A person must decide, so a person is told. */
#ifndef CONTROLLER_UNCLAIMED_H
#define CONTROLLER_UNCLAIMED_H

#include <stdbool.h>
#include <stdio.h>

#include "session.h"

/* A line for each, by the survey. Returns how many belong to no node that was asked, in upstreams that have some of
 * ours; all: those of nodes that were asked are named, too. */
unsigned unclaimed_tell(FILE *, const struct session *, bool all);

#endif
