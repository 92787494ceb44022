/* live.h - the moment: what a run knows beside its events, for those who watch it. Copied out of the run when somebody
 * looks; nobody decides by it, and the journal does not have it. */
#ifndef CONTROLLER_LIVE_H
#define CONTROLLER_LIVE_H

#include <stdint.h>

#include "run.h"

struct live_lb {
    uint32_t age_ms; /* since its last good answer was asked for; UINT32_MAX = there was none */
};
struct live_upstream {
    uint32_t up, configured; /* peers that are not backup, as last shown; both 0 before the first answer */
    uint8_t lease;           /* enum lease_state */
};
struct live_peer {
    uint32_t active; /* requests that nginx holds to it, as last shown */
    uint8_t state;   /* enum peer_state */
};

struct live {
    struct live_lb *lbs;             /* by the plan's indexes, as all below; owned */
    struct live_upstream *upstreams; /* owned */
    struct live_peer *peers;         /* owned */
    uint32_t *left_ms;               /* of each node's step; UINT32_MAX = no limit; owned */
    uint8_t *streaks;                /* good health checks in a row of each node; owned */
};

struct live *live_new(const struct plan *);
void live_free(struct live **);
void live_look(struct live *, const struct run *, const struct plan *);

#endif
