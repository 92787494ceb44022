/* options.h - the command line, as options.def lists it. One dash or two, as Go's flags. */
#ifndef DEMO_SERVER_OPTIONS_H
#define DEMO_SERVER_OPTIONS_H

#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

struct options {
    struct addr a0, a1, a2;
    const char *pidfile; /* "" = none; borrowed from argv */
    uint32_t upgrade_timeout_ms, drain_timeout_ms, linger_ms;
};

enum options_wish { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* False with the reason: usage. */
bool options_read(int argc, char **argv, struct options *, enum options_wish *, struct err *);

void options_help(void);

#endif
