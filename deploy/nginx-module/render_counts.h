/* render_counts.h - the members of a peer that say what was sent to it and what came of it. */
#ifndef API_RENDER_COUNTS_H
#define API_RENDER_COUNTS_H

#include "json_out.h"
#include "snapshot.h"

/* version: of the API; `codes` are there from 7 on. What has not been yet (a time, a selection) has no member, as in
 * the contract's example. */
void render_counts(struct json_out *out, enum shared_kind kind, unsigned version, const struct snapshot_counts *counts);

#endif
