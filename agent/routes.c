#include "routes.h"

#include <string.h>

#include "claim.h"
#include "common/sha256.h"

static const struct route routes[] = {
#define ROUTE(method, pattern, body, handler) {method, pattern, BODY_##body, handler},
#include "routes.def"
#undef ROUTE
};

static bool take_part(const char *at, size_t length, char *part, size_t max)
{
    if (length == 0 || length > max)
        return false;
    memcpy(part, at, length);
    part[length] = '\0';
    return claim_id_ok(part, max);
}

static bool match_path(const char *pattern, const char *path, struct route_match *match)
{
    uint8_t digest[SHA256_BYTES];

    while (*pattern != '\0') {
        size_t length = strcspn(path, "/");
        if (strncmp(pattern, "{app}", 5) == 0) {
            if (!take_part(path, length, match->app, WIRE_ID_MAX))
                return false;
            pattern += 5;
        } else if (strncmp(pattern, "{hex}", 5) == 0) {
            if (!take_part(path, length, match->id, WIRE_JOB_MAX) || !sha256_parse(match->id, digest))
                return false;
            pattern += 5;
        } else if (strncmp(pattern, "{id}", 4) == 0) {
            length = strlen(path);
            if (!take_part(path, length, match->id, WIRE_JOB_MAX))
                return false;
            pattern += 4;
        } else if (*pattern++ == *path) {
            length = 1;
        } else {
            return false;
        }
        path += length;
    }
    return *path == '\0';
}

struct route_match routes_find(const char *method, const char *path)
{
    struct route_match match = {0};

    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        match.app[0] = match.id[0] = '\0';
        if (!match_path(routes[i].pattern, path, &match))
            continue;
        match.path_known = true;
        if (strcmp(routes[i].method, method) == 0) {
            match.route = &routes[i];
            return match;
        }
    }
    return match;
}
