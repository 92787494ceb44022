/* routes.h - which request goes where: the table is routes.def, the handlers stand in route_*.c. */
#ifndef AGENT_ROUTES_H
#define AGENT_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "wire.h"

struct request;

enum route_body { BODY_NONE, BODY_JSON, BODY_FILE };

struct route {
    const char *method, *pattern;
    enum route_body body;
    void (*run)(struct request *); /* after the body has come */
};

struct route_match {
    const struct route *route; /* NULL: none */
    bool path_known;           /* the path is one of ours, but not with this method */
    char app[WIRE_ID_MAX + 1], id[WIRE_JOB_MAX + 1];
};

/* Pure. A path whose {app} or {id} is too long or holds other characters than wire.h allows matches nothing. HEAD is
 * taken as GET. */
struct route_match routes_find(const char *method, const char *path);

#define ROUTE(method, pattern, body, handler) void handler(struct request *rq);
#include "routes.def"
#undef ROUTE

#endif
