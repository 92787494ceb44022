/* floor.h - a witness that reads, all the time, how many nodes of the upstream `app` each load balancer may send to. */
#ifndef STAGE_FLOOR_H
#define STAGE_FLOOR_H

#include "tests/stage/fleet.h"

struct stage_floor;

struct stage_floor *stage_floor_start(struct stage_fleet *f);
/* The fewest nodes that were up at one load balancer in one answer so far; *looks: how many answers there were. */
unsigned stage_floor_least(const struct stage_floor *floor, uint64_t *looks);

#endif
