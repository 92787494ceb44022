#include "judge_resume.h"

#include <assert.h>
#include <string.h>

bool judge_restarted(const struct answer *a)
{
    return a->job_of == ASK_JOB && a->job == JOB_DONE && ident_same_process(&a->ident, &a->job_after);
}

struct verdict judge_resume_anew(struct node *n)
{
    n->anew = n->claimed = n->loose = false;
    n->claim_fence = 0;
    n->out_mask = 0;
    n->job = ASK_NONE;
    n->hooked = 0;
    return go(STEP_CHECK, WHY_NONE);
}

static struct verdict judge_mend(struct node *n, const struct plan *p, const struct answer *a)
{
    if (a->kind != ANS_OK || (a->claim_live && !a->claim_ours))
        return again();      /* until it runs out: a living rollout would have renewed it and hold the lease */
    if (a->claim_fence == 0) /* it went by itself, so the node is back */
        return p->kind == PLAN_REPAIR ? go(STEP_DONE, WHY_NONE) : judge_resume_anew(n);
    if (a->claim_fence != n->claim_fence && !(a->claim_ours && a->claim_fence == p->fence))
        return bad(WHY_CLAIM); /* another's by now, and what that one took out we do not know */
    n->claim_fence = a->claim_fence;
    return good();
}

static struct verdict judge_review(struct node *n, const struct plan *p, const struct answer *a)
{
    uint64_t drained = n->prior_drain_mask, there;

    if (a->kind != ANS_OK || a->seen != all_peers(n, p))
        return again();
    there = (~drained & a->seen & ~a->down & ~a->drain) | (drained & a->drain);
    n->out_mask = n->peers_mask & ~there;
    if (n->claim_fence != p->fence) /* RECLAIM was fenced: a late request of the dead one may have dropped the claim */
        return n->out_mask != 0         ? bad(WHY_CLAIM)
               : p->kind == PLAN_REPAIR ? go(STEP_DONE, WHY_NONE)
                                        : judge_resume_anew(n);
    /* Each of its peers counts, also one that was not the dead rollout's to take out: it may be in use by now. */
    n->loose = !p->nodes[n->id].in_place &&
               (p->nodes[n->id].partial || a->down != all_peers(n, p) || (a->active != 0 && !p->drain_proceed));
    n->generation = a->generation;
    return good();
}

/* The latest job is one of this rollout since it claimed the node; an earlier run of it may have left one, too. Where
 * somebody else restarted the process between claim and job, what runs is the job's and not what was claimed. */
static bool job_since_claim(const struct node *n, const struct answer *a)
{
    if (a->job_of == ASK_UNDO)
        return !ident_same_process(&a->job_after, &n->before);
    return a->job_of == ASK_JOB && (ident_same_process(&a->job_before, &n->before) ||
                                    (judge_restarted(a) && !ident_same_process(&a->ident, &n->before)));
}

/* It is (partly) back: its health was good before. I2: such a one must not be undone when it is not good any more. */
static enum step on_with_target(const struct node *n, const struct plan *p)
{
    if (p->nodes[n->id].in_place)
        return STEP_HEALTH; /* nothing of it is ever out, and I2 is not for it */
    if (n->out_mask == 0)
        return STEP_SEEN;
    return n->loose ? STEP_REHEALTH : STEP_HEALTH;
}

/* Whose claim took nothing out was in rotation all the time; what a handover in place brought there nobody may have
 * seen yet. */
static bool handed_over_unseen(const struct node *n, const struct plan *p, const struct answer *a)
{
    return p->nodes[n->id].in_place && !ident_same_process(&a->ident, &n->before);
}

static struct verdict resume_job(struct node *n, const struct plan *p, const struct answer *a)
{
    n->job = (uint8_t)a->job_of;
    n->attempt = a->attempt;
    if (a->job == JOB_RUNNING)
        return a->job_of == ASK_JOB ? go(STEP_AWAIT, WHY_NONE) : go(STEP_UNDOING, WHY_LEFT);
    if (a->job_of == ASK_JOB && a->job == JOB_DONE && ident_runs(&a->ident, node_target(n, p)) &&
        !ident_same_process(&a->ident, &n->before)) {
        n->now = a->ident;
        return go(on_with_target(n, p), WHY_NONE);
    }
    n->now = a->ident;
    if (n->out_mask == 0 && ident_runs(&a->ident, n->before.sha256))
        return go(handed_over_unseen(n, p, a) ? STEP_REHEALTH : STEP_SEEN, WHY_LEFT);
    return go(STEP_SETTLE, WHY_LEFT);
}

/* No job of ours is known. */
static struct verdict resume_untouched(struct node *n, const struct plan *p, const struct answer *a)
{
    bool known = ident_runs(&a->ident, n->before.sha256) || ident_runs(&a->ident, node_target(n, p));

    n->attempt = a->attempt;
    n->now = a->ident;
    n->anew = true;
    if (n->out_mask == 0)
        return go(STEP_UNCLAIM, WHY_NONE);
    if (ident_same_process(&a->ident, &n->before))
        return good();
    n->anew = known;
    if (known)
        return go(STEP_REHEALTH, WHY_NONE); /* it was restarted by somebody else, or with its machine */
    return bad(a->ident.pid == 0 ? WHY_GONE : WHY_CHANGED);
}

static struct verdict repair_what_runs(struct node *n, const struct plan *p, const struct answer *a)
{
    const struct plan_node *pn = &p->nodes[n->id];

    n->now = a->ident;
    if (a->ident.pid == 0)
        return bad(WHY_GONE);
    if (n->out_mask == 0)
        return go(handed_over_unseen(n, p, a) ? STEP_REHEALTH : STEP_UNCLAIM, WHY_NONE);
    if (ident_runs(&a->ident, n->before.sha256))
        return go(STEP_REHEALTH, WHY_NONE);
    if (pn->has_target && ident_runs(&a->ident, pn->target_sha256))
        return go(on_with_target(n, p), WHY_NONE);
    if (n->loose || n->before.pid == 0)
        return bad(WHY_IDENTITY);
    return go(STEP_UNDO, WHY_IDENTITY);
}

static struct verdict judge_what_runs(struct node *n, const struct plan *p, const struct answer *a)
{
    bool running = a->job == JOB_RUNNING;

    if (a->kind != ANS_OK || (running && (p->kind == PLAN_REPAIR || a->job_of == ASK_NONE)))
        return again();
    if (p->kind == PLAN_REPAIR)
        return repair_what_runs(n, p, a);
    return running || job_since_claim(n, a) ? resume_job(n, p, a) : resume_untouched(n, p, a);
}

struct verdict judge_resume(struct node *n, const struct plan *p, const struct answer *a)
{
    if (n->step == STEP_MEND)
        return judge_mend(n, p, a);
    if (n->step == STEP_REVIEW)
        return judge_review(n, p, a);
    assert(n->step == STEP_RESUME);
    return judge_what_runs(n, p, a);
}
