/* reach.h - all states that a small rollout can reach, not a sample. In each state everything that may happen next is
 * tried, one after another: a request arrives, an answer is handed over, a job ends, the last request to a node ends, a
 * timer runs out, the controller dies and a resume or a repair comes after it, a request of a dead one arrives late,
 * and as many faults as there may be. A state that was there before is not looked at again. The judge looks at each.
 *
 * What is left out says nothing new. An arrival that commutes with all that may happen before it is tried alone
 * (scene_alone.c): time stands still until it, nothing else on its way or due reads or changes the same, and while a
 * death may come it only reads, so that the dead one's is as good as gone. A death is tried after steps of the
 * controller that sent an effect or took time: what arrives or ends in the world before its successor has looked might
 * as well have done so before it. Answers are handed over in every order: the last look of several lets its node go on,
 * and a list that was read before it may come between.
 *
 * What decides is the shipped core (run_turn over one flat block; plan_make over a survey). What a state is, and what
 * of time is left out: scene.h. Where the whole is a graph without a circle, every rollout in it ends, and that is
 * told, too. */
#ifndef SIM_REACH_H
#define SIM_REACH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct reach {
    uint8_t nodes, lbs, at_a_time;
    bool restart;    /* else an upgrade */
    bool forgetful;  /* the load balancers' `active` is not exact: lists instead of looks at one server */
    uint8_t deaths;  /* of controllers; a state is also how many are left */
    uint8_t faults;  /* calls that are lost before or after their effect or refused, jobs that fail */
    uint8_t reloads; /* an nginx that is reloaded, or started again without its state */
    bool prompt;     /* renewals arrive and are answered before anything else but a death; else at any time */
    uint64_t most;   /* states; 0 = until it is through */
    /* out */
    uint64_t states, moves, ends, circles;
    uint32_t depth;
    double took_s;
    bool through; /* every state was looked at */
};

/* False: a breach, told on `f` with the way that leads to it. */
bool reach_run(struct reach *, FILE *f);
void reach_print(const struct reach *, FILE *f); /* one line */

#endif
