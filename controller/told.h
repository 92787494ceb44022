/* told.h - a rollout as the journal tells it: its plan and view, built again from the events. */
#ifndef CONTROLLER_TOLD_H
#define CONTROLLER_TOLD_H

#include "store.h"
#include "view.h"

struct told {
    struct plan *plan; /* of the latest run: a rollout that was resumed began more than once */
    struct view *view;
    uint32_t runs; /* how often it began */
    bool ended;    /* the latest run came to its end, with `code` */
    int code;
};

/* Called for each event, after `told` has been fed it. */
typedef void told_event(void *ctx, const struct told *, const struct event *);

/* Read all events of a rollout; each may be NULL. False with the reason: the journal cannot be read, or what it holds
 * is no rollout. runs 0: it knows no such rollout. told_clear in either case. */
bool told_read(struct told *, struct store *, const char *rollout, told_event *each, void *ctx, struct err *);
void told_clear(struct told *);

#endif
