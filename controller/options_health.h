/* options_health.h - whom this program asks for a service's health, where --health-from is controller. */
#ifndef CONTROLLER_OPTIONS_HEALTH_H
#define CONTROLLER_OPTIONS_HEALTH_H

#include "fleet.h"
#include "options.h"

/* What --health-url is for one service (NULL: the only one) of one host: one URL for all, or the one of its name in
 * SERVICE=URL,SERVICE=URL; {host} and {address} filled in; the caller frees it. NULL: its agent checks its health. Only
 * after a merge that went well. */
char *options_health_url(const struct options *, const struct fleet *, uint32_t host, const char *service);

/* Each service of each node has an URL that can be asked, and its own; and none is given that nobody would ask. */
bool options_health_fits(const struct options *, const struct fleet *, const uint32_t *nodes, size_t n_nodes,
                         struct err *);

#endif
