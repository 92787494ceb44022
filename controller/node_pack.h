/* node_pack.h - a node's state as JSON text, for the journal: readable, and the same for every build.
 *
 * {"v":1,"id":3,"step":"QUIET","out_mask":5,"before":{"pid":4711,...},...}. Members that are zero are left out. What is
 * an enum in memory is its name here (STEP_QUIET is "QUIET"), so that a new step in node.def does not change the
 * meaning of old journals. Masks are the 64 bits read as a signed integer, because JSON's integers are. */
#ifndef CONTROLLER_NODE_PACK_H
#define CONTROLLER_NODE_PACK_H

#include <stddef.h>

#include "common/err.h"
#include "node.h"

/* The text, to be freed. */
char *node_pack(const struct node *);

/* False with the reason where the text is not a state, or names a step that this version does not have; then *node is
 * all zero. Unknown members are ignored. */
bool node_unpack(const char *text, size_t size_bytes, struct node *, struct err *);

/* "QUIET" for STEP_QUIET, and back; -1 where there is no such step. */
const char *node_step_key(enum step);
int node_step_of_key(const char *key);

#endif
