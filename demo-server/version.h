/* version.h - all that differs between two builds of demo-server, in one object file: a release for a test or the demo
 * is version.c compiled anew, linked before the archive with otherwise the same objects.
 *
 *   -DDEMO_VERSION='"2"'   what /version answers (default "1")
 *   -DDEMO_BREAK_EXIT      exits with status 1 at its start
 *   -DDEMO_BREAK_HANG      hangs at its start: never serves, never becomes ready, ends on any signal
 *   -DDEMO_BREAK_SICK      becomes ready and serves, but /healthz answers 503 for ever
 *   -DDEMO_BREAK_FICKLE    the same, but only where a file `sick` is in the working folder at its start
 *   -DDEMO_BREAK_LATE      becomes ready 6 s late, where a file `late` is in the working folder, which it takes away
 *   -DDEMO_BREAK_ERRS      is healthy, but every fifth request to /sleep/ is answered with a 500
 *   -DDEMO_BREAK_SLOW      is healthy, but each sleep takes 150 ms longer */
#ifndef DEMO_SERVER_VERSION_H
#define DEMO_SERVER_VERSION_H

#include <stdbool.h>

extern const char version_text[];
extern bool version_sick;
extern const unsigned version_errs_every; /* 0: never */
extern const unsigned version_slower_ms;

/* Called by main once the options are read, before any socket is touched: the place where a broken build breaks. */
void version_start(void);

#endif
