/* route.h - which thing of the API a path names. Pure; the paths stand in route.def. */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stddef.h>

#define ROUTE_VERSION_MIN 4 /* of the API */
#define ROUTE_VERSION_MAX 9

enum route {
#define ROUTE(name, ...) ROUTE_##name,
#include "route.def"
#undef ROUTE
    ROUTE_VERSIONS,        /* the bare location: which versions there are */
    ROUTE_UNKNOWN_VERSION, /* the first segment is no version that we speak */
    ROUTE_UNKNOWN_PATH,    /* in that version */
};

struct route_part {
    const char *bytes; /* in the path that was given; not terminated */
    size_t size_bytes;
};

/* path: what follows the location's own prefix, decoded, without arguments. A slash at either end does not matter.
 * stars: the first and the second * of the path (upstream, server id). version: set where a path of one is named. */
enum route route_find(const char *path, size_t size_bytes, struct route_part stars[2], unsigned *version);

/* What is listed of a path: the names one level below it that this version has. Begin with *next = 0, until NULL.
 * below: the route of that name. */
const char *route_below(enum route route, unsigned version, size_t *next, enum route *below);

#endif
