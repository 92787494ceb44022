/* event.h - what happened, in order: the only thing that goes from the run to the store and to people. */
#ifndef CONTROLLER_EVENT_H
#define CONTROLLER_EVENT_H

#include <stdint.h>

#include "node.h"

/* EVENT(NAME, "name in the journal") */
#define EVENTS(X)                                                                                                      \
    X(BEGAN, "began")           /* text: the packed plan as JSON, in `payload` */                                      \
    X(LEASED, "leased")         /* the lease of `upstream` is ours */                                                  \
    X(LOCKED, "locked")         /* a majority of the voters is ours; text says of how many */                          \
    X(LEASE_WAIT, "waiting")    /* it is another's and is waited for: text says whose */                               \
    X(LEASE_REFUSED, "refused") /* it is another's: text says whose */                                                 \
    X(STEP, "step")             /* `node` went from `from` to state.step; state is whole */                            \
    X(NOTE, "note")             /* `node` is where it was; text says what it met */                                    \
    X(HELD, "held")             /* waits to be promoted; text says after what */                                       \
    X(PROMOTED, "promoted")     /* goes on; text says who wanted it */                                                 \
    X(STOPPING, "stopping")     /* nothing new starts; text says why */                                                \
    X(OUTPUT, "output")         /* text is a line that a hook wrote: of `node`, or of the end */                       \
    X(HOOK, "hook")             /* a hook of the end begins; text is its command */                                    \
    X(HOOKED, "hooked")         /* it is over; code 0: well; text says how */                                          \
    X(RELEASED, "released")     /* all leases given back */                                                            \
    X(ENDED, "ended")           /* exit code in `code` */
enum event_kind {
#define X(name, text) EVENT_##name,
    EVENTS(X)
#undef X
        EVENT_COUNT
};

#define EVENT_NO_NODE NODE_NONE

struct event {
    uint64_t seq;        /* set by the store; rises over all rollouts */
    uint64_t run;        /* set by the store: seq of the BEGAN of its run; 0: not kept, it is of the latest before it */
    int64_t wall_ms;     /* Unix time, for people only; set by the loop */
    const char *rollout; /* borrowed: the plan's id, or the store's during each() */
    enum event_kind kind;
    uint16_t node; /* EVENT_NO_NODE where it is about the whole rollout */
    uint16_t upstream;
    uint8_t from;      /* STEP: enum step it left */
    int code;          /* ENDED, HOOKED */
    struct node state; /* STEP, NOTE: after it */
    char text[ANSWER_TEXT_MAX];
    const char *payload;     /* BEGAN, as read: JSON text, borrowed; else NULL */
    const struct plan *plan; /* BEGAN, to be written: what the journal packs into its payload, borrowed; else NULL */
};

const char *event_name(enum event_kind);
/* The kind of that name, or -1. */
int event_kind_of(const char *name);

#endif
