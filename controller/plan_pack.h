/* plan_pack.h - a plan as JSON text, for the journal's first event (plan_pack.c), and back (plan_unpack.c).
 *
 * One object: {"plan":VERSION, the rollout's settings, "voters":[...],"lbs":[...],"upstreams":[...],"nodes":[...]}.
 * References are indices into those lists; a node has its peers within. Masks, fences and start times are decimal text,
 * because JSON's integers are signed; bytes are lower-case hex; paths that are no UTF-8 have a ? for each byte beyond
 * ASCII. A member that is missing reads as 0, false, "" or an empty list: an older program may have packed it. */
#ifndef CONTROLLER_PLAN_PACK_H
#define CONTROLLER_PLAN_PACK_H

#include "plan.h"

#define PLAN_PACK_VERSION 2

/* The whole text; the caller frees it. */
char *plan_pack(const struct plan *);

/* The same in pieces, so that nobody holds it whole (10,000 nodes: 6 MB). Returns its bytes; a sink that returns false
 * ends it early. */
typedef bool plan_sink(void *ctx, const char *piece, size_t n);
size_t plan_pack_to(const struct plan *, plan_sink *, void *ctx);

/* NULL with the reason where it is not a plan of this version, or does not hold together. */
struct plan *plan_unpack(const char *text, struct err *);

#endif
