/* nearest.h - the name that somebody who mistyped probably meant. */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include <stddef.h>

/* The known name nearest to `typed`, or NULL where none is near: few letters added, lost, changed or swapped, or the
 * beginning of it. name(ctx, i) gives the i-th of `count` known names; NULL is passed over. */
const char *nearest_name(const char *typed, size_t count, const char *(*name)(const void *ctx, size_t i),
                         const void *ctx);

#endif
