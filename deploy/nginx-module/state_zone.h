/* state_zone.h - between the rows of the state file and the shared zone. No file is touched here. */
#ifndef API_STATE_ZONE_H
#define API_STATE_ZONE_H

#include "shared.h"
#include "state_text.h"

/* The rows replace what is wanted of all peers. Before the first configuration is registered, peers and upstreams are
 * made for them; later, rows of peers that are not there are dropped. Leases are always kept; a fence does not fall.
 * False = the zone is full: not all is there. */
bool state_zone_put(ngx_shm_zone_t *zone, const struct state_rows *rows);

/* What is wanted now, and which change was the last of it. state_text_free it, good or not. */
bool state_zone_text(ngx_shm_zone_t *zone, struct state_text *text, uint64_t *changed);

#endif
