/* shrink.h - the story of a seed that breaks something, made smaller: processes, events, nodes and faults are left out
 * one by one and numbers halved, as long as the same invariant breaks, until nothing more can go. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Tells the smallest story that it found, and how it plays. False: the seed breaks nothing. */
bool shrink_run(uint64_t seed, FILE *f);

#endif
