/* signals.h - SIGINT, SIGTERM and SIGHUP as a count that the loop reads; SIGPIPE ignored. */
#ifndef CONTROLLER_SIGNALS_H
#define CONTROLLER_SIGNALS_H

#include "call.h"

/* From now on a signal ends every wait of `calls` (borrowed until signals_detach). */
void signals_attach(struct calls *);
void signals_detach(void);

/* The signal that came last, 0 = none; *count (may be NULL) = how many have come; a SIGHUP behind another is not
 * counted. */
int signals_seen(int *count);

#endif
