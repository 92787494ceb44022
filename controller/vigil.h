/* vigil.h - is the rollout that holds leases and claims dead? Looks at one survey after another; pure.
 *
 * A dead one's leases and claims run out; a living one renews them every third of their time. Until they have run out
 * nothing may be planned: what it left is not known before it can do nothing more. */
#ifndef CONTROLLER_VIGIL_H
#define CONTROLLER_VIGIL_H

#include "fleet.h"
#include "plan_make.h"
#include "survey.h"

enum vigil_verdict {
    VIGIL_FREE, /* nothing of it is left, or never was there */
    VIGIL_WAIT, /* look again after wait_ms */
    VIGIL_ALIVE /* it was renewed */
};

struct vigil { /* all zero before the first look */
    bool began;
    uint64_t began_ms, looked_ms; /* the first look and the latest */
    uint64_t until_ms;            /* when all that the first one saw has run out */
    uint32_t wait_ms;             /* until the next look */
    char rollout[WIRE_ID_MAX + 1];
    char text[ANSWER_TEXT_MAX]; /* for people: what is waited for, or was renewed */
};

/* For a repair: claims of any other rollout, and the leases of what they took out. Else: what an earlier run of the
 * very rollout of `q` holds. now_ms: monotonic. */
enum vigil_verdict vigil_look(struct vigil *, const struct fleet *, const struct survey *, const struct plan_request *,
                              bool repair, uint64_t now_ms);

#endif
