/* inventory.h - a hosts file to begin with, made of what the load balancers list: each upstream a group, each address a
 * host. What nginx does not know (the service's name at its agent, names in certificates) is a comment that says so. */
#ifndef CONTROLLER_INVENTORY_H
#define CONTROLLER_INVENTORY_H

#include <stdio.h>

#include "fleet.h"
#include "survey.h"

/* Files by which the load balancers have let us in, paths that hold from anywhere; NULL: not given. */
struct inventory_files {
    const char *cert, *key, *cacert, *lb_auth;
};

/* The load balancers of `fleet` as `survey` found them; those that could not be read are named in a comment. Returns
 * how many nodes it has. The text is one that fleet_parse takes, unless it has none. */
unsigned inventory_write(FILE *, const struct fleet *, const struct survey *, const struct inventory_files *);

#endif
