/* plan_resume_back.c - a rollout that was killed while it took its nodes back (--failure-action rollback): by their
 * agents' claims and jobs, who is on the way, and who is still to go. */
#include <string.h>

#include "agent_api.h"
#include "common/sha256.h"
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

const uint8_t *plan_resume_from(const struct survey_node *n, const struct plan_request *q)
{
    const struct agent_job *job = &n->status.job;
    const struct agent_claim *claim = &n->status.claim;

    if (!n->good || agent_api_job_of(job, q->rollout) != ASK_JOB)
        return NULL;
    if (agent_api_took_back(job, q->rollout))
        return job->before.sha256;
    /* Claimed once more behind the job that brought it: where it is to go, no job has told yet. */
    return plan_resume_holds(n, q) && claim->has_target && job->state == JOB_DONE && job->has_release &&
                   ident_runs(&claim->before, job->release)
               ? job->release
               : NULL;
}

void plan_resume_back_lacks(const char *name, const struct survey_node *n, const struct plan_request *q,
                            struct complaints *c)
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(plan_resume_from(n, q), hex);
    complain(c, EXIT_REFUSED,
             "%s: rollout %s was taking it back from %.12s; to go on with that, name the file of %.12s by --release, "
             "and say --failure-action rollback",
             name, q->rollout, hex, hex);
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
