#include "plan_resume.h"

#include <string.h>

#include "agent_api.h"
#include "common/addr.h"
#include "common/sha256.h"

bool plan_resume_holds(const struct survey_node *n, const struct plan_request *q)
{
    return n->good && n->status.claim.there && strcmp(n->status.claim.rollout, q->rollout) == 0;
}

void plan_resume_check(const char *name, const struct survey_node *n, const struct plan_request *q,
                       struct complaints *c)
{
    const struct agent_claim *claim = &n->status.claim;
    char was[SHA256_DIGITS + 1], is[SHA256_DIGITS + 1];

    sha256_hex(claim->target, was);
    sha256_hex(q->release_sha256, is);
    if (plan_resume_goes_back(n, q)) {
        if (!q->rolls_back)
            complain(c, EXIT_REFUSED,
                     "%s: rollout %s was taking it back to %.12s when it was broken off; go on with --failure-action "
                     "rollback, or put it back first: rollout repair",
                     name, q->rollout, was);
    } else if (claim->has_target && !q->has_release && plan_resume_from(n, q) != NULL)
        plan_resume_back_lacks(name, n, q, c);
    else if (claim->has_target && !q->has_release)
        complain(c, EXIT_REFUSED, "%s: rollout %s is to release %.12s; name its file by --release, or take another id",
                 name, q->rollout, was);
    else if (!claim->has_target && q->has_release)
        complain(c, EXIT_REFUSED, "%s: rollout %s only restarts; leave --release out, or take another id", name,
                 q->rollout);
    else if (claim->has_target && memcmp(claim->target, q->release_sha256, sizeof claim->target) != 0)
        complain(c, EXIT_REFUSED,
                 "%s: rollout %s is to release %.12s, and --release is %.12s; give the same file, or take another id",
                 name, q->rollout, was, is);
}

int32_t plan_resume_owner(const struct survey *s, const struct plan_request *q, const char *lb, const char *upstream,
                          const char *server)
{
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct agent_claim *claim = &s->nodes[i].status.claim;

        for (uint32_t k = 0; plan_resume_holds(&s->nodes[i], q) && k < claim->n_took_out; k++)
            if (strcmp(claim->took_out[k].lb, lb) == 0 && strcmp(claim->took_out[k].upstream, upstream) == 0 &&
                addr_same(claim->took_out[k].server, server))
                return (int32_t)i;
    }
    return -1;
}

static bool is_peer(const struct plan *p, uint32_t peer, const struct agent_took_out *t)
{
    return strcmp(p->lbs[plan_peer_lb(p, peer)].name, t->lb) == 0 &&
           strcmp(p->upstreams[p->peers[peer].upstream].name, t->upstream) == 0 &&
           addr_same(p->peers[peer].server, t->server);
}

void plan_resume_node(const struct plan *p, struct plan_node *n, const struct agent_claim *claim, struct complaints *c)
{
    n->resumed = true;
    n->at_target = n->brought = false; /* it is not in its place yet */
    n->before = claim->before;
    for (uint32_t i = 0; i < claim->n_took_out; i++) {
        const struct agent_took_out *t = &claim->took_out[i];
        uint32_t bit = 0;

        while (bit < n->n_peers && !is_peer(p, n->first_peer + bit, t))
            bit++;
        if (bit == n->n_peers) {
            complain(
                c, EXIT_REFUSED,
                "%s: rollout %s took %s out of upstream %s at load balancer %s, which is not found there any more; "
                "correct the hosts file",
                n->name, claim->rollout, t->server, t->upstream, t->lb);
            continue;
        }
        n->out_mask |= UINT64_C(1) << bit;
        if (t->was_draining)
            n->prior_drain_mask |= UINT64_C(1) << bit;
    }
}

bool plan_resume_brought(const struct agent_status *st, const struct plan_request *q)
{
    return agent_api_job_of(&st->job, q->rollout) == ASK_JOB && !agent_api_took_back(&st->job, q->rollout) &&
           st->job.state == JOB_DONE && ident_same_process(&st->ident, &st->job.after);
}

void plan_resume_rolled_back(const struct fleet *f, const struct survey *s, const struct plan_request *q,
                             struct complaints *c)
{
    for (uint32_t i = 0; i < s->n_nodes && !q->rollback && !q->rolls_back; i++) {
        if (s->nodes[i].good && agent_api_took_back(&s->nodes[i].status.job, q->rollout))
            complain(c, EXIT_REFUSED,
                     "%s: rollout %s was rolled back there; `rollout rollback` takes the others back, too; to begin "
                     "anew, take another id",
                     f->hosts[s->nodes[i].host].name, q->rollout);
    }
}

static bool leased(const struct survey *s, const char *rollout)
{
    for (uint32_t i = 0; i < s->n_lbs; i++)
        for (uint32_t k = 0; k < s->lbs[i].n_upstreams; k++)
            if (s->lbs[i].upstreams[k].lease.known && strcmp(s->lbs[i].upstreams[k].lease.id, rollout) == 0)
                return true;
    for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++)
        if (survey_voter(s, i)->good && survey_voter(s, i)->status.lock.there &&
            strcmp(survey_voter(s, i)->status.lock.rollout, rollout) == 0)
            return true;
    return false;
}

struct traces {
    bool any, enough; /* of the rollout at all; to tell an upgrade from a restart */
    bool upgrades;
};

/* What one node's latest job tells: that of an undo only that there was something. */
static void look_at_job(const char *name, const struct survey_node *n, const struct plan_request *q, struct traces *t,
                        struct complaints *c)
{
    enum ask of = n->good ? agent_api_job_of(&n->status.job, q->rollout) : ASK_NONE;
    char hex[SHA256_DIGITS + 1];

    t->any = t->any || of != ASK_NONE;
    t->enough = t->enough || of == ASK_JOB;
    if (of != ASK_JOB || !n->status.job.has_release || q->has_release)
        return;
    t->upgrades = true;
    if (plan_resume_from(n, q) != NULL) {
        if (q->rolls_back || !agent_api_took_back(&n->status.job, q->rollout)) /* else plan_resume_rolled_back's */
            plan_resume_back_lacks(name, n, q, c);
        return;
    }
    sha256_hex(n->status.job.release, hex);
    complain(c, EXIT_REFUSED, "%s: rollout %s is to release %.12s; name its file by --release", name, q->rollout, hex);
}

void plan_resume_takes_nothing_back(const struct plan_request *q, struct complaints *c)
{
    complain(c, EXIT_REFUSED,
             "rollout %s only restarts, so --failure-action rollback has nothing to take back; say stop or continue",
             q->rollout);
}

void plan_resume_traces(const struct fleet *f, const struct survey *s, const struct plan_request *q,
                        struct complaints *c)
{
    struct traces t = {.any = leased(s, q->rollout)};

    for (uint32_t i = 0; i < s->n_nodes; i++) {
        bool holds = plan_resume_holds(&s->nodes[i], q);

        look_at_job(f->hosts[s->nodes[i].host].name, &s->nodes[i], q, &t, c);
        t.enough = t.enough || holds;
        t.upgrades = t.upgrades || (holds && s->nodes[i].status.claim.has_target);
    }
    if (t.enough || (t.any && q->has_release)) {
        if (q->rolls_back && !q->has_release && !t.upgrades)
            plan_resume_takes_nothing_back(q, c);
    } else if (t.any)
        complain(c, EXIT_REFUSED,
                 "nothing in the fleet tells whether rollout %s upgrades or restarts; run it again with its options: "
                 "rollout --rollout-id %s",
                 q->rollout, q->rollout);
    else
        complain(c, EXIT_REFUSED,
                 "nothing in the fleet tells of rollout %s, nor does the journal; to begin it: rollout --rollout-id %s",
                 q->rollout, q->rollout);
}
