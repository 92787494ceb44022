/* fake_judge.h - holds every effect against the invariants of DESIGN section 5, from the fleet's own truth. It shares
 * nothing with the controller but the plan, and remembers the first breach. */
#ifndef SIM_FAKE_JUDGE_H
#define SIM_FAKE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/plan.h"

#define FAKE_JUDGE_NODES   26
#define FAKE_JUDGE_PEERS   128
#define FAKE_JUDGE_TEXT    240
#define FAKE_SNAPSHOT_MS   1000 /* I1: how old what the controller saw may be ... */
#define FAKE_PATCH_LATE_MS 200  /* ... and how long its request may take */

struct fake_fleet;

struct fake_judge {
    char breach[FAKE_JUDGE_TEXT]; /* "" = none */
    struct {
        struct ident claimed;       /* what ran when a claim was first put */
        struct ident checked;       /* whom the last health checks in a row were about */
        uint32_t good_checks;       /* how many in a row were good */
        bool confirmed;             /* the agent was asked what runs since it was drained, and it was still `claimed` */
        uint8_t wanted;             /* first byte of the executable that the rollout brings */
        uint32_t touches, attempts; /* jobs that did something; different job ids that were taken */
    } nodes[FAKE_JUDGE_NODES];
    struct {
        bool ours, was_drained; /* the rollout took it out, and what it was before */
        int64_t lost_ms;        /* when somebody else took it out, or it died; INT64_MIN = never */
        int64_t opened_ms;      /* when somebody else opened it */
    } peers[FAKE_JUDGE_PEERS];
};

void fake_judge_begin(struct fake_fleet *);

/* Just before an effect that the fleet is about to let happen. */
void fake_judge_close(struct fake_fleet *, const struct plan *, uint32_t peer); /* drain or down by a rollout */
void fake_judge_open(struct fake_fleet *, const struct plan *, uint32_t peer, bool drained);
void fake_judge_touch(struct fake_fleet *, const struct plan *, uint16_t node, uint8_t executable);

/* What others did, and what the controller was told. */
void fake_judge_claimed(struct fake_fleet *, uint16_t node);
void fake_judge_foreign(struct fake_fleet *, uint32_t peer); /* its gate was moved by somebody */
void fake_judge_died(struct fake_fleet *, uint32_t peer);
void fake_judge_status_told(struct fake_fleet *, uint16_t node);
void fake_judge_health_told(struct fake_fleet *, uint16_t node, bool healthy);

/* I4, when the controller has ended with this exit code (DESIGN 4.4). */
void fake_judge_end(struct fake_fleet *, int exit_code);

#endif
