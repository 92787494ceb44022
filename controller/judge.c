#include "judge.h"

#include <assert.h>
#include <stddef.h>

#include "gate.h"
#include "judge_resume.h"

#define QUIET_READS 2 /* DESIGN: quiet = silent and active = 0, twice */
#define BAKE_BAD    3 /* failed checks in a row that end a bake */

/* Someone has been at the agent with a higher fence: a resume or a repair, while we were taken for dead. We have no
 * right to an effect any more; whether it brings the node back is seen. */
static struct verdict theirs(struct node *n)
{
    n->theirs = true;
    return go(STEP_SEEN, WHY_NONE);
}

/* A refusal is final; no whole answer is asked for again: every effect may be sent twice. */
static struct verdict effect(const struct answer *a, enum why why)
{
    if (a->kind == ANS_OK)
        return good();
    if (a->kind == ANS_REFUSED || a->kind == ANS_FENCED)
        return bad(why);
    return again();
}

/* An agent that has lost our claim, not to another rollout, is given it again (run.c) and asked once more. */
static struct verdict job(const struct answer *a, enum why why)
{
    return a->kind == ANS_FENCED && a->claim_gone ? again() : effect(a, why);
}

/* Only what this rollout brought, or the plan found, is taken back: what somebody else has put there since is his. */
static struct verdict judge_check_back(struct node *n, const struct plan *p, const struct answer *a)
{
    const uint8_t *from = p->kind == PLAN_ROLL ? p->release_sha256 : p->nodes[n->id].surveyed.sha256;

    if (ident_runs(&a->ident, n->goal))
        return go(STEP_DONE, WHY_NONE);
    return ident_runs(&a->ident, from) ? good() : bad(WHY_CHANGED);
}

/* An earlier run of this rollout brought it, and its claim is gone since the plan was made (a repair, in place): where
 * the others are taken back, so is this one. */
static void take_up(struct node *n, const struct answer *a)
{
    n->job = ASK_JOB;
    n->now = a->ident;
    n->before = a->job_before;
}

static struct verdict judge_check(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind != ANS_OK)
        return again();
    if (a->job == JOB_RUNNING)
        return bad(WHY_BUSY);
    if (a->claim_live && !a->claim_ours)
        return bad(WHY_CLAIM);
    if (a->ident.pid == 0)
        return bad(WHY_GONE);
    n->before = a->ident;
    n->claim_fence = a->claim_fence;
    if (a->attempt > n->attempt)
        n->attempt = a->attempt; /* an earlier run of this rollout: its job's id must not be taken for ours */
    if (n->reverse) {
        n->now = a->ident;
        return judge_check_back(n, p, a);
    }
    if (p->has_release ? ident_runs(&a->ident, p->release_sha256) : judge_restarted(a)) {
        if (p->nodes[n->id].resumed && judge_restarted(a))
            take_up(n, a);
        return go(STEP_DONE, WHY_NONE);
    }
    return good();
}

static struct verdict judge_look(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind == ANS_OK && a->elsewhere)
        return bad(WHY_PEERS);
    if (a->kind != ANS_OK || a->seen != all_peers(n, p))
        return again();
    if (p->nodes[n->id].in_place)
        return good();                  /* none of them takes part */
    n->peers_mask = a->seen & ~a->down; /* what somebody else took down is not ours to take or to put back */
    n->prior_drain_mask = a->drain & n->peers_mask;
    n->generation = a->generation;
    return good();
}

static struct verdict judge_claim(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind == ANS_OK)
        n->claim_fence = p->fence;
    if (a->kind == ANS_FENCED && n->step == STEP_CLAIM)
        return go(STEP_DONE, WHY_CLAIM); /* what is there is another's: not ours to drop */
    return effect(a, WHY_CLAIM);
}

static struct verdict judge_floor(struct node *n, const struct plan *p, const struct answer *a)
{
    uint64_t peers = a->seen & ~a->down;

    if (a->elsewhere)
        return bad(WHY_PEERS);
    if (a->ours_out)
        n->left_ms = p->wait_ms[WAIT_FLOOR]; /* its turn comes: they have limits of their own */
    if (a->kind != ANS_OK || a->seen != all_peers(n, p))
        return again();
    n->doubt = n->doubt || a->generation != n->generation; /* old workers may hold requests already */
    n->generation = a->generation;
    if (peers != n->peers_mask || (a->drain & peers) != n->prior_drain_mask) {
        n->peers_mask = peers; /* somebody took one out or put one back since: the claim must say what is ours */
        n->prior_drain_mask = a->drain & peers;
        return go(STEP_CLAIM, WHY_NONE);
    }
    return good();
}

static struct verdict judge_quiet(struct node *n, const struct plan *p, const struct answer *a)
{
    bool out =
        a->kind == ANS_OK && a->seen == all_peers(n, p) && ((a->down | a->drain) & n->peers_mask) == n->peers_mask;

    if (a->kind == ANS_OK && a->elsewhere)
        return bad(WHY_PEERS);
    if (a->kind == ANS_OK && a->generation != n->generation) {
        n->generation = a->generation;
        n->doubt = true;
    }
    if (!out || a->active != 0) {
        n->streak = 0;
        return again();
    }
    return ++n->streak >= QUIET_READS ? good() : again();
}

static struct verdict judge_empty(struct node *n, const struct plan *p, const struct answer *a)
{
    (void)p;
    n->streak = 0;
    if (a->kind != ANS_OK)
        return again();
    if (!ident_same_process(&a->ident, &n->before))
        return bad(WHY_CHANGED);
    n->streak = 1; /* confirmed: on proceed the limit then leads on */
    return n->doubt && a->connections != 0 ? again() : good();
}

static struct verdict judge_silent(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind != ANS_OK)
        return again();
    if (a->elsewhere)
        return bad(WHY_PEERS);
    if (a->generation != n->generation) { /* reloaded since: the agent must confirm that old workers hold nothing */
        n->generation = a->generation;
        n->doubt = true;
        return go(STEP_EMPTY, WHY_NONE);
    }
    if (a->seen != all_peers(n, p) || a->down != a->seen || (a->active != 0 && !p->drain_proceed)) {
        n->streak = 0;
        return again();
    }
    return ++n->streak >= QUIET_READS ? good() : again();
}

static struct verdict judge_job_end(struct node *n, const struct plan *p, const struct answer *a, enum why why)
{
    (void)p;
    if (a->kind == ANS_REFUSED || a->kind == ANS_FENCED)
        return bad(why);
    if (a->kind != ANS_OK || a->job == JOB_RUNNING)
        return again();
    if (a->job != JOB_DONE || a->ident.pid == 0)
        return bad(why);
    n->now = a->ident;
    return good();
}

/* What runs must be the very process that the job reported, with the executable that was wanted, and a new one. */
static struct verdict judge_verify(struct node *n, const uint8_t *sha256, const struct answer *a, enum why why)
{
    if (a->kind != ANS_OK)
        return again();
    if (!ident_same_process(&a->ident, &n->now) || !ident_runs(&a->ident, sha256) ||
        ident_same_process(&a->ident, &n->before))
        return bad(why);
    return good();
}

/* Where a hook comes between its health and its way back, the time to be healthy for is CONFIRM's, behind it. */
static struct verdict judge_health(struct node *n, const struct plan *p, const struct answer *a)
{
    bool goes_on = n->step == STEP_HEALTH && plan_hooks(p, HOOK_AFTER_HANDOVER) > 0;
    uint32_t min_ms = goes_on ? 0 : p->min_healthy_ms;

    if (a->kind == ANS_OK && a->ident.pid == 0)
        return bad(WHY_GONE);
    if (a->kind == ANS_OK && !ident_same_process(&a->ident, &n->now))
        return bad(WHY_IDENTITY);
    if (a->kind != ANS_OK || !a->healthy) {
        n->streak = 0;
        n->healthy_ms = 0;
        return again();
    }
    if (n->streak < UINT8_MAX)
        n->streak++;
    return n->streak >= p->success_threshold && n->healthy_ms >= min_ms ? good() : again();
}

static struct verdict judge_bake(struct node *n, const struct plan *p, const struct answer *a)
{
    (void)p;
    if (a->kind == ANS_OK && !ident_same_process(&a->ident, &n->now))
        return bad(WHY_BAKE);
    if (a->kind == ANS_OK && a->healthy)
        n->streak = 0;
    else if (++n->streak >= BAKE_BAD)
        return bad(WHY_BAKE);
    return n->gate == GATE_BAD ? bad(WHY_TRAFFIC) : again();
}

static struct verdict judge_back(struct node *n, const struct plan *p, const struct answer *a)
{
    (void)p;
    n->out_mask &= ~a->ok_mask;
    if (a->kind == ANS_OK)
        return good();
    return a->kind == ANS_FENCED ? go(STEP_YIELD, WHY_NONE)
                                 : again(); /* a peer may be missing for the moment of a reload */
}

static struct verdict judge_seen(struct node *n, const struct plan *p, const struct answer *a)
{
    uint64_t drained = n->prior_drain_mask, open = n->peers_mask & ~drained;

    (void)p;
    if (a->kind != ANS_OK || (a->up & open) != open || (a->drain & drained) != drained)
        return again();
    n->out_mask = 0;
    return n->anew || n->theirs ? go(STEP_UNCLAIM, WHY_NONE) : good(); /* there is nothing of ours to bake */
}

/* One after another. Where the node is to turn round, no further one begins. */
static struct verdict judge_hook(struct node *n, const struct plan *p, const struct answer *a)
{
    const struct step_row *row = step_row((enum step)n->step);
    bool turns = n->stopping && row->on_stop != n->step;

    if (a->kind == ANS_OK && n->step == STEP_BEFORE)
        n->hooked |= HOOKED_ANY;
    if (a->kind == ANS_OK && n->hook + 1u < plan_hooks(p, node_hook_point((enum step)n->step)) && !turns) {
        n->hook++;
        return go((enum step)n->step, WHY_NONE);
    }
    if (a->kind == ANS_OK && n->step == STEP_BEFORE)
        n->hooked |= HOOKED_ALL;
    return effect(a, WHY_HOOK);
}

static struct verdict judge_return(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind != ANS_OK)
        return again();
    if (a->fence > p->fence)
        return theirs(n);
    n->now = a->ident;
    return ident_same_process(&a->ident, &n->before) ? good() : bad(WHY_CHANGED);
}

/* After a job that failed, or whose end is unknown: the release before may go back when it is healthy; anything else is
 * undone by a job, if it was a job of ours that brought it. */
static struct verdict judge_settle(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind == ANS_OK && a->fence > p->fence)
        return theirs(n);
    if (a->kind != ANS_OK || a->job == JOB_RUNNING)
        return again();
    if (ident_runs(&a->ident, n->reverse ? n->goal : n->before.sha256)) {
        n->now = a->ident;
        return good();
    }
    if ((n->job == ASK_NONE && p->kind != PLAN_REPAIR) || n->loose)
        return go(STEP_OUT, a->ident.pid == 0 ? WHY_GONE : WHY_CHANGED);
    return bad(a->ident.pid == 0 ? WHY_GONE : WHY_UNDO);
}

/* A load balancer says that another run is at work. Where the agent knows of none, maybe nothing was out: SEEN shows.
 */
static struct verdict judge_yield(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind != ANS_OK)
        return again();
    return a->fence > p->fence ? theirs(n) : bad(WHY_BACK);
}

static struct verdict judge_undo(const struct answer *a)
{
    return a->kind == ANS_FENCED && !a->claim_gone ? go(STEP_YIELD, WHY_UNDO) : job(a, WHY_UNDO);
}

static struct verdict judge_unclaim(struct node *n, const struct answer *a)
{
    /* Fenced: it is another's by now, so not ours any more. Refused is something else, say a full disk: it is there
     * yet. */
    if (a->kind != ANS_OK && a->kind != ANS_FENCED)
        return again();
    return n->anew ? judge_resume_anew(n) : good();
}

struct verdict judge(struct node *n, const struct plan *p, const struct answer *a)
{
    switch ((enum step)n->step) {
    case STEP_CHECK:
        return judge_check(n, p, a);
    case STEP_LOOK:
        return judge_look(n, p, a);
    case STEP_CLAIM:
        return judge_claim(n, p, a);
    case STEP_RECLAIM: /* it went since, or is another's: is anything still out that nobody else would put back? */
        return a->kind == ANS_FENCED ? go(STEP_REVIEW, WHY_NONE) : judge_claim(n, p, a);
    case STEP_STAGE:
        return effect(a, WHY_STAGE);
    case STEP_FLOOR:
        return judge_floor(n, p, a);
    case STEP_DRAIN:
    case STEP_DOWN:
        return effect(a, WHY_DRAIN);
    case STEP_QUIET:
        return judge_quiet(n, p, a);
    case STEP_EMPTY:
        return judge_empty(n, p, a);
    case STEP_SILENT:
        return judge_silent(n, p, a);
    case STEP_JOB:
        return job(a, WHY_JOB);
    case STEP_AWAIT:
        return judge_job_end(n, p, a, WHY_HANDOVER);
    case STEP_VERIFY:
        return judge_verify(n, node_target(n, p), a, WHY_IDENTITY);
    case STEP_HEALTH:
    case STEP_REHEALTH:
    case STEP_CONFIRM:
        return judge_health(n, p, a);
    case STEP_BEFORE:
    case STEP_AFTER:
    case STEP_READDED:
        return judge_hook(n, p, a);
    case STEP_BACK:
        return judge_back(n, p, a);
    case STEP_SEEN:
        return judge_seen(n, p, a);
    case STEP_BAKE:
        return judge_bake(n, p, a);
    case STEP_UNCLAIM:
        return judge_unclaim(n, a);
    case STEP_RETURN:
        return judge_return(n, p, a);
    case STEP_SETTLE:
        return judge_settle(n, p, a);
    case STEP_UNDO:
        return judge_undo(a);
    case STEP_YIELD:
        return judge_yield(n, p, a);
    case STEP_UNDOING:
        return judge_job_end(n, p, a, WHY_UNDO);
    case STEP_REVERIFY:
        return judge_verify(n, n->before.sha256, a, WHY_UNDO);
    case STEP_MEND:
    case STEP_REVIEW:
    case STEP_RESUME:
        return judge_resume(n, p, a);
    case STEP_WAIT:
    case STEP_DONE:
    case STEP_OUT:
    case STEP_COUNT:
        break;
    }
    assert(!"a step that asks nothing got an answer");
    return again();
}

enum why judge_limit_why(enum step step)
{
    static const uint8_t why[STEP_COUNT] = {
        [STEP_CHECK] = WHY_AGENT,     [STEP_LOOK] = WHY_PEERS,    [STEP_CLAIM] = WHY_CLAIM,
        [STEP_STAGE] = WHY_STAGE,     [STEP_FLOOR] = WHY_FLOOR,   [STEP_DRAIN] = WHY_DRAIN,
        [STEP_QUIET] = WHY_QUIET,     [STEP_DOWN] = WHY_DRAIN,    [STEP_EMPTY] = WHY_QUIET,
        [STEP_SILENT] = WHY_SILENT,   [STEP_JOB] = WHY_JOB,       [STEP_AWAIT] = WHY_HANDOVER,
        [STEP_VERIFY] = WHY_AGENT,    [STEP_HEALTH] = WHY_HEALTH, [STEP_BACK] = WHY_BACK,
        [STEP_SEEN] = WHY_BACK,       [STEP_RETURN] = WHY_AGENT,  [STEP_SETTLE] = WHY_AGENT,
        [STEP_UNDO] = WHY_UNDO,       [STEP_UNDOING] = WHY_UNDO,  [STEP_REVERIFY] = WHY_UNDO,
        [STEP_REHEALTH] = WHY_HEALTH, [STEP_MEND] = WHY_AGENT,    [STEP_RECLAIM] = WHY_CLAIM,
        [STEP_YIELD] = WHY_AGENT,     [STEP_REVIEW] = WHY_PEERS,  [STEP_RESUME] = WHY_AGENT,
        [STEP_BAKE] = WHY_TRAFFIC,    [STEP_BEFORE] = WHY_HOOK,   [STEP_AFTER] = WHY_HOOK,
        [STEP_CONFIRM] = WHY_HEALTH,  [STEP_READDED] = WHY_HOOK,
    };

    return (enum why)why[step];
}
