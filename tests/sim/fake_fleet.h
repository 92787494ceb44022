/* fake_fleet.h - a fleet in memory: load balancers and agents as they truly are, under a virtual clock, obeying the
 * rules of lease, claim and fence that DESIGN 4.2 and 4.3 give to nginx's module and to the agents.
 *
 * Nothing here knows the controller's steps. fake_world.h lets a controller reach it, late and through faults; what it
 * does is one line each of the effect log, and is judged at once by fake_judge.h. Peer i < plan->n_peers is the plan's
 * peer i; others may stand beside them. All in one flat block, of one plan. */
#ifndef SIM_FAKE_FLEET_H
#define SIM_FAKE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/ask.h"
#include "controller/plan.h"
#include "fake_judge.h"

#define FAKE_LBS       4
#define FAKE_UPSTREAMS 8
#define FAKE_PEERS     128
#define FAKE_NODES     26
#define FAKE_DUES      64
#define FAKE_WHENS     16
#define FAKE_LOG_BYTES 65536
#define FAKE_LINE_MAX  200

enum fake_gate { GATE_OPEN, GATE_DRAIN, GATE_DOWN };

struct fake_peer {
    uint16_t upstream;
    int32_t node; /* -1: nobody's of the plan */
    enum fake_gate gate;
    bool backup, dead; /* dead: nginx has found that nobody answers there */
    int64_t closed_ms; /* since when it gets no new requests */
    uint32_t hold_ms;  /* how long requests that it had then still last */
};

struct fake_lease {
    char id[32];
    uint64_t fence, highest;
    int64_t until_ms; /* held while now is less */
};

struct fake_lb {
    bool dead;
    bool exact; /* its `active` counts requests of old workers too */
    uint64_t generation;
    int64_t reload_ms;
};

/* What a job comes to. */
enum fake_fate {
    FATE_GOOD,
    FATE_REFUSED, /* not taken at all */
    FATE_KEPT,    /* it fails, the file and the process before are there again */
    FATE_DIED,    /* neither old nor new runs */
    FATE_ILL,     /* done, and never healthy */
    FATE_UNTRUE,  /* "done", but the process before goes on */
    FATE_HANGS
};

struct fake_claim {
    bool there;
    char rollout[32];
    uint64_t fence, mask, prior_mask;
    struct ident before;
    int64_t until_ms;
};

struct fake_job {
    char id[64]; /* "" = none yet */
    enum ask ask;
    enum fake_fate fate;
    enum job_state state;
    bool touched;
    int64_t ends_ms;
    struct ident before, after;
};

struct fake_wish {
    uint64_t id; /* 0 = none */
    enum wish wish;
    int64_t put_ms;
    bool taken, effect;
};

struct fake_agent {
    bool dead; /* nobody answers */
    bool ill;  /* what runs is never healthy */
    struct ident now;
    uint8_t installed;
    int64_t healthy_ms; /* what runs is healthy from then on */
    uint32_t job_takes_ms, gets_healthy_ms;
    enum fake_fate fate, undo_fate, back_fate; /* back: of a job that takes it back */
    uint64_t highest;                          /* fence */
    char highest_id[32];
    struct fake_claim claim;
    struct fake_job job;
    struct fake_wish wish;
    uint32_t strangers; /* established connections that are no load balancer's */
};

struct fake_fleet;
typedef void fake_event(struct fake_fleet *, uint32_t which);

struct fake_due {
    int64_t ms;
    fake_event *fn;
    uint32_t which;
};
struct fake_when {
    const char *line; /* borrowed */
    uint32_t later_ms;
    fake_event *fn;
    uint32_t which;
};

struct fake_fleet {
    const struct plan *plan;
    int64_t now_ms;
    uint32_t next_pid, n_peers;
    uint64_t wishes; /* so far */
    struct fake_lb lbs[FAKE_LBS];
    struct fake_lease leases[FAKE_UPSTREAMS]; /* by the plan's upstream */
    struct fake_peer peers[FAKE_PEERS];
    struct fake_agent agents[FAKE_NODES];
    int signals, signal; /* how many came to the controller, and the last */
    bool usr[2];         /* SIGUSR1, SIGUSR2 have come and were not asked for yet */
    struct fake_judge judge;
    uint32_t n_dues, n_whens;
    struct fake_due dues[FAKE_DUES];
    struct fake_when whens[FAKE_WHENS];
    size_t log_bytes;
    char log[FAKE_LOG_BYTES]; /* "  0.120 a drain at lb1/app", a line each */
};

/* Everything well: all nodes run what the plan surveyed and are open everywhere. The plan must outlive it. */
struct fake_fleet *fake_fleet_new(const struct plan *);
void fake_fleet_free(struct fake_fleet **);

/* One more peer, nobody's of the plan; returns its index. */
uint32_t fake_fleet_peer(struct fake_fleet *, uint16_t upstream, bool backup);

/* ---- the script: what happens to the fleet, at a time from now, or some time after a line of the log has this text */
void fake_at(struct fake_fleet *, uint32_t ms, fake_event *fn, uint32_t which);
void fake_when(struct fake_fleet *, const char *line, uint32_t later_ms, fake_event *fn, uint32_t which);

fake_event fake_lb_dies, fake_lb_lives, fake_lb_reloads; /* which: lb */
fake_event fake_lb_forgets;                              /* which: lb; nginx is started anew, without a state file */
fake_event fake_agent_dies, fake_agent_lives;            /* which: node */
fake_event fake_agent_forgets;                           /* which: node; its state folder goes: claim, fence, job */
fake_event fake_process_restarts;                        /* which: node; somebody else restarts it */
fake_event fake_peer_dies, fake_peer_closed, fake_peer_opened;
fake_event fake_lease_stolen; /* which: upstream; another rollout, r9, has it with fence 9 */
fake_event fake_claim_stolen; /* which: node; likewise */
fake_event fake_signal;       /* which: the signal's number, to the controller */

/* A person's wish of rollout r1, put to the agent of a node, or to all that answer; each has an id of its own. */
#define FAKE_EVERYBODY UINT32_MAX
fake_event fake_pause_wished, fake_abort_wished, fake_promote_wished;

/* ---- effects and readings, at the present time */
enum answer_kind fake_lease_put(struct fake_fleet *, const struct plan *, uint16_t upstream, uint32_t ttl_ms);
enum answer_kind fake_patch(struct fake_fleet *, const struct plan *, uint32_t peer, enum fake_gate);
enum answer_kind fake_claim_put(struct fake_fleet *, const struct plan *, const struct action *, bool renewal);
enum answer_kind fake_claim_drop(struct fake_fleet *, const struct plan *, uint16_t node);
enum answer_kind fake_job_post(struct fake_fleet *, const struct plan *, const struct action *);
enum answer_kind fake_stage(struct fake_fleet *, const struct plan *, uint16_t node);

void fake_job_id(char id[64], const struct plan *, uint16_t node, enum ask, uint8_t attempt);
bool fake_peer_up(const struct fake_fleet *, uint32_t peer);         /* takes new requests and answers them */
uint32_t fake_peer_active(const struct fake_fleet *, uint32_t peer); /* requests that it truly holds */
uint32_t fake_peer_shown(const struct fake_fleet *, uint32_t peer);  /* what nginx says of that */
uint32_t fake_connections(const struct fake_fleet *, uint16_t node);
bool fake_healthy(const struct fake_fleet *, uint16_t node);
uint16_t fake_peer_lb(const struct fake_fleet *, uint32_t peer);

/* When something of the script is due next; INT64_MAX = nothing. fake_fleet_pass lets the time pass up to then, at most
 * to `ms`, and does what is due. */
int64_t fake_fleet_due(const struct fake_fleet *);
void fake_fleet_pass(struct fake_fleet *, int64_t ms);

void fake_log(struct fake_fleet *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
