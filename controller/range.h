/* range.h - Ansible's host ranges: web[01:20:2].dc[a:c] is thirty hosts. The rules stand in fleet.h. */
#ifndef CONTROLLER_RANGE_H
#define CONTROLLER_RANGE_H

#include <stdint.h>

#include "common/err.h"

#define RANGE_PARTS_MAX 8 /* brackets in one name */

typedef bool range_fn(void *ctx, const char *name, struct err *err);

/* Call fn with each name that the pattern stands for (itself where it has no bracket), in order, until one is false.
 * More than `most` names, or one longer than FLEET_NAME_MAX, are an error; the count is checked before the first call.
 */
bool range_expand(const char *pattern, uint64_t most, range_fn *fn, void *ctx, struct err *err);

#endif
