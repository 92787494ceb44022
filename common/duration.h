/* duration.h - durations as people write them.
 *
 * Go's form (time.ParseDuration): [+-] then one or more of DECIMAL UNIT, units ns us (or the micro sign) ms s m h; "0"
 * alone needs no unit. nginx's form (ngx_parse_time): the same idea with ms s m h d w M(30d) y(365d), blanks allowed
 * between the parts, and a number without a unit counts as seconds. */
#ifndef COMMON_DURATION_H
#define COMMON_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Exactly Go's rule and Go's bounds (int64 nanoseconds); the sentence of an error is ours. */
bool duration_parse_go(const char *text, int64_t *ns, struct err *err);

#define DURATION_MS_MAX (UINT64_C(49) * 86400 * 1000) /* whole days that fit into 32 bits of milliseconds */

/* Go's form or nginx's, never negative, at most 49 days, rounded up to whole milliseconds: for options and config. */
bool duration_parse_ms(const char *text, uint32_t *ms, struct err *err);

/* "1h2m", "12.3s", "450ms": short, for people. Writes at most size bytes, terminated; returns buf. */
const char *duration_format_ms(uint64_t ms, char *buf, size_t size);

#endif
