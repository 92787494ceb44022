/* signals.h - SIGINT, SIGTERM and SIGHUP as a count that the loop reads; SIGUSR1 and SIGUSR2 as wishes; SIGPIPE and
 * SIGXFSZ ignored: what cannot be written is seen at the write; SIGBUS, where somebody cuts the journal short below us,
 * is a sentence and exit code 3. */
#ifndef CONTROLLER_SIGNALS_H
#define CONTROLLER_SIGNALS_H

#include <stdbool.h>

#include "ask.h"
#include "call.h"

/* From now on a signal is counted, and ends every wait of `calls` (borrowed until signals_detach; NULL: there are none
 * yet). */
void signals_attach(struct calls *);
void signals_detach(void);

/* The signal that came last, 0 = none; *count (may be NULL) = how many have come; a SIGHUP behind another is not
 * counted. */
int signals_seen(int *count);

/* Whether SIGUSR1 (pause) or SIGUSR2 (promote) has come since the last time. They end no wait: the loop, which asks the
 * agents once a second, comes round by itself. */
bool signals_wished(enum wish);

#endif
