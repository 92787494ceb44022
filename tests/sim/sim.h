/* sim.h - one simulated story under way: the truth, its judge, the controllers (seats), requests on their way, and what
 * is due when. Read in this order: truth.h, story.h, judge.h, wire.c (a controller's way to the truth), seat.c (a
 * controller's life), play.c (the loop). */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "controller/loop.h"
#include "controller/plan.h"
#include "dice.h"
#include "judge.h"
#include "story.h"
#include "tally.h"
#include "trace.h"
#include "truth.h"

#define SIM_SEATS  JUDGE_SEATS
#define SIM_CALLS  160
#define SIM_DUES   1024
#define SIM_STUCKS 64
#define SIM_TURNS  200000 /* of a seat: more, and it never ends */
#define SIM_END_MS (48 * 3600 * 1000LL)

/* ---- what is due when */
enum sim_due_kind {
    DUE_ARRIVE, /* part b of call a arrives at its goal */
    DUE_BACK,   /* ... is answered */
    DUE_JOB,    /* the job number b of node a ends */
    DUE_EVENT,  /* event a of the story; b: it ends */
    DUE_START,  /* process a of the story */
    DUE_WISH,   /* of seat a's rollout */
    DUE_SIGNAL, /* to seat a */
    DUE_STICKY, /* a sticky request arrives at peer a */
    DUE_STUCK   /* what stood in the network (stuck[a]) arrives */
};
struct sim_due {
    int64_t ms;
    uint32_t order;
    uint8_t kind, a;
    uint32_t b;
};

/* ---- requests. An action at several load balancers has a part for each. */
struct sim_part {
    int64_t poll_until_ms;
    uint8_t lb;
    uint8_t fault; /* enum sim_fault; SIM_FAULT_NONE */
    uint8_t reply; /* enum answer_kind that comes back */
    uint64_t ok_mask;
};

/* A change of one peer that its sender has given up. */
struct sim_stuck {
    int64_t turn_ms, given_up_ms;
    struct sim_who who;
    uint8_t seat, peer, gate;
    bool back;
};

/* An answer without its text. */
struct sim_told {
    enum answer_kind kind;
    uint64_t ok_mask, claim_fence;
    struct sim_ident now;
    int64_t seen_ms;
    enum job_state job;
    uint32_t connections;
    uint8_t attempt;
    bool healthy, touched, claim_ours, claim_live, claim_gone;
    uint64_t fence;
    struct sim_wish wish;
    enum ask job_of;
    struct sim_ident job_before, job_after;
};

struct sim_call {
    bool used, ready;
    uint8_t seat, n_parts, n_open;
    uint8_t next;             /* of the ready ones of its seat */
    int64_t sent_ms, turn_ms; /* when it left; when the turn began that decided it */
    struct action action;
    struct sim_who who;
    struct sim_told told;
    struct sim_part parts[SIM_LBS];
    struct seen_peer looked[SIM_NODE_PEERS];
};

/* ---- what is known of a controller's hooks (hooks.c) */
struct sim_hook_node {
    uint8_t drains_good; /* before-drain that went well since the first of them began */
    bool handover_good;  /* since its last job */
    bool owes;           /* an after-readd */
    bool twice;          /* a dead controller may have run its hooks */
};
struct sim_hooks {
    struct sim_hook_node nodes[SIM_NODES];
    uint32_t ends;
    int code; /* that the end's were told */
    bool end_failed;
};

/* ---- controllers */
enum seat_state { SEAT_FREE, SEAT_RUNS, SEAT_DEAD, SEAT_ENDED };

struct sim;
struct sim_seat {
    struct world world;
    struct store store;
    struct sim *sim;
    const struct story_process *process;
    uint8_t index, state, act;
    bool counted;  /* where it left its nodes is in the tally */
    bool awake;    /* to be resumed at wake_ms, whatever comes */
    bool sleeping; /* ... and not by an answer */
    int64_t wake_ms, collected_ms, over_ms;
    int64_t began_ms; /* of its run */
    struct sim_who who;
    uint32_t points, appends, turns, idle;
    int signals, signal;
    int code;
    struct plan *plan;
    struct view *view;
    struct store *journal;
    char rollout[16], holder[16];
    uint8_t first_ready, last_ready;                                        /* calls; SIM_CALLS = none */
    uint8_t node_of[SIM_NODES], lb_of[SIM_LBS], upstream_of[SIM_UPSTREAMS]; /* plan's index -> truth's */
    uint8_t peer_of[SIM_PEERS], voter_of[SIM_NODES];
    uint8_t durable[SIM_NODES]; /* by the plan's node: the ask of the step that the journal has */
    bool failed[SIM_NODES];
    struct sim_hooks hooks;
    int64_t entered_ms[SIM_NODES]; /* when the node came into its step */
    struct {
        struct seen_upstream upstreams[SIM_UPSTREAMS];
        struct seen_peer peers[SIM_PEERS];
        uint64_t generation;
        bool exact;
    } seen[SIM_LBS];
};

struct sim {
    const struct story *story;
    struct sim_truth truth;
    struct judge judge;
    struct dice dice;
    struct trace trace;
    struct tally *tally;
    void (*seen)(const struct sim *); /* after every event; NULL */
    uint32_t n_call_faults;           /* that calls have met, or would have */
    uint32_t n_stuck, n_dues, next_order, n_seats, next_process;
    struct sim_seat *next; /* whose turn it is, where that is known already; NULL */
    uint32_t n_over;       /* seats before this one do not run any more */
    uint64_t fired[SIM_FAULTS];
    uint32_t waiting;            /* bits of the story's events that wait for a request */
    uint8_t aimed[STORY_EVENTS]; /* the node that such a request was for; SIM_NOBODY = no one node's */
    bool faulty;                 /* calls meet faults */
    bool at_peace;               /* nothing in the story could keep a rollout from its goal */
    bool calm;                   /* the storm is over: no more faults */
    bool refused_rightly;        /* a plan was not possible from the first */
    struct store *journal;       /* of the machine that controllers run on */
    struct sim_due dues[SIM_DUES];
    struct sim_call calls[SIM_CALLS];
    struct sim_stuck stuck[SIM_STUCKS];
    struct sim_seat seats[SIM_SEATS];
};

void sim_due(struct sim *, int64_t ms, enum sim_due_kind, uint8_t a, uint32_t b);
void sim_due_sink(struct sim *, uint32_t i); /* its place in the heap is found again */
/* What waits for such a request is due; node SIM_NOBODY: it is for no one node. */
void sim_sent(struct sim *, uint8_t target, uint8_t node);
void sim_fired(struct sim *, enum sim_fault);
void sim_note(struct sim *, enum traced, int64_t a, int64_t b, int64_t c, int64_t d);

/* ---- play.c */
/* Play a story to its end; false: the judge found a breach (sim->judge). Adds to the tally. */
bool sim_play(struct sim *, const struct story *, struct tally *);
/* Whose turn is next, once all that is due before has happened; NULL: nobody has anything to do any more. */
struct sim_seat *sim_next(struct sim *);

/* ---- wire.c */
void wire_open(struct sim_seat *); /* after the plan is there */
void wire_arrive(struct sim *, uint8_t call, uint32_t part);
void wire_back(struct sim *, uint8_t call, uint32_t part);
void wire_stuck(struct sim *, uint8_t stuck);

/* ---- hooks.c */
bool hook_send(struct sim_seat *, const struct action *, uint8_t call); /* false: it is none of a hook */
void hook_told(struct sim_seat *, const struct sim_call *);
void hook_watch(struct sim_seat *, const struct action *); /* any other is sent */
void hook_over(struct sim_seat *);                         /* it ends by itself */
void hook_resumed(struct sim_seat *);                      /* it has its plan */

/* ---- seat.c */
uint8_t seat_start(struct sim *, const struct story_process *);
void seat_resume(struct sim_seat *);
/* A place where a controller may be killed or stand still; `where`: the fault that it would be. */
void seat_point(struct sim_seat *, enum sim_fault where);
void seat_wait(struct sim_seat *);               /* until wake_ms, which an answer or a signal may bring nearer */
void seat_sleep(struct sim_seat *, uint32_t ms); /* nothing does */
void seat_over(struct sim_seat *, enum seat_state);
struct sim_seat *seat_now(void); /* the one that runs */

/* ---- events.c */
void event_happens(struct sim *, uint32_t event, bool ends);
void events_calm(struct sim *); /* everybody who can is well again */
void process_dies(struct sim *, uint8_t node);

/* ---- scan.c: what a controller reads before it makes its plan */
struct survey;
struct fleet;
struct options;
void scan_begin(const struct story *); /* what is kept from story to story is made */
const struct fleet *scan_fleet(const struct story *);
void scan_options(const struct story *, struct options *);
struct survey *scan_survey(const struct sim *, const struct fleet *);
struct ident scan_ident(const struct sim_ident *);
struct sim_ident scan_known(const struct ident *);
void scan_sha256(uint8_t exe, uint8_t sha256[32]);
const char *scan_rollout(uint8_t rollout);
const char *scan_node_name(const struct story *, uint8_t node);
uint8_t scan_peer(const struct sim *, uint8_t upstream, const char *server); /* of a server of a node's */

#endif
