/* peer_book.h - whose peer is it: the addresses that the nodes are known by at nginx. Pure.
 *
 * DESIGN 4.1: a node's peers are those whose address its agent reports its service listening on; where NAT or names
 * hide it, those that its rollout_peer lists, and only those. An address of the loopback means the machine of whoever
 * says it: `server 127.0.0.1:80` is a node's peer only at a load balancer that we reach at the same address as that
 * node's agent, or when both are on our own machine. */
#ifndef CONTROLLER_PEER_BOOK_H
#define CONTROLLER_PEER_BOOK_H

#include "fleet.h"
#include "survey.h"

struct peer_book;

/* Fleet and survey are borrowed until peer_book_free. */
struct peer_book *peer_book_new(const struct fleet *, const struct survey *);
void peer_book_free(struct peer_book **);

/* The node (survey index) whose peer `server`, or as configured `name`, is at a load balancer (survey index); -1 = no
 * node's. *twice: a second node that it could be as well, else UINT16_MAX. What was found counts as met. */
int32_t peer_book_owner(struct peer_book *, uint32_t lb, const char *server, const char *name, uint16_t *twice);

/* An entry of the node's rollout_peer that no load balancer has met, for the caller to free; NULL = none. */
char *peer_book_unmet(const struct peer_book *, uint16_t node);

#endif
