/* eta.h - when a rollout may be over, from what its steps have taken so far. An estimate for people; nothing waits for
 * it. */
#ifndef CONTROLLER_ETA_H
#define CONTROLLER_ETA_H

#include <stdbool.h>
#include <stdint.h>

#include "view.h"

/* Milliseconds from now_ms (wall time) on. False: not known, since no node has come to its end yet, or since the
 * rollout stops or waits for a person. Nodes to come are taken to go as wide as those in motion now. */
bool eta_ms(const struct view *, int64_t now_ms, uint64_t *ms);

#endif
