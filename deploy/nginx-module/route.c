#include "route.h"

#include <stdbool.h>
#include <string.h>

static const char *const paths[] = {
#define ROUTE(name, path, kind, get, patch) [ROUTE_##name] = path,
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

enum route route_find(const char *path, size_t size_bytes, struct route_part stars[2])
{
    struct route_part rest = {path, size_bytes};

    if (rest.size_bytes > 0 && rest.bytes[0] == '/') {
        next_part(&rest);
    }
    if (rest.size_bytes == 0) {
        return ROUTE_VERSIONS;
    }
    struct route_part version = next_part(&rest);
    if (version.size_bytes != 1 || version.bytes[0] < '0' + ROUTE_VERSION_MIN ||
        version.bytes[0] > '0' + ROUTE_VERSION_MAX) {
        return ROUTE_UNKNOWN_VERSION;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (path_fits(paths[i], rest, stars)) {
            return (enum route)i;
        }
    }
    return ROUTE_UNKNOWN_PATH;
}

unsigned route_version(const char *path)
{
    return (unsigned)(path[path[0] == '/' ? 1 : 0] - '0');
}
