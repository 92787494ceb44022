/* campaign.h - many stories, one after another. */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include <stdint.h>
#include <stdio.h>

#include "tally.h"

struct campaign {
    uint64_t first, seeds;
    uint64_t most; /* it ends after so many breaches */
    /* out */
    uint64_t breaches, hash; /* hash: over the traces of all */
    double took_s;
    struct tally tally;
};

/* A breach is told on `f`: the story, the last events in words, the seed and which invariant. */
void campaign_run(struct campaign *, FILE *f);
/* False: something that can happen never did. */
bool campaign_print(const struct campaign *, FILE *f);
/* One story, told whole. False: a breach. */
bool campaign_tell(uint64_t seed, FILE *f);

#endif
