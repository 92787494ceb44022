/* gotime.h - a wall clock time as Go's time.Time prints itself, without the monotonic part:
 * "2026-11-22 17:00:00.123456789 +0000 UTC"; the fraction loses its trailing zeros, the point goes with the last. */
#ifndef DEMO_SERVER_GOTIME_H
#define DEMO_SERVER_GOTIME_H

#include <stddef.h>
#include <time.h>

#define GOTIME_MAX 80

/* In the process's time zone (TZ), as Go does. Returns buf. */
const char *gotime_format(const struct timespec *when, char buf[GOTIME_MAX]);

#endif
