/* weights.h - balancers that keep something of the servers' weights for themselves, beside nginx's peers.
 *
 * Round robin, least_conn, ip_hash and hash read the weights from the peers, under their lock, at each selection. Two
 * others do not, and http and stream have both: `hash ... consistent` makes its points from them at load, in each
 * process; `random` makes its ranges at a worker's first request. The ranges can be made anew in place; the points
 * cannot, their number being a weight's multiple.
 *
 * Their structs are not in nginx's headers. weights.c knows their layouts, which are the same in all versions that this
 * module is built for (view.c refuses others). */
#ifndef API_WEIGHTS_H
#define API_WEIGHTS_H

#include "view.h"

/* Sets source->weight_is_fixed and source->random. block: "http" or "stream"; srv_conf: the upstream's, of all modules
 * of that block. */
void weights_look(struct view_source *source, const ngx_cycle_t *cycle, const char *block, void **srv_conf);

/* In a process whose peers may have got new weights: what its balancer made of the old ones is made anew. */
void weights_renew(const struct view_source *source);

#endif
