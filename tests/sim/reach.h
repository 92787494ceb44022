/* reach.h - all states that a small rollout can reach, not a sample. In each state everything that may happen next is
 * tried, one after another: a request arrives, an answer is handed over, a job ends, the last request to a node ends, a
 * timer runs out, the controller dies and a resume or a repair comes after it, a request of a dead one arrives late,
 * and as many faults as there may be. A state that was there before is not looked at again. The judge looks at each.
 *
 * What is left out says nothing new (enum reach_rule):
 *   an arrival that commutes with all that may happen before it is tried alone (scene_alone.c): time stands still until
 *   it, nothing else on its way or due reads or changes the same, and no controller dies before it;
 *   a death is tried after steps of the controller that sent an effect or took time: what arrives or ends in the world
 *   before its successor has looked might as well have done so before it;
 *   the answer of a list is put off while it says nothing (scene_lists.c). But the last look of several lets its node
 * go on, and a list that was read before it may come between: these come in every order. Without these rules a search
 * is larger and has the same breaches and the same ends; `check` tries in each state that what is put off commutes, and
 * that what was forgotten (scene.h) is of no interest.
 *
 * States are told apart by 63 bits of their hash: of n states two have the same with a probability of n * n / 2^64, for
 * 100 million 1 in 1,800; then what only the second leads to is not looked at.
 *
 * What decides is the shipped core (run_turn over one flat block; plan_make over a survey). What a state is, and what
 * of time is left out: scene.h. Where the whole is a graph without a circle, every rollout in it ends, and that is
 * told, too. */
#ifndef SIM_REACH_H
#define SIM_REACH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What is left out, each for a reason of its own. Without it the search is larger, and ends the same. */
enum reach_rule {
    REACH_ALONE = 1, /* scene_alone.c: other moves beside an arrival that commutes with all of them */
    REACH_LISTS = 2, /* scene_lists.c: lists that say nothing yet */
    REACH_DEATHS = 4 /* deaths that are like one before */
};

struct reach {
    uint8_t nodes, lbs, at_a_time;
    bool restart;    /* else an upgrade */
    bool forgetful;  /* the load balancers' `active` is not exact: lists instead of looks at one server */
    uint8_t deaths;  /* of controllers; a state is also how many are left */
    uint8_t faults;  /* calls that are lost before or after their effect or refused, jobs that fail */
    uint8_t reloads; /* an nginx that is reloaded, or started again without its state */
    bool prompt;     /* renewals arrive and are answered before anything else but a death; else at any time */
    uint64_t most;   /* states; 0 = until it is through */
    uint32_t most_s; /* of CPU, the same */
    uint8_t without; /* enum reach_rule: which are not used */
    bool check;      /* in each state, that what is put off commutes with what may come before it */
    /* out */
    uint64_t states, moves, circles;
    uint64_t ends, ends_sum; /* that differ (scene_end_hash); the sum of their hashes: do two searches have the same? */
    uint32_t depth;
    double took_s, took_mb; /* of CPU; of memory */
    bool through;           /* every state was looked at */
};

static inline bool reach_uses(const struct reach *r, enum reach_rule rule)
{
    return (r->without & rule) == 0;
}

/* False: a breach, told on `f` with the way that leads to it. */
bool reach_run(struct reach *, FILE *f);
void reach_print(const struct reach *, FILE *f); /* one line */

#endif
