/* loop.h - the only loop: inputs -> run -> events made durable -> actions started. */
#ifndef CONTROLLER_LOOP_H
#define CONTROLLER_LOOP_H

#include <stdbool.h>

#include "plan.h"
#include "run.h"
#include "store.h"
#include "view.h"
#include "world.h"

/* What the loop needs of its surroundings. */
struct loop {
    const struct plan *plan;
    uint32_t age_ms; /* since the command began, see run_began_before */
    struct world *world;
    struct store *store;
    struct view *view;
    void (*show)(void *ctx, const struct view *, const struct event *); /* after each event */
    void (*show_all)(void *ctx);                                        /* after some; may be NULL */
    void (*tick)(void *ctx, const struct run *);                        /* the moment (live.h); may be NULL */
    uint32_t tick_ms;                                                   /* how often, at least, where there is one */
    void *show_ctx;
    int (*signal)(int *count); /* the signal that came last and how many have come; 0 = none */
    bool (*wished)(enum wish); /* whether such a signal has come since the last time; NULL = none ever */
};

/* Run a rollout to its end, or until a second signal. Returns its exit code. A journal that cannot be written is told
 * as an event, stops new nodes, and never keeps a node from going back. */
int loop_run(const struct loop *);

#endif
