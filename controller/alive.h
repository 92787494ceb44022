/* alive.h - which rollouts of a state folder have a living process: a lock on one byte of FOLDER/alive, which the
 * kernel drops when the process ends, whatever the way. The journal alone cannot tell "at work" from "broken off". */
#ifndef CONTROLLER_ALIVE_H
#define CONTROLLER_ALIVE_H

#include <stdbool.h>

#include "common/err.h"

/* From now on this process is alive for `rollout`. The descriptor is to be closed when it is over; -1 with the reason.
 * Two processes may be (a pipeline's jobs share an id). */
int alive_say(const char *folder, const char *rollout, struct err *);

/* Whether a process on this machine is. False also where that cannot be found out. */
bool alive_look(const char *folder, const char *rollout);

#endif
