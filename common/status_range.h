/* status_range.h - HTTP statuses that count as good: "200-299", or one alone, "204". */
#ifndef COMMON_STATUS_RANGE_H
#define COMMON_STATUS_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct status_range {
    uint16_t low, high; /* 100 to 599 */
};

bool status_range_parse(const char *text, struct status_range *, struct err *);
bool status_range_has(const struct status_range *, unsigned status);

#define STATUS_RANGE_TEXT 8
const char *status_range_format(const struct status_range *, char text[STATUS_RANGE_TEXT]); /* returns text */

#endif
