/* fake_world.h - the second implementation of world.h: one controller's way to a fake fleet, in virtual time. A request
 * arrives some milliseconds after it was started, its answer as many later; rules make it fail on either way. collect()
 * never sleeps: it lets the fleet's clock jump to the next thing that happens. */
#ifndef SIM_FAKE_WORLD_H
#define SIM_FAKE_WORLD_H

#include <stdio.h>

#include "controller/loop.h"
#include "controller/world.h"
#include "fake_fleet.h"

#define FAKE_WALL_MS 1763913600000 /* what people's clocks show when the fleet's begins: 2025-11-23 16:00:00 UTC */
#define FAKE_CALLS   256
#define FAKE_RULES   16

enum fake_fault {
    FAULT_FAIL, /* nobody there, at once: no effect */
    FAULT_LOSE, /* the effect happens, the answer is lost at once */
    FAULT_HANG, /* no effect and no answer: given up after `ms` */
    FAULT_LATE  /* effect and answer `ms` later each: answers come out of order */
};

/* Of the calls that match, the `nth` (0 = the first) and the `times` - 1 behind it (times 0 = 1) meet the fault. */
struct fake_rule {
    enum action_kind kind;
    enum ask ask;  /* of ACT_ASK */
    int32_t node;  /* of ACT_ASK and ACT_RENEW; -1 = any */
    int32_t place; /* lb of a read, upstream of a lease; -1 = any */
    uint32_t nth, times;
    enum fake_fault fault;
    uint32_t ms;
    uint32_t met; /* for the world: how many matched so far */
};

struct fake_call {
    struct action action;
    struct input input;
    bool arrived;
    int64_t ms; /* when it arrives, or is answered */
    uint64_t order;
    bool loses;             /* FAULT_LOSE */
    enum answer_kind fails; /* ANS_OK, or how it fails without arriving */
    uint32_t back_ms;
    int64_t poll_until_ms; /* of a long poll */
};

struct fake_world {
    struct world base;
    struct fake_fleet *fleet;
    const struct plan *plan; /* the controller's: what rollout, fence and ttl its requests carry */
    int64_t collected_ms;
    uint32_t age_ms;          /* of the command, when the rollout begins */
    uint64_t started;         /* how many calls so far */
    uint32_t idle;            /* collects in a row that brought neither time nor input */
    uint32_t lb_ms, agent_ms; /* one way */
    uint32_t store_fails;     /* the journal cannot be written from this append on; 0 = it can */
    uint32_t n_calls, n_rules;
    struct fake_call calls[FAKE_CALLS];
    struct fake_rule rules[FAKE_RULES];
    struct { /* what each load balancer showed last, over the whole plan */
        struct seen_upstream upstreams[FAKE_UPSTREAMS];
        struct seen_peer peers[FAKE_PEERS];
    } seen[FAKE_LBS];
};

struct fake_world *fake_world_new(struct fake_fleet *, const struct plan *);
void fake_world_free(struct fake_world **);
void fake_world_rule(struct fake_world *, struct fake_rule);

/* Who watches a rollout, at the fleet's time instead of the wall's. Each may be NULL. */
struct fake_watch {
    void (*event)(void *ctx, const struct view *, const struct event *);
    void (*tick)(void *ctx, struct view *, const struct run *, int64_t wall_ms);
    void (*end)(void *ctx, const struct view *, int code);
    void *ctx;
    uint32_t tick_ms;
};
int fake_rollout_watched(struct fake_world *, const struct fake_watch *);

/* A whole rollout: loop_run with this world, a store in memory and signals from the fleet's script. Returns its exit
 * code; `lines` gets what a person sees (NULL: nobody looks). The fleet's judge has the last word. */
int fake_rollout(struct fake_world *, FILE *lines);

#endif
