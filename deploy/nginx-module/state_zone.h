/* state_zone.h - between the rows of the state file and the shared zone. No file is touched here. */
#ifndef API_STATE_ZONE_H
#define API_STATE_ZONE_H

#include "shared.h"
#include "state_text.h"

/* STATE_PUT_ALL: the rows are all that is wanted. STATE_PUT_NAMED: they are another nginx's, whose configuration may be
 * another one: what it does not name stays as it is, so that no server comes up unasked. */
enum state_put { STATE_PUT_ALL, STATE_PUT_NAMED };

/* Before the first configuration is registered, peers and upstreams are made for the rows; later, rows of peers that
 * are not there are dropped, and a row that equals the configuration is no change. Leases are always kept; a fence does
 * not fall. False = the zone is full: not all is there. */
bool state_zone_put(ngx_shm_zone_t *zone, const struct state_rows *rows, enum state_put how);

/* What is wanted now, and which change was the last of it. state_text_free it, good or not. While another nginx knows
 * the file, each server of the newest configuration has a row, as `configured` where nothing is wanted; and the rows of
 * servers that this nginx has read at start and does not have stay until its first reload, for the other one. */
bool state_zone_text(ngx_shm_zone_t *zone, struct state_text *text, uint64_t *changed);

#endif
