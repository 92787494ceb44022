/* truth.h - the simulated fleet as it truly is: load balancers with the semantics of our nginx module, agents with
 * those of their contract, requests in flight. One flat block without pointers, so that it can be copied, compared and
 * hashed.
 *
 * Nothing of the controller is known here. lbs.c and agents.c change it, judge.c watches it, wire.c lets a controller
 * reach it. Rollouts, executables, holders are small numbers; times are virtual milliseconds. */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_NODES      12
#define SIM_LBS        3
#define SIM_UPSTREAMS  6 /* over all load balancers */
#define SIM_PEERS      96
#define SIM_NODE_PEERS 6
#define SIM_ZONES      3
#define SIM_JOBS       6 /* that an agent remembers */
#define SIM_NOBODY     0xff
#define SIM_EVER       INT64_MAX
#define SIM_NEVER      (INT64_MIN / 2)

/* A process for all time, and what it runs. pid 0: none. */
struct sim_ident {
    uint64_t ticks;
    uint32_t pid;
    uint8_t boot;
    uint8_t exe; /* 'A' is what runs in the beginning, 'B' the release, 'X' neither */
};

enum sim_gate { SIM_OPEN, SIM_DRAIN, SIM_DOWN };

struct sim_peer {
    int64_t held_until_ms; /* closed: its last request ends then */
    int64_t closed_ms;
    uint8_t upstream, node; /* node SIM_NOBODY: no host of the hosts file */
    uint8_t port;           /* which of the node's; of nobody: which of these */
    uint8_t gate;
    bool backup;
    bool failing; /* nginx has found that nobody answers there */
};

/* Who asks: a rollout's id, and the holder (one controller). */
struct sim_who {
    uint8_t rollout, holder;
    uint64_t fence;
};

struct sim_lease {
    struct sim_who who; /* fence: the highest seen */
    int64_t until_ms;
};

struct sim_upstream {
    struct sim_lease lease;
    uint8_t lb;
};

struct sim_lb {
    int64_t dead_until_ms;
    int64_t reload_ms;
    uint64_t generation;
    bool exact; /* `active` counts requests of old workers too */
    bool plus;  /* it knows no leases: whoever asks is obeyed, and agents give their votes instead */
};

struct sim_claim {
    struct sim_who who;
    int64_t until_ms;
    struct sim_ident before;
    uint8_t took[SIM_NODE_PEERS], n_took; /* peers */
    uint8_t was_draining;                 /* bits of took[] */
    uint8_t target;                       /* executable; 0 = none: a restart */
    bool there;
};

enum sim_job_kind { SIM_RESTART, SIM_UPGRADE, SIM_ROLLBACK };
enum sim_job_state { SIM_JOB_NONE, SIM_JOB_RUNNING, SIM_JOB_DONE, SIM_JOB_FAILED };

struct sim_job {
    struct sim_who who;
    struct sim_ident before, after;
    int64_t ends_ms;
    uint8_t kind, state, exe, attempt;
    bool undo; /* the step part of its id */
    bool touched;
    uint32_t order; /* rises */
};

enum sim_fate {
    SIM_FATE_GOOD,
    SIM_FATE_REFUSED,
    SIM_FATE_KEPT,
    SIM_FATE_DIED,
    SIM_FATE_ILL,
    SIM_FATE_UNTRUE,
    SIM_FATE_HANGS,
    SIM_FATE_WRONG
};

/* What a person wants of a rollout at work. */
struct sim_wish {
    int64_t put_ms;
    uint64_t id; /* 0 = none */
    uint8_t rollout, wish;
    bool taken;
};

struct sim_agent {
    int64_t dead_until_ms; /* nobody answers */
    int64_t healthy_ms;    /* what runs is healthy from then on */
    struct sim_ident now;
    struct sim_claim claim;
    struct sim_who highest; /* fence, and whose it is */
    struct sim_lease vote;  /* who may change load balancers without leases, and until when */
    struct sim_job jobs[SIM_JOBS];
    uint32_t n_jobs;
    struct sim_wish wish;
    uint32_t job_ms, gets_healthy_ms, flap_ms; /* flap_ms > 0: ill every third such time */
    uint8_t host;                              /* from 1: the agents of one host die together. 0 = alone on its own */
    uint8_t zone;                              /* from 1; 0 = none */
    uint8_t service;                           /* from 0: who votes together */
    uint8_t installed, staged;                 /* staged: bits by executable - 'A' */
    uint8_t previous;                          /* executable before the one that runs, kept; 0 = none */
    uint8_t fate, undo_fate;                   /* enum sim_fate of jobs to come */
    bool ill;                                  /* what runs never gets healthy */
};

struct sim_truth {
    int64_t now_ms;
    uint32_t next_pid, next_job;
    uint8_t n_nodes, n_lbs, n_upstreams, n_peers;
    struct sim_lb lbs[SIM_LBS];
    struct sim_upstream upstreams[SIM_UPSTREAMS];
    struct sim_peer peers[SIM_PEERS];
    struct sim_agent agents[SIM_NODES];
};

enum sim_reply { SIM_OK, SIM_NO, SIM_FENCED, SIM_SILENCE };

/* ---- what can be seen, asked for all the time */
static inline bool sim_same(const struct sim_ident *a, const struct sim_ident *b)
{
    return a->pid != 0 && a->pid == b->pid && a->ticks == b->ticks && a->boot == b->boot;
}

static inline bool sim_same_host(const struct sim_truth *t, uint8_t a, uint8_t b)
{
    return a == b || (t->agents[a].host != 0 && t->agents[a].host == t->agents[b].host);
}

static inline bool sim_agent_dead(const struct sim_truth *t, uint8_t node)
{
    return t->agents[node].dead_until_ms > t->now_ms;
}

static inline bool sim_lb_dead(const struct sim_truth *t, uint8_t lb)
{
    return t->lbs[lb].dead_until_ms > t->now_ms;
}

static inline bool sim_peer_plus(const struct sim_truth *t, uint8_t peer)
{
    return t->lbs[t->upstreams[t->peers[peer].upstream].lb].plus;
}

static inline bool sim_peer_up(const struct sim_truth *t, uint8_t peer)
{
    return t->peers[peer].gate == SIM_OPEN && !t->peers[peer].failing;
}

/* Requests, truly. */
static inline bool sim_peer_holds(const struct sim_truth *t, uint8_t peer)
{
    const struct sim_peer *p = &t->peers[peer];

    if (p->node != SIM_NOBODY && t->agents[p->node].now.pid == 0)
        return false; /* they have failed */
    return p->gate == SIM_OPEN ? !p->failing : p->held_until_ms > t->now_ms;
}

/* Requests, as nginx says. */
static inline bool sim_peer_shows(const struct sim_truth *t, uint8_t peer)
{
    const struct sim_peer *p = &t->peers[peer];
    const struct sim_lb *lb = &t->lbs[t->upstreams[p->upstream].lb];

    /* A reload makes new counters; requests of old workers are in none of them. */
    if (!lb->exact && p->gate != SIM_OPEN && lb->reload_ms >= p->closed_ms)
        return false;
    return sim_peer_holds(t, peer);
}

/* ---- lbs.c: by the rules of deploy/nginx-module */
enum sim_reply sim_lease(struct sim_truth *, uint8_t upstream, const struct sim_who *, uint32_t ttl_ms);
/* A change without its check of the lease, as anybody may make it; hold_ms: who closes an open peer says how long its
 * requests still last. */
void sim_gate_set(struct sim_truth *, uint8_t peer, enum sim_gate, uint32_t hold_ms);
void sim_lb_reload(struct sim_truth *, uint8_t lb);
void sim_lb_forget(struct sim_truth *, uint8_t lb);

/* ---- agents.c: by the rules of agent/wire.h */
enum sim_reply sim_claim_put(struct sim_truth *, uint8_t node, const struct sim_claim *, uint64_t expect);
/* ttl_ms 0 gives it back. */
enum sim_reply sim_vote(struct sim_truth *, uint8_t node, const struct sim_who *, uint32_t ttl_ms);
enum sim_reply sim_claim_drop(struct sim_truth *, uint8_t node, const struct sim_who *);
/* What is asked for is in `job`; *new_job says whether it was not there before. */
enum sim_reply sim_job_post(struct sim_truth *, uint8_t node, const struct sim_job *, struct sim_job **, bool *new_job);
enum sim_fate sim_job_fate(const struct sim_agent *, const struct sim_job *); /* what it comes to */
void sim_job_end(struct sim_truth *, uint8_t node, struct sim_job *);
struct sim_job *sim_job_find(struct sim_truth *, uint8_t node, uint8_t rollout, bool undo, uint8_t attempt);
const struct sim_job *sim_job_last(const struct sim_agent *); /* NULL = none yet */
bool sim_healthy(const struct sim_truth *, uint8_t node);
uint32_t sim_connections(const struct sim_truth *, uint8_t node);
/* A new process of what is installed. */
void sim_process_start(struct sim_truth *, uint8_t node, uint8_t exe, bool ill);
void sim_process_end(struct sim_truth *, uint8_t node);
void sim_reboot(struct sim_truth *, uint8_t node);

#endif
