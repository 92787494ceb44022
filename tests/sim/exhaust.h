/* exhaust.h - not a sample: small fleets, one or two controllers that are killed at every place where one can be, each
 * followed by one with the same id, or a repair, that has its journal or an empty disk. */
#ifndef SIM_EXHAUST_H
#define SIM_EXHAUST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Tells how many rollouts and different states (truth, claims, leases, jobs, steps of all nodes, without times) there
 * were. False: a breach, told on `f`. */
bool exhaust_run(FILE *f);

#endif
