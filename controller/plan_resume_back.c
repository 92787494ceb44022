/* plan_resume_back.c - a rollout that was killed while it took its nodes back (--failure-action rollback): by their
 * agents' claims and jobs, who is on the way, and who is still to go. */
#include <string.h>

#include "agent_api.h"
#include "plan_resume.h"

static bool runs_the_release(const struct ident *i, const struct plan_request *q)
{
    return q->has_release && ident_runs(i, q->release_sha256);
}

bool plan_resume_goes_back(const struct survey_node *n, const struct plan_request *q)
{
    const struct agent_claim *claim = &n->status.claim;

    return plan_resume_holds(n, q) && claim->has_target && runs_the_release(&claim->before, q) &&
           memcmp(claim->target, q->release_sha256, sizeof claim->target) != 0;
}

/* Its latest job took it from the release back; not the undoing of a job that failed there. */
static bool has_gone_back(const struct survey_node *n, const struct plan_request *q)
{
    const struct agent_job *job = &n->status.job;

    return n->good && agent_api_took_back(job, q->rollout) && runs_the_release(&job->before, q);
}

void plan_resume_back(struct plan *p, const struct survey *s, const struct plan_request *q)
{
    for (uint32_t i = 0; p->rolls_back && i < s->n_nodes; i++)
        p->goes_back = p->goes_back || plan_resume_goes_back(&s->nodes[i], q) || has_gone_back(&s->nodes[i], q);
    for (uint32_t i = 0; p->goes_back && i < s->n_nodes; i++) {
        const struct agent_status *st = &s->nodes[i].status;
        struct plan_node *n = &p->nodes[i];

        n->has_target = plan_resume_goes_back(&s->nodes[i], q);
        if (n->has_target)
            memcpy(n->target_sha256, st->claim.target, sizeof n->target_sha256);
    }
}
