/* tally.h - what all stories together have seen: that every fault happens, and every row of node.def is left in every
 * way that there is. */
#ifndef SIM_TALLY_H
#define SIM_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controller/node.h"
#include "faults.h"
#include "judge.h"

enum tally_way { WAY_SUCCESS, WAY_FAILURE, WAY_LIMIT, WAY_STOP, WAY_RESUME, WAYS };

struct tally {
    uint64_t stories, processes, turns, events, exits[16], faults[SIM_FAULTS], facts[JUDGE_FACTS];
    uint64_t ways[STEP_COUNT][WAYS];
};

/* False: something that can happen never did; said on `f`. */
bool tally_print(const struct tally *, FILE *f);

#endif
