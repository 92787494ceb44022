/* routes.h - which path is which route, and how often each was answered. */
#ifndef DEMO_SERVER_ROUTES_H
#define DEMO_SERVER_ROUTES_H

#include <stddef.h>
#include <stdint.h>

enum method { METHOD_UNKNOWN = 0, METHOD_GET = 1, METHOD_POST = 2 };

enum route {
#define ROUTE(id, name, path, methods) ROUTE_##id,
#include "routes.def"
#undef ROUTE
    ROUTE_COUNT
};

struct route_row {
    const char *name, *path;
    unsigned methods; /* of enum method */
};

extern const struct route_row routes[ROUTE_COUNT];

enum route route_find(const char *path);
enum method route_method(const char *text); /* HEAD is METHOD_GET */

/* What this process has done. A request counts as answered once the last byte of its answer, whatever its status, went
 * to the kernel; as aborted when it ended before that. */
struct counts {
    uint64_t answered[ROUTE_COUNT];
    uint64_t aborted;
};

/* "answered_sleep=3 answered_healthz=1 ... aborted=0"; returns buf. */
const char *counts_line(const struct counts *, char *buf, size_t size);
/* {"sleep":3,"healthz":1,...}; returns buf. */
const char *counts_json(const struct counts *, char *buf, size_t size);

#endif
