/* ask.h - what the core asks of the world, and what comes back. Flat values; indexes into the plan.
 *
 * The only loop of the program is action -> world -> input. An effect (a change of the world) carries the rollout's
 * fence and is safe to send again: PATCHes are idempotent by value, jobs by their id. */
#ifndef CONTROLLER_ASK_H
#define CONTROLLER_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "ident.h"

/* ASK(NAME, "what is asked, for --explain") */
#define ASKS(X)                                                                                                        \
    X(NONE, "nothing")                                                                                                 \
    X(STATUS, "agent: what runs")                                                                                      \
    X(PEERS, "load balancers: its peers, read after now")                                                              \
    X(FLOOR, "pace: may it leave (floor, batch)")                                                                      \
    X(CLAIM, "agent: PUT claim")                                                                                       \
    X(STAGE, "agent: PUT release")                                                                                     \
    X(DRAIN, "load balancers: PATCH drain:true")                                                                       \
    X(DOWN, "load balancers: PATCH down:true")                                                                         \
    X(BACK, "load balancers: PATCH as before")                                                                         \
    X(JOB, "agent: POST job restart or upgrade, or rollback where the rollout takes nodes back")                       \
    X(UNDO, "agent: POST job rollback")                                                                                \
    X(JOB_END, "agent: has the job ended")                                                                             \
    X(HEALTH, "agent, or the service itself: health, with identity")                                                   \
    X(UNCLAIM, "agent: DELETE claim")                                                                                  \
    X(HOOK, "here: run the hook")
enum ask {
#define X(name, text) ASK_##name,
    ASKS(X)
#undef X
        ASK_COUNT
};

/* What a person may want of a rollout that is at work. */
enum wish {
    WISH_NONE,
    WISH_PAUSE,  /* finish what is in motion, then end; resumable */
    WISH_ABORT,  /* as SIGINT */
    WISH_PROMOTE /* go on where it waits for that */
};

enum action_kind {
    ACT_ASK,     /* of one node: `ask`; answered by one IN_ANSWER */
    ACT_READ_LB, /* read /nginx and the upstreams of `lb`; answered by one IN_LB */
    ACT_LEASE,   /* take or renew (ttl_ms > 0) or release (0) the lease of `upstream`; answered by one IN_LEASE */
    ACT_RENEW,   /* PUT the claim of `node` again; answered by one IN_RENEW */
    ACT_LOOK,    /* read the server of `node` in `mask` (one bit) alone; answered by one IN_LOOK. hold_s > 0: answered
                       when it is quiet, at the latest after so long */
    ACT_WISH,    /* ask the agent of `node` for a wish, or (expect) mark it taken; answered by one IN_WISH */
    ACT_HOLD,    /* PATCH down:true once more, of what an nginx has forgotten (`mask` of `node`); by one IN_HOLD */
    ACT_LOCK,    /* take or renew (ttl_ms > 0) or give back (0) the vote of `voter`; answered by one IN_LOCK */
    ACT_STANDS,  /* ask the agent of `node`, which is done, what runs there; answered by one IN_STANDS */
    ACT_END,     /* run the hook `hook` of the rollout's end, which comes to `code`; answered by one IN_END */
    ACT_CUT      /* the hook of `node` (NODE_NONE: of the end) is to end now; has no answer of its own. Where the hook
                       has not ended well by then, its answer is ANS_BAD */
};

struct action {
    enum action_kind kind;
    enum ask ask;
    uint16_t node, lb, upstream;
    uint64_t mask;       /* DRAIN, DOWN, BACK, LOOK: which of the node's peers. CLAIM, RENEW: the claim's took_out */
    uint64_t prior_mask; /* BACK, CLAIM, RENEW: peers that were draining before us (their prior is drain, not up) */
    uint64_t expect;     /* CLAIM, RENEW: fence of the claim that must be there, 0 = none. WISH: its id; 0 = ask */
    bool effect;         /* WISH, with an id: it was acted on */
    struct ident before; /* CLAIM, RENEW: goes into the claim. UNDO: its sha256 is what to go back to */
    uint8_t attempt;     /* JOB, UNDO, JOB_END: last part of the job's id */
    enum ask job;        /* JOB_END: ASK_JOB or ASK_UNDO, which of the two is awaited */
    uint32_t ttl_ms;     /* LEASE, LOCK */
    uint32_t voter;      /* LOCK */
    uint32_t within_ms;  /* DRAIN, DOWN, BACK, HOLD: so long, from the turn that decided it on, the lock is known to be
                            ours; what has not left by then is not sent. 0 = no lock is needed */
    uint32_t hold_s;     /* LOOK */
    uint64_t look;       /* LOOK: which one; comes back with the answer */
    uint8_t hook;        /* HOOK, END: which of those of its point */
    int code;            /* END: the rollout's exit code */
    bool reverse;        /* CLAIM, RENEW, STAGE, JOB: the node is taken back to `goal`, which its agent has kept */
    uint8_t goal[32];    /* sha256 */
};

enum answer_kind {
    ANS_OK,
    ANS_REFUSED, /* said no; nothing changed. HOOK: it failed */
    ANS_FENCED,  /* said no because another rollout holds it or our fence is old; nothing changed */
    ANS_LOST,    /* no whole answer: an effect may have happened or not */
    ANS_TIMEOUT, /* nobody there: refused connection, unknown host, no answer in time. HOOK: it was ended at its limit
                  */
    ANS_BAD      /* an answer that makes no sense. HOOK: it was cut short */
};

enum job_state { JOB_NONE, JOB_RUNNING, JOB_DONE, JOB_FAILED };

#define ANSWER_TEXT_MAX 320

struct answer {
    enum answer_kind kind;
    uint64_t ok_mask;         /* DRAIN, DOWN, BACK: peers for which it is certain; kind is the worst of all peers' */
    struct ident ident;       /* STATUS, HEALTH: what runs. JOB_END: what runs after it; pid 0 = nothing */
    bool healthy;             /* HEALTH */
    enum job_state job;       /* JOB, UNDO, JOB_END: of that job. STATUS: of the agent's latest job */
    enum ask job_of;          /* STATUS: ASK_JOB or ASK_UNDO when that is our rollout's, else ASK_NONE; then */
    struct ident job_before;  /* what ran when it began, */
    struct ident job_after;   /* what ran when it had ended, */
    uint8_t attempt;          /* and the last part of its id, else 0 */
    bool touched;             /* JOB_END: a process was signalled or a file swapped */
    uint32_t connections;     /* STATUS: established to the service */
    uint64_t fence;           /* STATUS: the highest that the agent has seen */
    uint64_t claim_fence;     /* STATUS: of the claim that is there, 0 = none */
    bool claim_ours;          /* STATUS: it names our rollout */
    bool claim_live;          /* STATUS: its ttl has not run out */
    uint64_t up, down, drain; /* PEERS: by the node's peers: takes new requests / marked down / marked draining */
    uint64_t seen;            /* PEERS: peers that are in their upstream at all */
    bool elsewhere;  /* PEERS: the node is in use at one of their load balancers where the plan does not know of it */
    bool claim_gone; /* JOB, UNDO: refused because there is no claim at all */
    uint32_t active; /* PEERS: requests held, summed */
    bool ours_out;   /* FLOOR: too few are up, and some of those that are not are ours in motion */
    bool one_by_one; /* PEERS: nothing but these was read, so it may be asked again at once */
    uint32_t generation;  /* PEERS: changes when an nginx whose `active` is not exact was reloaded */
    uint8_t wish;         /* WISH, RENEW: enum wish, of our rollout; text says who */
    bool wish_taken;      /* it is marked so */
    uint32_t wish_age_ms; /* since the agent got it */
    uint64_t wish_id;
    char text[ANSWER_TEXT_MAX]; /* for people: why not, or "" */
};

/* What one load balancer showed of one upstream / one peer of the plan. */
struct seen_upstream {
    bool there;
    uint32_t configured; /* peers that are not backup */
    uint32_t up;         /* of these, in state up */
};
/* What one peer, or several together, have served since the first list of them; it only rises (or wraps around). No
 * padding: it is hashed. */
struct served {
    uint64_t time_ms; /* summed over the `timed` answers */
    uint32_t timed, answers;
    uint32_t errors; /* answers with a 5xx */
    uint32_t fails;  /* requests that nginx counts as failed */
};
/* Where else it is in use, unknown to the plan: not taken out there, so not silent (I2). */
enum elsewhere {
    ELSEWHERE_NOT,
    ELSEWHERE_SERVER, /* its server stands in another upstream as well (for a repair: since the first list) */
    ELSEWHERE_ADDRESS /* a server that the plan has not is another address that its node's service listens on */
};
enum peer_state { PEER_UNKNOWN, PEER_UP, PEER_DRAINING, PEER_DOWN, PEER_UNAVAIL };
struct seen_peer {
    uint8_t state; /* enum peer_state; PEER_UNKNOWN where the upstream does not list it */
    bool backup;
    bool exact;        /* of a look at one server: `active` says all. Where it does not, the list and the agent must */
    uint8_t elsewhere; /* enum elsewhere; of several peers of one node at a load balancer, the first has _ADDRESS */
    uint32_t active;
    struct served own;    /* while the plan bakes by what nginx counts, else zero */
    struct served others; /* the other peers of its upstream while they were up and not backup, its node's own left out;
                             of several peers of one node in one upstream, the first has it */
};
/* One of seen_upstream.up. */
static inline bool seen_up(const struct seen_peer *seen)
{
    return seen->state == PEER_UP && !seen->backup;
}

enum input_kind {
    IN_TIME,   /* only time has passed */
    IN_ANSWER, /* to ACT_ASK: node, answer */
    IN_LB,     /* to ACT_READ_LB: lb, answer.kind and text; when ANS_OK the three members below */
    IN_LEASE,  /* to ACT_LEASE: upstream, answer.kind and text */
    IN_RENEW,  /* to ACT_RENEW: node, answer.kind and text; when ANS_OK the wish */
    IN_WISH,   /* to ACT_WISH: node, answer.kind; when ANS_OK the wish */
    IN_LOOK,   /* to ACT_LOOK: node, answer.kind and text, the three members at the end */
    IN_HOLD,   /* to ACT_HOLD: node, answer.kind, ok_mask and text */
    IN_STOP,   /* a person or the system wants us to stop: nothing new starts, nodes go back */
    IN_LOCK,   /* to ACT_LOCK: voter, answer.kind and text */
    IN_STANDS, /* to ACT_STANDS: node, answer as of STATUS */
    IN_END,    /* to ACT_END: answer.kind and text, as of a HOOK */
    IN_SAID /* before the answer to a HOOK or ACT_END: node (NODE_NONE: of the end); answer.text is a line that it said
             */
};

#define NODE_NONE 0xffff

struct input {
    enum input_kind kind;
    uint16_t node, lb, upstream;
    uint32_t voter;
    struct answer answer;
    /* IN_LB, valid until the next collect: arrays over the whole plan of which only this load balancer's rows count. */
    const struct seen_upstream *upstreams;
    const struct seen_peer *peers;
    uint64_t generation; /* of /nginx: generation mixed with its load time */
    bool active_exact;   /* its `active` is right over reloads too */
    bool one_by_one;     /* it shows one server, too, with all that a list says of it (our module): ACT_LOOK */

    /* IN_LOOK, valid until the next collect. */
    const struct seen_peer *looked; /* by the node's peers; PEER_UNKNOWN: this load balancer shows no single server */
    uint64_t mask, look;            /* as asked */
    uint32_t hold_s;
};

#endif
