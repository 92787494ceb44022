/* run_state.h - the inside of the run's block, for run*.c alone: mutable parts, and the turn's small helpers. */
#ifndef CONTROLLER_RUN_STATE_H
#define CONTROLLER_RUN_STATE_H

#include "run.h"

/* The parts, to change. */
#define STATE_PART(name, type, field, count)                                                                           \
    static inline type *state_##name(struct run *r, uint32_t i)                                                        \
    {                                                                                                                  \
        assert(i < r->count);                                                                                          \
        return (type *)(void *)((char *)r + r->at.field) + i;                                                          \
    }
STATE_PART(lb, struct run_lb, lbs, n_lbs)
STATE_PART(lease, struct run_lease, leases, n_upstreams)
STATE_PART(vote, struct run_lease, votes, n_voters)
STATE_PART(upstream, struct seen_upstream, upstreams, n_upstreams)
STATE_PART(peer, struct seen_peer, peers, n_peers)
STATE_PART(watch, struct run_watch, watches, n_peers)
STATE_PART(node, struct node, nodes, n_nodes)
STATE_PART(extra, struct run_extra, extras, n_nodes)
STATE_PART(out, uint64_t, outs, n_peers) /* by peer: generation of its nginx when it was last out; 0 = never */
#undef STATE_PART

static inline uint16_t *state_begun(struct run *r)
{
    return (uint16_t *)(void *)((char *)r + r->at.begun);
}

/* A NOTE about a node that is where it was. */
void turn_note(const struct run *, const struct plan *, uint16_t node, const char *text, struct turn *);

/* A new action of the turn, zeroed but for its kind. */
struct action *turn_action(struct turn *, enum action_kind);
/* What a node's step asks for. */
void turn_ask(struct turn *, const struct action *);

/* Take what node_*() said into events, actions and the run's books. */
void state_move(struct run *, const struct plan *, uint16_t id, const struct move *, struct turn *);

/* What its step asks for is started; or answered at once, where the lock does not let it leave. */
void state_ask(struct run *, const struct plan *, uint16_t id, struct turn *);

/* run_reverse.c: the second half. */
void reverse_begin(struct run *, const struct plan *, const char *text, struct turn *);
/* Begin nodes as far as the pace lets, beside so many in motion; how many are then. */
uint32_t reverse_drive(struct run *, const struct plan *, uint32_t in_motion, struct turn *);
/* Nothing is left to begin. */
bool reverse_is_through(const struct run *);
/* All that this rollout changed is as it was. */
bool reverse_is_complete(const struct run *);

/* run_budget.c: a node has failed. */
void budget_take(struct run *, const struct plan *, const struct node *, struct turn *);

/* run_lease.c */
void lease_time(struct run *, uint32_t elapsed_ms);
void lease_answer(struct run *, const struct plan *, const struct input *, struct turn *);
/* The answer to an ask of a node: a load balancer that refuses the change because of another's lease ends the rollout.
 */
void lease_lost(struct run *, const struct plan *, const struct input *, struct turn *);
/* As far as we know nobody else can have one, or the lock. */
bool lease_is_ours(const struct run *, const struct plan *);
/* While this time passed, the last of them ran out: another may have had them all since. */
bool lease_ran_out(const struct run *, const struct plan *, uint32_t elapsed_ms);
void lease_give_back(struct run *, const struct plan *); /* enter RUN_RELEASING */
void lease_drive(struct run *, const struct plan *, struct turn *);
/* The nginx of `lb` is another one since: leases there are put again at once. */
void lease_doubt(struct run *, const struct plan *, uint16_t lb);
uint32_t lease_wait_ms(const struct run *, const struct plan *);

/* run_lock.c: the votes of the fleet's agents, where load balancers know no lease */
void lock_time(struct run *, uint32_t elapsed_ms);
void lock_answer(struct run *, const struct plan *, const struct input *, struct turn *); /* IN_LOCK */
void lock_take(struct run *, const struct plan *, struct turn *);                         /* once all leases are ours */
bool lock_taken(const struct run *, const struct plan *); /* a majority is ours; true where no lock is needed */
void lock_drive(struct run *, const struct plan *, struct turn *); /* renew, give back */
void lock_give_back(struct run *);                                 /* RUN_RELEASING begins */
bool lock_given_back(const struct run *, const struct plan *);
uint32_t lock_wait_ms(const struct run *, const struct plan *);
/* All votes are to be renewed at once. */
void lock_doubt(struct run *, const struct plan *);
/* Whether a PATCH of these peers of the node may leave now; then `within_ms` of the action is set. Else the answer that
 * stands for it: FENCED where the lock is lost, TIMEOUT where that is not known. */
bool lock_lets(const struct run *, const struct plan *, struct action *, struct answer *);
/* The same before the node is taken out at all: nothing of a drain is to be begun that could not be ended. */
bool lock_lets_begin(const struct run *, const struct plan *, uint16_t node, char text[ANSWER_TEXT_MAX]);

/* run_hold.c */
void hold_init(struct run *, const struct plan *);
void hold_drive(struct run *, const struct plan *, struct turn *);
bool hold_open(const struct run *); /* the next node of the plan may begin, as far as canary and pause go */

/* run_wish.c */
void wish_time(struct run *, uint32_t elapsed_ms);
void wish_input(struct run *, const struct plan *, const struct input *, struct turn *); /* IN_WISH */
/* What an agent said of a wish of this rollout, asked at that age of the run. */
void wish_heard(struct run *, const struct plan *, uint16_t node, const struct answer *, uint32_t age_ms,
                struct turn *);
void wish_drive(struct run *, const struct plan *, struct turn *);
uint32_t wish_wait_ms(const struct run *, const struct plan *);

/* run_gate.c: the bake on what nginx counts */
void gate_begin(struct run *, const struct plan *, uint16_t node);
/* A list of `lb` has come. */
void gate_input(struct run *, const struct plan *, uint16_t lb, struct turn *);
/* Somebody bakes whose peers are at `lb`. */
bool gate_watches(const struct run *, const struct plan *, uint32_t lb);
/* A node is DONE: an inconclusive bake may be for a person to look at. */
void gate_end(struct run *, const struct plan *, const struct node *, struct turn *);
/* For people: what a bake that has ended had seen; stays as it is where nothing was counted for it. */
void gate_tell(const struct run *, const struct plan *, uint16_t node, char text[ANSWER_TEXT_MAX]);
/* run_grace.c */
void grace_begin(struct run *); /* a person's stop; the second changes nothing */
void grace_time(struct run *, uint32_t elapsed_ms);
void grace_drive(struct run *, const struct plan *, struct turn *);
uint32_t grace_wait_ms(const struct run *);

/* run_end.c: the hooks of the end */
void end_begin(struct run *, const struct plan *); /* the leases are given back */
void end_time(struct run *, uint32_t elapsed_ms);
void end_answer(struct run *, const struct plan *, const struct input *, struct turn *);     /* IN_END */
void end_said(const struct run *, const struct plan *, const struct input *, struct turn *); /* IN_SAID */
void end_drive(struct run *, const struct plan *, struct turn *);
uint32_t end_wait_ms(const struct run *);

/* run_drift.c: is what we took out still out? */
void drift_taken(struct run *, const struct plan *, uint16_t node, uint64_t mask); /* certain just now */
void drift_input(struct run *, const struct plan *, uint16_t lb, struct turn *);   /* a list of `lb` has come */
void drift_look(struct run *, const struct plan *, uint16_t node); /* its peers were looked at one by one */
void drift_claimed(struct run *, const struct plan *, uint16_t node, bool ours,
                   struct turn *);                                                       /* a renewal has ended */
void drift_held(struct run *, const struct plan *, const struct input *, struct turn *); /* IN_HOLD */
/* None is outstanding any more: a BACK that waited for that is asked. */
void drift_hold_over(struct run *, const struct plan *, uint16_t node, struct turn *);
bool drift_watches(const struct run *, const struct plan *, uint32_t lb);

/* run_sleep.c */
void sleep_time(struct run *, const struct plan *, uint32_t elapsed_ms);
void sleep_claimed(struct run *, const struct plan *, uint16_t node);   /* its agent has taken our claim */
void sleep_hold_back(struct run *, const struct plan *, struct turn *); /* behind all that the turn yields */

/* run_stands.c: what was done before we stood still */
void stands_slept(struct run *, const struct plan *);
void stands_time(struct run *, uint32_t elapsed_ms);
void stands_answer(struct run *, const struct plan *, const struct input *, struct turn *); /* IN_STANDS */
/* Another may have taken it over, and has not been asked about yet. */
bool stands_in_doubt(const struct run *, uint32_t node);
/* All else is over, and the end waits for that; in the end it is given up, which stops the rollout. */
bool stands_hold_up(struct run *, const struct plan *, struct turn *);
void stands_drive(struct run *, const struct plan *, struct turn *);
uint32_t stands_wait_ms(const struct run *, const struct plan *);

/* run_look.c */
void look_begin(struct run *, uint16_t node); /* it asks to see its peers */
void look_end(struct run *, uint16_t node);   /* its step changed: what it asked for is of no use any more */
void look_answer_ready(struct run *, const struct plan *, const struct input *failed, struct turn *);
/* Between two looks of a node that waits for one. */
uint32_t look_pause_ms(const struct run *, const struct plan *, uint16_t node);
static inline bool node_at_lb(const struct plan *p, uint32_t node, uint32_t lb)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (plan_peer_lb(p, pn->first_peer + i) == lb)
            return true;
    return false;
}
void look_time(struct run *, uint32_t elapsed_ms);
void look_input(struct run *, const struct plan *, const struct input *, struct turn *);
/* What its step asks for is only true of a fresh list: DRAIN of the floor, JOB and UNDO of silence. `moved`: the step
 * was entered just now. The first DRAIN and JOB come right out of such a list; an UNDO, and whatever is asked again,
 * does not. */
bool look_first(const struct node *, bool moved);
void look_drive(struct run *, const struct plan *, struct turn *);
uint32_t look_wait_ms(const struct run *, const struct plan *);
/* A peer that `up` of its upstream counts as it was `then`, is as it is `now`. */
void look_recount(struct seen_upstream *, const struct seen_peer *then, const struct seen_peer *now);
/* For people: what a node whose limit is over in this step waited for last at the load balancers; so far only what it
 * waited for first was told. "" stays where that is not known. */
void look_tell_last(const struct run *, const struct plan *, uint16_t node, enum step, char text[ANSWER_TEXT_MAX]);

/* run_single.c: servers looked at one by one, where the load balancer shows them so */
bool single_may(const struct run *, const struct plan *, uint32_t peer);
bool single_holds(const struct run *, uint32_t node); /* a look of now would be answered when it is quiet */
void single_drive(struct run *, const struct plan *, struct turn *);
uint32_t single_wait_ms(const struct run *, const struct plan *);
void look_single_input(struct run *, const struct plan *, const struct input *, struct turn *);

#endif
