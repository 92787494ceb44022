/* link.h - the network half's end of what joins it with the helper half: one connection, made again with growing
 * pauses when it is lost, and the exchanges that wait for an answer over it. While it is away requests are refused
 * (503 unavailable): whether the helper began what it had been sent before is not known then. */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include "agent.h"
#include "frame.h"

struct exchange;
struct link;

/* `fd` >= 0: the helper half is at its other end already, and when it goes the loop stops. Else helper-socket is
 * connected to, over and over. */
struct link *link_open(struct agent *agent, int fd);
void link_close(struct link **link); /* exchanges that still wait are forgotten */

bool link_is_ready(const struct link *link);
bool link_is_lost(const struct link *link); /* for good */

/* Sends the head. False: there is no helper, or the head is too long. Then pieces and the end, in order; the answer, or
 * the loss of the helper, comes to exchange_on_answer. */
bool link_begin(struct link *link, struct exchange *exchange, const struct frame_head *head);
void link_piece(struct link *link, struct exchange *exchange, const void *bytes, size_t size);
void link_end(struct link *link, struct exchange *exchange);
void link_cancel(struct link *link, struct exchange *exchange); /* no answer is wanted; harmless without a begin */
/* Bodies are to wait: exchange_on_room tells when no more. */
bool link_is_full(const struct link *link);

/* The helper half of the same start is to read the config again; one with its own start has its own SIGHUP. */
void link_reload(struct link *link);

/* An exchange's place here; zeroed at first. */
struct link_place {
    uint32_t id; /* 0: it has no answer to wait for */
    bool ended, stalled;
    struct exchange *next;
};

#endif
