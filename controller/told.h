/* told.h - a rollout as the journal tells it: its plan and view, built again from the events. */
#ifndef CONTROLLER_TOLD_H
#define CONTROLLER_TOLD_H

#include "store.h"
#include "view.h"

/* A rollout that was resumed began more than once, and two jobs of a pipeline may have runs of one at the same time. */
struct told_run {
    uint64_t seq;    /* of its BEGAN */
    uint32_t number; /* from 1 */
    struct plan *plan;
    struct view *view;
    bool ended; /* it came to its end, with `code` */
    int code;
};

#define TOLD_RUNS_MAX 8 /* at a time: of more that have no end, the oldest are over, whatever they tell */

struct told {
    /* While events are told: the run that the event is of. Then: the one that began last. Borrowed from it. */
    uint32_t run;
    struct plan *plan;
    struct view *view;
    bool ended;
    int code;

    uint32_t runs;         /* how often it began */
    uint32_t beside;       /* the number of a run that told something after a later one had begun; 0: none did */
    char beside_text[200]; /* then: whose it was, and how it stands, for people */

    uint32_t n_kept;
    struct told_run kept[TOLD_RUNS_MAX];
};

/* Called for each event, after `told` has been fed it. */
typedef void told_event(void *ctx, const struct told *, const struct event *);

/* Read all events of a rollout; each may be NULL. False with the reason: the journal cannot be read, or what it holds
 * is no rollout. runs 0: it knows no such rollout. told_clear in either case. */
bool told_read(struct told *, struct store *, const char *rollout, told_event *each, void *ctx, struct err *);
void told_clear(struct told *);

#endif
