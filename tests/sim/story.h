/* story.h - what a seed says: the fleet, the settings, the controllers one after another, and what befalls them. Plain
 * data: the same story plays the same way, and a smaller one can be made of it (shrink.c). */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dice.h"
#include "faults.h"
#include "truth.h"

#define STORY_EVENTS    8
#define STORY_PROCESSES 4

enum story_act {
    STORY_ROLL, /* with the id of an earlier one: resumes it */
    STORY_REPAIR,
    STORY_ROLLBACK /* to the releases before */
};

enum hook_fate { HOOK_FATE_GOOD, HOOK_FATE_FAILS, HOOK_FATE_HANGS };

struct story_event {
    uint32_t at_ms;  /* since the beginning, or since the first request of the kind `after` */
    uint8_t after;   /* what is sent first (story_target); 0 = nothing */
    uint32_t for_ms; /* how long it lasts */
    uint8_t fault;   /* enum sim_fault */
    uint8_t what;    /* node, lb or peer; taken modulo how many there are ... */
    bool there;      /* ... of those of the node that `after` is sent for */
};

struct story_process {
    uint8_t act;             /* enum story_act */
    uint8_t rollout;         /* its id */
    bool overlaps;           /* it starts at a time, not some time after the one before has ended */
    bool empty_disk;         /* the journal of those before it is gone */
    uint32_t start_ms;       /* since the beginning, or since the end of the one before */
    uint32_t crash_at;       /* killed at its n-th crash point; 0 = not */
    uint32_t pause_at;       /* stands still at its n-th crash point ... */
    uint32_t pause_ms;       /* ... for so long */
    uint32_t full_at;        /* the n-th append and all later ones fail; 0 = none */
    uint32_t wish_ms;        /* a person's wish comes to all agents that can be reached, so long after its start ... */
    uint8_t wish;            /* enum wish; 0 = none */
    uint32_t signal_ms;      /* after its start; 0 = none */
    uint32_t signal_more_ms; /* a second one after that; 0 = none */
};

struct story {
    uint64_t seed;
    uint8_t nodes, lbs, upstreams_per_lb, foreign, backups, ports;
    bool two_services; /* a host has two, each a node of its own: nodes 0 and 1 are the first host's, and so on */
    bool apart;        /* the second service's servers are in the second upstream, and not beside the first one's */
    bool lone;         /* the second upstream has the first node alone */
    bool in_place;     /* --in-place */
    uint8_t plus;      /* bits: load balancers that are NGINX Plus */
    uint8_t stuck_in;  /* one in so many changes there stands in the network; 0 = none */
    bool grows;        /* nodes listen on two ports, the first upstream has the first of them, the second none yet */
    bool wished;       /* nothing befalls it but a person's wish, and it is run again */
    uint8_t zones;     /* of hosts, in turn; --order zone. 0 = none */
    bool restart;      /* no release */
    uint8_t at_target; /* bits: nodes that run it already */
    bool exact;        /* the load balancers' `active` */
    /* settings */
    uint32_t batches[3], n_batches;
    bool batch_percent;
    uint32_t max_unavailable;
    bool max_unavailable_percent, proceed;
    uint32_t drain_ms, job_ms, probe_ms, threshold, min_healthy_ms, healthy_ms, bake_ms, ttl_ms, request_ms, poll_ms;
    uint32_t max_failures, failure_action; /* as options.h has them */
    uint32_t on_inconclusive, canary, pause_after;
    /* the world's ways */
    uint8_t traffic;        /* 0 = too little to judge a bake by */
    bool serves_badly;      /* the release answers some requests with a 5xx */
    uint32_t hold_ms;       /* requests last at most so long after a drain */
    uint32_t way_ms;        /* a request takes at most so long to arrive */
    uint16_t frail_in;      /* one in so many calls is the last that an agent answers for a while; 0 = none */
    uint8_t sticky_in;      /* one in so many drains meets a sticky request; 0 = none */
    uint16_t call_fault_in; /* one in so many calls meets a fault; 0 = none */
    uint8_t call_target;    /* only these requests (story_target); 0 = all */
    uint8_t call_after;     /* ... and only once such a request was sent; 0 = from the first */
    uint8_t call_faults;    /* bits of enum sim_fault: which of the calls' faults */
    uint32_t faults_until;  /* only so many of them happen, and of the first 64 ... */
    uint64_t muted;         /* ... not these (bits). A seed's story mutes none: shrink.c does */
    uint8_t fate[SIM_NODES], undo_fate[SIM_NODES];
    uint16_t gets_healthy_ms[SIM_NODES], flap_ms[SIM_NODES];
    uint8_t hooks;    /* bits by enum hook_point: which there are; 0 = none */
    bool hook_two;    /* two before-drain */
    uint32_t hook_ms; /* each takes at most so long ... */
    uint32_t hook_limit_ms;
    uint8_t hook_fate_at;         /* the point at which ... */
    uint8_t hook_fate[SIM_NODES]; /* ... those of a node come to this (enum hook_fate) */
    uint8_t end_fate;
    uint32_t n_events, n_processes;
    struct story_event events[STORY_EVENTS];
    struct story_process processes[STORY_PROCESSES];
};

/* A kind of request, by the controller's enum action_kind and enum ask, in one number that is not 0. */
static inline uint8_t story_target(uint32_t kind, uint32_t ask)
{
    return (uint8_t)(kind == 0 ? ask : 64 + kind);
}

static inline uint8_t story_host(const struct story *s, uint8_t node)
{
    return (uint8_t)(s->two_services ? node / 2 : node);
}

/* Hosts in turn, so that the order of the hosts file is not that of the zones. From 1; 0 = none. */
static inline uint8_t story_zone(const struct story *s, uint8_t node)
{
    return (uint8_t)(s->zones == 0 ? 0 : story_host(s, node) % s->zones + 1);
}

/* Is the node in the k-th upstream of each load balancer from the first? */
static inline bool story_serves(const struct story *s, uint8_t node, uint8_t k)
{
    return s->apart ? node % 2 == k : s->grows ? k == 0 : !s->lone || k == 0 || node == 0;
}

void story_draw(struct story *, uint64_t seed);
void story_draw_calm(struct story *, struct dice *);
void story_draw_wished(struct story *, struct dice *);
void story_draw_sleeper(struct story *, struct dice *);
void story_draw_kind(struct story *, struct dice *); /* of a kind of its own, where it is one (story_kinds.c) */
void story_draw_aimed(struct story *);               /* each so many-th is one of story_aimed.c instead */
void story_make_smooth(struct story *);
/* Nothing in it that could keep a rollout from its goal. */
bool story_is_calm(const struct story *);
void story_print(const struct story *, FILE *); /* in words */

#endif
