/* reload.h - SIGHUP: the config and the certificates are read again, and hold from then on. No request and no job
 * ends because of it. What cannot be read, does not fit, or cannot change in a running agent is refused as a
 * whole: the reason is logged, and all stays as it was.
 *
 * In one start both halves read it, the helper half because the network half says so (FRAME_RELOAD); with helper-socket
 * each has its own SIGHUP. */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

#include "agent.h"

/* The config as it is in the file now, for the half or halves that this process is. False with the reason: nothing of
 * it is to be used, and `next` is free already. */
bool reload_read(const struct agent *agent, unsigned halves, struct config *next, struct err *err);

/* Whether a running agent may go from one to the other: its name, its sockets, its state folder and the names of its
 * services stay. Pure. */
bool reload_fits(const struct config *now, const struct config *next, struct err *err);

/* The helper half: at once, or as soon as no job is at work. */
void reload_helper(struct agent *agent);

void reload_log(const struct err *err); /* NULL: it went well */

#endif
