/* judge_resume.h - the rules of a node that a dead rollout left behind: the inside of judge.c, for it alone. Pure.
 *
 * A resume and a repair begin such a node alike: MEND (is the claim still the one that the plan was made from?),
 * RECLAIM (from now on the dead one has no effect at the agent, should it wake up), REVIEW (what of it is out), RESUME
 * (what runs). Then the world decides, never the journal:
 *
 *   what runs                          resume                                  repair
 *   the process that was claimed       back as it was, then begun anew         healthy, back
 *   our job is under way               awaited                                 (any job) its end is waited for
 *   what our job brought               healthy, back, done                     healthy, back; else undone
 *   our job failed, or is being undone settled as ever; the node has failed    healthy, back
 *   before or target, by nobody of us  healthy, back, then begun anew          healthy, back
 *   neither before nor target          left out and named                      undone where the load balancers keep it
 * down nothing                            left out and named                      left out and named
 *
 * Where the load balancers show all of it back in its place already, nothing is put back: it is seen and unclaimed. But
 * where a repair finds another process than the one that was claimed, and the claim took nothing out (a handover in
 * place), that must be healthy first. */
#ifndef CONTROLLER_JUDGE_RESUME_H
#define CONTROLLER_JUDGE_RESUME_H

#include "judge.h"

/* The answer in MEND, REVIEW or RESUME. */
struct verdict judge_resume(struct node *, const struct plan *, const struct answer *);

/* It is back, untouched and unclaimed: forget all, begin. */
struct verdict judge_resume_anew(struct node *);

/* A restart: what runs is what a job of this very rollout brought, so that there is nothing left to do (I5). */
bool judge_restarted(const struct answer *status);

/* ---- what both files make verdicts with */
static inline struct verdict again(void)
{
    return (struct verdict){.kind = VERDICT_AGAIN};
}

static inline struct verdict good(void)
{
    return (struct verdict){.kind = VERDICT_GOOD};
}

static inline struct verdict bad(enum why why)
{
    return (struct verdict){.kind = VERDICT_BAD, .why = why};
}

static inline struct verdict go(enum step to, enum why why)
{
    return (struct verdict){.kind = VERDICT_GOTO, .to = to, .why = why};
}

static inline uint64_t all_peers(const struct node *n, const struct plan *p)
{
    uint32_t count = p->nodes[n->id].n_peers;

    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

#endif
