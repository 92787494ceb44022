/* state.h - the directive `api_state FILE`: what the API changed outlives nginx itself.
 *
 * A change is in the file before its PATCH is answered, written by the worker that made it; who finds that another has
 * written a later state meanwhile need not write. FILE.lock is held for that, never the zone's mutex: under the mutex
 * the text is made in memory. At start the master reads the file before the upstreams register.
 *
 * In a binary upgrade two nginx serve the same sockets, each with a zone of its own. The file has one owner, which
 * stands in FILE.lock: the first worker of the new one takes it over, reading again what was changed until then. From
 * then on workers of the old one refuse to PATCH, and take over what they read in the file. If the new one ends, or has
 * no worker left that takes connections, they take the file back. What stands in the zone holds: the file is read again
 * only where another had it and it is not the one that we wrote. Of two zones of one master (a reload without `api`,
 * one with it again) the later one has the file. See state_file.h for the disk, state_text.h for the text. */
#ifndef API_STATE_H
#define API_STATE_H

#include "shared.h"
#include "state_file.h"

/* The directive's handler, for an ngx_str_t at its offset. */
char *state_set_path(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* In init_module, before view_generation_begin. path: empty = no directive. Under `nginx -t` it only reads. */
void state_load(ngx_shm_zone_t *zone, const ngx_str_t *path, const ngx_cycle_t *cycle);

/* In init_process: every view of that generation has been built. Looks after the file from then on, once a second:
 * takes it over where it is free, and writes what could not be written before. */
void state_begin(ngx_shm_zone_t *zone, uint64_t generation);

/* Before the API reads: cheap while the file is ours. */
void state_look(ngx_shm_zone_t *zone);

enum state_verdict {
    STATE_GOOD,  /* also without the directive */
    STATE_TAKEN, /* another nginx has the file: nothing may be changed here */
    STATE_BUSY,  /* another worker is at the file; only within state.c */
    STATE_LOST,  /* the change is made and could not be written */
};

/* Around a change. why: set on another verdict than STATE_GOOD. state_keep's STATE_TAKEN: the change has been undone.
 */
enum state_verdict state_may_change(ngx_shm_zone_t *zone, char *why);
enum state_verdict state_keep(ngx_shm_zone_t *zone, char *why);

#endif
