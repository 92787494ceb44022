/* plus.h - a load balancer as NGINX Plus is: the API of a fleet's real nginx, without what our module adds to it.
 *
 * Between rollout and nginx: takes `rollout` out of every answer, drops Prefer and Rollout-* from every request, and
 * puts members that nobody knows into every object. One request a connection. */
#ifndef STAGE_PLUS_H
#define STAGE_PLUS_H

#include <stdatomic.h>

#include "tests/stage/fleet.h"

struct stage_plus {
    struct stage *stage;
    uint16_t port, to;       /* where it listens, and nginx's api_port */
    const char *api;         /* "http://127.0.0.1:PORT/api" */
    const char *versions;    /* what it says it speaks; at first "[1,2,3,4,5,6,7,8]" */
    atomic_uint patches;     /* that were passed on */
    atomic_uint refused;     /* that were answered by `refuse` */
    atomic_uint refuse;      /* so many PATCHes to come are answered 503, as by an nginx that cannot just now */
    atomic_bool read_only;   /* as without `api write=on` */
    atomic_uint wrong_paths; /* requests of another version of the API than 8 */
    struct stage_plus_threads *threads;
};

/* The fleet's load balancer is Plus from now on, and a new hosts file names it so. */
struct stage_plus *stage_plus_start(struct stage_fleet *f, unsigned lb);

#endif
