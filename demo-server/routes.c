#include "routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct route_row routes[ROUTE_COUNT] = {
#define ROUTE(id, name, path, methods) {#name, path, methods},
#include "routes.def"
#undef ROUTE
};

enum route route_find(const char *path)
{
    for (unsigned i = 0; i < ROUTE_OTHER; i++) {
        size_t length = strlen(routes[i].path);
        int whole = routes[i].path[length - 1] != '/';

        if (strncmp(path, routes[i].path, length + (size_t)whole) == 0)
            return (enum route)i;
    }
    return ROUTE_OTHER;
}

enum method route_method(const char *text)
{
    if (strcmp(text, "GET") == 0 || strcmp(text, "HEAD") == 0)
        return METHOD_GET;
    return strcmp(text, "POST") == 0 ? METHOD_POST : METHOD_UNKNOWN;
}

const char *counts_line(const struct counts *c, char *buf, size_t size)
{
    size_t at = 0;

    for (unsigned i = 0; i < ROUTE_COUNT && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "answered_%s=%" PRIu64 " ", routes[i].name, c->answered[i]);
    if (at < size)
        (void)snprintf(buf + at, size - at, "aborted=%" PRIu64, c->aborted);
    return buf;
}

const char *counts_json(const struct counts *c, char *buf, size_t size)
{
    size_t at = 0;

    for (unsigned i = 0; i < ROUTE_COUNT && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s\"%s\":%" PRIu64, i > 0 ? "," : "{", routes[i].name,
                               c->answered[i]);
    if (at < size)
        (void)snprintf(buf + at, size - at, "}");
    return buf;
}
