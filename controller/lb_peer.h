/* lb_peer.h - one peer of a list, read without a tree: a list of ten thousand is read several times a second. Pure. */
#ifndef CONTROLLER_LB_PEER_H
#define CONTROLLER_LB_PEER_H

#include <stdbool.h>

#include "lb_list.h"

#define LB_PEER_TEXT_MAX 160

struct lb_peer_texts { /* what the peer's texts point into */
    char server[LB_PEER_TEXT_MAX], name[LB_PEER_TEXT_MAX], state[16];
};

/* Read the object at *at, which begins with '{', and set *at behind it. False: it is no plain one (escapes, something
 * missing, twice, too long or wrong); *at is where it was, and whoever knows all of JSON must say what is the matter.
 */
bool lb_peer_read(const char **at, const char *end, struct lb_peer *, struct lb_peer_texts *);

#endif
