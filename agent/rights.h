/* rights.h - may this process put a release where a service has its executable? What would end a job in the middle
 * (swap_failed) is said beforehand, with what mends it. */
#ifndef AGENT_RIGHTS_H
#define AGENT_RIGHTS_H

#include <stdio.h>
#include <sys/types.h>

#include "config.h"

/* Who a process is, as /proc/PID/status has it: the user and group that files are made as, and whether it may give them
 * to others (CAP_CHOWN). */
struct rights_who {
    uid_t user;
    bool may_give;
    char groups[4096]; /* " 4 27 100 ", the first one too */
};
bool rights_read(const char *status, struct rights_who *who, struct err *err);

/* The new file gets owner and group of the one there: nobody else may give it to them. */
bool rights_to_give(const struct rights_who *who, uid_t owner, gid_t group);

/* A restart alone needs none of it: no fault for a service that takes no release. */
bool rights_check(const struct service_config *service, struct err *err);

/* A line for each service that has one. */
void rights_warn(const struct config *config, FILE *to);

#endif
