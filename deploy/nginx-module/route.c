#include "route.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *path;
    unsigned since; /* the first version that has it */
} routes[] = {
#define ROUTE(name, path, since, ...) [ROUTE_##name] = {path, since},
#include "route.def"
#undef ROUTE
};

/* Takes one segment and the slash behind it off the front. */
static struct route_part next_part(struct route_part *rest)
{
    struct route_part part = {rest->bytes, 0};

    while (part.size_bytes < rest->size_bytes && rest->bytes[part.size_bytes] != '/') {
        part.size_bytes++;
    }
    size_t taken = part.size_bytes + (part.size_bytes < rest->size_bytes ? 1 : 0);
    rest->bytes += taken;
    rest->size_bytes -= taken;
    return part;
}

static bool path_fits(const char *path, struct route_part rest, struct route_part stars[2])
{
    struct route_part want = {path, strlen(path)};
    size_t star = 0;

    while (want.size_bytes > 0 && rest.size_bytes > 0) {
        struct route_part wanted = next_part(&want);
        struct route_part given = next_part(&rest);

        if (wanted.size_bytes == 1 && wanted.bytes[0] == '*') {
            stars[star++] = given;
            if (given.size_bytes == 0) {
                return false;
            }
        } else if (wanted.size_bytes != given.size_bytes || memcmp(wanted.bytes, given.bytes, given.size_bytes) != 0) {
            return false;
        }
    }
    return want.size_bytes == 0 && rest.size_bytes == 0;
}

enum route route_find(const char *path, size_t size_bytes, struct route_part stars[2], unsigned *version)
{
    struct route_part rest = {path, size_bytes};

    if (rest.size_bytes > 0 && rest.bytes[0] == '/') {
        next_part(&rest);
    }
    if (rest.size_bytes == 0) {
        return ROUTE_VERSIONS;
    }
    struct route_part first = next_part(&rest);
    if (first.size_bytes != 1 || first.bytes[0] < '0' + ROUTE_VERSION_MIN || first.bytes[0] > '0' + ROUTE_VERSION_MAX) {
        return ROUTE_UNKNOWN_VERSION;
    }
    *version = (unsigned)(first.bytes[0] - '0');
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (*version >= routes[i].since && path_fits(routes[i].path, rest, stars)) {
            return (enum route)i;
        }
    }
    return ROUTE_UNKNOWN_PATH;
}

/* What stands behind `parent` and its slash, where that is one name; or NULL. */
static const char *name_below(const char *parent, const char *path)
{
    size_t skip = strlen(parent);

    if (strncmp(path, parent, skip) != 0 || (skip > 0 && path[skip] != '/')) {
        return NULL;
    }
    const char *name = path + skip + (skip > 0 ? 1 : 0);
    return name[0] == '\0' || name[0] == '*' || strchr(name, '/') != NULL ? NULL : name;
}

const char *route_below(enum route route, unsigned version, size_t *next, enum route *below)
{
    while (*next < sizeof(routes) / sizeof(routes[0])) {
        size_t i = (*next)++;
        const char *name = version >= routes[i].since ? name_below(routes[route].path, routes[i].path) : NULL;

        if (name != NULL) {
            *below = (enum route)i;
            return name;
        }
    }
    return NULL;
}
