/* witness.h - what a case looks at around a rollout: who serves, whom a request holds, what is claimed, and how it
 * ended.
 */
#ifndef STAGE_WITNESS_H
#define STAGE_WITNESS_H

#include "tests/stage/fleet.h"

/* ---- processes */
struct stage_pids {
    pid_t pid[STAGE_NODES_MAX]; /* by the pid files; 0: none alive */
};
struct stage_pids stage_fleet_pids(struct stage_fleet *f);
/* How many nodes are served by the same process as then. */
unsigned stage_fleet_same_pids(struct stage_fleet *f, const struct stage_pids *then);

/* ---- claims and leases */
json_t *stage_fleet_claim(struct stage_fleet *f, unsigned node);       /* null: none */
json_t *stage_fleet_vote(struct stage_fleet *f, unsigned node);        /* its agent's `lock`; null: none */
json_t *stage_fleet_lease(struct stage_fleet *f, unsigned lb);         /* member `rollout` of its `app` */
bool stage_fleet_is_free(struct stage_fleet *f);                       /* no claim, no vote, no living lease */
void stage_fleet_wait_lapse(struct stage_fleet *f, uint32_t limit_ms); /* until claims, votes and leases have run out */
void stage_fleet_wait_state(struct stage_fleet *f, unsigned lb, unsigned node, const char *state, uint32_t limit_ms);
/* All that a rollout could change, as one text to compare: pids, peers, claims, leases. */
const char *stage_fleet_picture(struct stage_fleet *f);

/* ---- a request that is held at a node, sent through a load balancer; nobody else may send through it meanwhile
 * The node waits for the last byte of its body for as long as the test likes, then sleeps, then answers. */
struct stage_hold {
    struct stage *stage;
    int fd;
    bool released;
    uint32_t sleep_ms;
    uint64_t until_ms; /* stage_now_ms, once released: it cannot be answered before */
};
struct stage_hold *stage_hold_start(struct stage_fleet *f, unsigned lb, unsigned node, uint32_t sleep_ms);
void stage_hold_release(struct stage_hold *h);        /* the last byte; from now on it sleeps */
bool stage_hold_answered(const struct stage_hold *h); /* looks, never waits */
const char *
stage_hold_end(struct stage_hold *h); /* its whole answer, released and waited for; "" where it was cut off */

/* ---- the end of a rollout: another exit code than this, or one of the texts (NULL-terminated) said neither on stdout
 * nor on stderr, fails the stage with all that it said. */
void stage_rollout_expect(struct stage *s, const struct stage_rollout *r, int exit_code, const char *const *texts);
#define STAGE_SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
