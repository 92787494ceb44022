/* pace.h - how many may be out, and who may go next. Pure functions of the run; nothing here is spread over steps. */
#ifndef CONTROLLER_PACE_H
#define CONTROLLER_PACE_H

#include <stddef.h>

#include "run.h"

#define PACE_SNAPSHOT_MAX_MS 1000 /* I1: the load balancers' lists are at most this old */

/* Peers of an upstream with `configured` non-backup peers that must stay up: max(1, configured - max unavailable). */
uint32_t pace_floor(const struct plan *, uint32_t configured);

/* Nodes that may be in motion now that `done` are. */
uint32_t pace_batch(const struct plan *, uint32_t done);

/* Whether zones let this node begin: with --order zone none but its own may be in motion. */
bool pace_zone_is_free(const struct run *, const struct plan *, uint16_t node);

/* I1, for one node just before its drain, at each of its upstreams: peers that are up and not backup, minus our own
 * drains since the snapshot, minus this one (all its ports there), are at least the floor. False with the reason in
 * `text` (size 0: without one). */
bool run_may_drain(const struct run *, const struct plan *, uint16_t node, char *text, size_t size);

/* The same for some of a node's peers (bits of `mask`). */
bool pace_may_take(const struct run *, const struct plan *, uint16_t node, uint64_t mask, char *text, size_t size);

/* Another node in motion is out of an upstream of this one. */
bool pace_ours_out(const struct run *, const struct plan *, uint16_t node);

#endif
