/* route_fuzz.c - a route that is found, written out again with what its stars took, is the path that was given. */
#include <stdbool.h>

#include "deploy/nginx-module/route.h"
#include "tests/fuzz/fuzz.h"

static const struct {
    const char *path;
    unsigned since;
} routes[] = {
#define ROUTE(name, path, since, ...) [ROUTE_##name] = {path, since},
#include "deploy/nginx-module/route.def"
#undef ROUTE
};
#define ROUTES (sizeof routes / sizeof *routes)

/* path: as in route.def; given: what stands behind the version. */
static bool is_written_out(const char *path, const struct route_part stars[2], const char *given, size_t size)
{
    size_t at = 0, star = 0;

    for (; *path != '\0'; path++) {
        const char *want = *path == '*' ? stars[star].bytes : path;
        size_t want_size = *path == '*' ? stars[star++].size_bytes : 1;

        if (size - at < want_size || memcmp(given + at, want, want_size) != 0)
            return false;
        at += want_size;
    }
    return at == size;
}

static void check_stars(const char *path, const struct route_part stars[2], const char *given, size_t size)
{
    size_t star = 0;

    for (; *path != '\0'; path++) {
        if (*path != '*')
            continue;
        fuzz_check(star < 2 && stars[star].bytes >= given && stars[star].size_bytes > 0);
        fuzz_check(stars[star].size_bytes <= size - (size_t)(stars[star].bytes - given));
        fuzz_check(memchr(stars[star].bytes, '/', stars[star].size_bytes) == NULL);
        star++;
    }
    for (; star < 2; star++)
        fuzz_check(stars[star].bytes == NULL); /* who asks takes a star that is set for a part of the path */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size), *at = copy;
    struct route_part stars[2] = {{NULL, 0}, {NULL, 0}};
    unsigned number = 0;
    enum route route = route_find(copy, size, stars, &number);
    size_t left = size;
    bool version;

    if (left > 0 && *at == '/') {
        at++;
        left--;
    }
    version =
        left > 0 && *at >= '0' + ROUTE_VERSION_MIN && *at <= '0' + ROUTE_VERSION_MAX && (left == 1 || at[1] == '/');
    fuzz_check((route == ROUTE_VERSIONS) == (left == 0));
    fuzz_check(route == ROUTE_VERSIONS || (route == ROUTE_UNKNOWN_VERSION) == !version);
    if (route < ROUTES) {
        fuzz_check(number == (unsigned)(*at - '0') && number >= routes[route].since);
        check_stars(routes[route].path, stars, copy, size);
        at += left > 1 ? 2 : 1; /* the version and its slash */
        left -= left > 1 ? 2 : 1;
        left -= left > 0 && at[left - 1] == '/';
        fuzz_check(is_written_out(routes[route].path, stars, at, left));
    }
    free(copy);
    return 0;
}
