/* run.h - one rollout under way: all its nodes, leases and what the load balancers last showed, in one flat block.
 *
 * No pointers inside: the block can be copied, compared, hashed and stored. Pure: a turn takes inputs and the time that
 * passed, and yields events (to be made durable first) and actions (to be started then). */
#ifndef CONTROLLER_RUN_H
#define CONTROLLER_RUN_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask.h"
#include "event.h"
#include "node.h"
#include "plan.h"

enum run_phase {
    RUN_LEASING,   /* taking the leases, one after another in the plan's order */
    RUN_ROLLING,   /* nodes move */
    RUN_RELEASING, /* giving the leases back */
    RUN_ENDING,    /* the hooks of the end run; there may be none */
    RUN_OVER
};

enum run_stop {
    RUN_GOES,
    RUN_STOP_FAILURE,     /* more nodes failed than may (run_budget.c) */
    RUN_STOP_PERSON,      /* SIGINT, SIGTERM, SIGHUP, or `rollout abort` */
    RUN_STOP_HELD,        /* another rollout holds a lease, or took one over from us */
    RUN_STOP_REFUSED,     /* a load balancer takes no change from us at all */
    RUN_STOP_UNREACHABLE, /* a lease could not be taken because nobody answered */
    RUN_STOP_STORE,       /* the journal cannot be written */
    RUN_STOP_UNSURE,      /* the agents that hold our lock could not be asked for so long that it may be another's */
    RUN_STOP_DRIFT,       /* somebody else changed what was ours at a load balancer */
    RUN_STOP_PAUSE        /* nothing new begins, what is in motion is finished: a person wants that (SIGUSR1, `rollout
                             pause`), or is to look before it goes on */
};

struct run_lb {
    uint64_t generation;
    uint64_t began_turn, read_turn; /* turn in which the outstanding / the last arrived read was begun */
    uint32_t began_ms;              /* since the last read was begun */
    uint32_t read_age_ms;           /* since the last arrived good read was begun; UINT32_MAX = never */
    uint32_t took_ms;               /* that read took */
    uint32_t n_held;                /* looks at one server that it holds until that is quiet */
    bool reading, exact;
    bool one_by_one; /* it shows one server, too */
    bool stale;      /* what was decided by the last list should soon have a newer one */
};

enum lease_state {
    LEASE_NONE,
    LEASE_MAYBE, /* asked for, no whole answer came */
    LEASE_HELD,
    LEASE_GONE /* another's, or given back */
};

struct run_lease {
    uint32_t age_ms;   /* since the request that last took or renewed it was sent: believed no longer than nginx does */
    uint32_t asked_ms; /* since the outstanding request was sent */
    uint32_t retry_ms; /* until it is asked again */
    uint8_t state;     /* enum lease_state */
    bool asked;        /* an answer is outstanding */
    bool releasing;    /* what was asked is its release */
    bool noted;        /* that it is waited for has been told */
};

/* What the run knows of a node beside its state. */
struct run_extra {
    uint64_t look_turn;    /* turn in which it asked to see its peers; also names the look at them one by one */
    uint64_t look_asked;   /* of its peers: asked for one by one ... */
    uint64_t look_seen;    /* ... and seen so */
    uint32_t look_ms;      /* since that look began; UINT32_MAX = there was none in this step */
    uint32_t claim_ms;     /* since its claim was last put */
    bool looks, renewing;  /* waits to see its peers; a renewal of its claim is outstanding */
    bool needs_list;       /* FLOOR: the last list says no, so a newer one must say it */
    bool deferred;         /* its (un)claim waits for that renewal to end */
    bool counted;          /* as one that failed */
    uint32_t wish_ms;      /* the run's age when its agent was asked for a wish */
    bool wishing, marking; /* its agent was asked for a wish, or told that one is taken, and has not answered */
    uint32_t stands_ms;    /* the run's age from which on its agent is asked whether it still stands (run_stands.c) */
    bool standing;         /* that has not answered, */
    bool stands_late;      /* and we stood still once more since: that answer tells nothing */
    uint64_t hold_mask;    /* of its peers: to be taken down again once its agent confirms that the claim is ours */
    uint64_t out_turn;     /* turn in which it was certain last that its peers were taken out, or were back */
    bool anew;             /* the renewal finds no claim: it was lost, and is put where nobody else has one */
    bool holding;          /* a HOLD is outstanding */
    bool unsure;           /* we stood still for so long that it may have been another's since (run_sleep.c) */
    bool back_waits;       /* its BACK waits for that HOLD to end, which would take it down again */
    bool brought;          /* runs what an earlier run of this rollout brought, as planned */
};

/* What a plan's peer and the others had served when its node's bake began. */
struct run_watch {
    struct served own, others;
};

/* Where the arrays of a run lie behind it: bytes from its begin. run_block.c's. */
struct run_layout {
    uint64_t lbs, leases, votes, upstreams, peers, watches, outs, nodes, extras, begun;
};

struct run {
    uint64_t size_bytes, turn;
    struct run_layout at;
    uint32_t n_lbs, n_upstreams, n_peers, n_nodes, n_voters;
    uint32_t n_begun; /* nodes begun and not done: in motion or out */
    uint32_t next;    /* first node of the plan not begun */
    uint32_t n_done;
    uint32_t n_held;        /* looks that any load balancer holds */
    uint32_t n_failed;      /* nodes that left the good path, whether or not they have ended */
    uint32_t lease_left_ms; /* how long the leases may still take */
    uint32_t grace_left_ms; /* how long a stop still lets jobs go on; UINT32_MAX = nobody wanted one */
    uint32_t back_next;     /* reversing: the nodes below it are still to be looked at */
    uint32_t canary_end;    /* the canaries are the nodes of the plan before this one; 0 = none */
    uint32_t pause_end;     /* nodes from this one on wait for a promotion; UINT32_MAX = none do */
    uint64_t wish_id;       /* of the wish that was taken up last; 0 = none */
    uint32_t age_ms;        /* since the command began: older wishes are not meant for it */
    uint32_t wish_due_ms;   /* until the next agent is asked for one */
    uint32_t wish_next;     /* whose turn it is */
    uint32_t n_wishing, n_marking;
    uint32_t lock_age_ms; /* since the oldest of the requests that last took or renewed a majority; UINT32_MAX = none */
    uint32_t end_ms;      /* ENDING: since the hook at hand was begun */
    uint32_t lock_first;  /* the voter that is asked alone, until one gives us its vote */
    uint32_t n_standing;  /* agents that are asked whether what was done still stands */
    uint32_t stands_next; /* whose turn it is */
    uint32_t doubt_ms;    /* how long doubt about that may still hold up the end, without any answer */
    uint8_t phase, stop;  /* enum run_phase, enum run_stop */
    uint8_t signal;       /* of a person's stop; 0 = none came */
    uint8_t end_hook;     /* ENDING: how many hooks are over */
    bool end_asked;       /* one runs */
    bool end_cut;         /* it is to end now */
    bool end_failed;      /* any of them has failed */
    bool reversing;       /* after RUN_STOP_FAILURE: the second half, which takes changed nodes back */
    bool reversed;        /* it has begun, whatever has stopped it since */
    bool canary_good;     /* all canaries are at the target and in rotation */
    bool held, promoted;  /* waits for a promotion; got it */
    bool pause_wished;    /* RUN_STOP_PAUSE is a person's wish, not a gate that is left to one */
    bool wish_effect;     /* the latest wish changed something */
    bool lock_opened;     /* a first voter is ours: all are asked */
    bool lock_told;       /* the majority was told of */
    bool lock_changed;    /* votes were given since lock_age_ms was counted */
    bool slept;           /* we stood still for so long that another may have taken us for dead */
    bool doubt_last;      /* nothing but doubt holds up the end */
    bool lock_lost;       /* another has so many votes that we cannot have a majority any more */
    /* then, in the same block, the arrays that the functions below find */
};

struct run *run_new(const struct plan *);
void run_free(struct run **);

/* The command began so long ago (survey, a dead holder's leases): a wish of that time is meant for this run, too. To be
 * said before the first turn. */
void run_began_before(struct run *, uint32_t ms);

/* The parts, to read. */
#define RUN_PART(name, type, field, count)                                                                             \
    static inline const type *run_##name(const struct run *r, uint32_t i)                                              \
    {                                                                                                                  \
        assert(i < r->count);                                                                                          \
        return (const type *)(const void *)((const char *)r + r->at.field) + i;                                        \
    }
RUN_PART(lb, struct run_lb, lbs, n_lbs)
RUN_PART(lease, struct run_lease, leases, n_upstreams)
RUN_PART(vote, struct run_lease, votes, n_voters)
RUN_PART(upstream, struct seen_upstream, upstreams, n_upstreams)
RUN_PART(peer, struct seen_peer, peers, n_peers)
RUN_PART(watch, struct run_watch, watches, n_peers)
RUN_PART(node, struct node, nodes, n_nodes)
RUN_PART(extra, struct run_extra, extras, n_nodes)
#undef RUN_PART

static inline const uint16_t *run_begun(const struct run *r) /* n_begun node indexes */
{
    return (const uint16_t *)(const void *)((const char *)r + r->at.begun);
}

/* What a turn yields; grows as needed, emptied by turn_clear. */
struct turn {
    struct event *events;
    struct action *actions;
    size_t n_events, n_actions, cap_events, cap_actions;
};
/* A new event, zeroed but for its kind, rollout and text (NULL = ""). */
struct event *turn_event(struct turn *, const struct plan *, enum event_kind, const char *text);
void turn_clear(struct turn *);
void turn_free(struct turn *);

/* One turn: elapsed_ms have passed, these inputs came. A first call without inputs begins the rollout. */
void run_turn(struct run *, const struct plan *, uint32_t elapsed_ms, const struct input *, size_t n_inputs,
              struct turn *);

/* Nothing new starts from now on, and nodes that have no job yet turn round (but not where a repair failed on one). */
void run_stop(struct run *, const struct plan *, enum run_stop, const char *text, struct turn *);

/* A person's wish, by signal or through the agents; `who` is for people. False: it changes nothing, since nothing waits
 * for it. */
bool run_wish(struct run *, const struct plan *, enum wish, const char *who, struct turn *);

/* The turn's events could not be made durable: its actions that begin something are not to leave, and their nodes turn
 * round; those that bring nodes back stay. */
void run_withhold(struct run *, const struct plan *, struct turn *);

bool run_over(const struct run *);
/* Milliseconds until run_turn has something to do without an input; at most 60000. */
uint32_t run_wait_ms(const struct run *, const struct plan *);
/* DESIGN 4.4, worst first. signal: of a person's stop (2, 15), for 130 and 143. */
int run_exit_code(const struct run *, int signal);
/* Over the whole state, as FNV-1a but by words of 8 bytes. */
uint64_t run_hash(const struct run *);

#endif
