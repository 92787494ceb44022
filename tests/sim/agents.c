/* agents.c - agents: the claim as a compare-and-set with fence and ttl, the vote beside it, jobs that happen once, what
 * runs and its health. */
#include <string.h>

#include "truth.h"

static bool outdated(const struct sim_agent *a, const struct sim_who *who)
{
    return who->fence < a->highest.fence || (who->fence == a->highest.fence && who->rollout != a->highest.rollout);
}

enum sim_reply sim_claim_put(struct sim_truth *t, uint8_t node, const struct sim_claim *wanted, uint64_t expect)
{
    struct sim_agent *a = &t->agents[node];
    const struct sim_who *who = &wanted->who;
    bool live = a->claim.there && a->claim.until_ms > t->now_ms;
    uint64_t seen = a->claim.there ? a->claim.who.fence : 0;
    bool twin = a->claim.there && seen == who->fence && a->claim.who.holder != who->holder;

    if (sim_agent_dead(t, node))
        return SIM_SILENCE;
    if (twin || (live && a->claim.who.rollout != who->rollout))
        return SIM_FENCED;
    if (a->vote.until_ms > t->now_ms && a->vote.who.rollout != who->rollout)
        return SIM_FENCED;
    if (outdated(a, who))
        return SIM_FENCED;
    if (seen != expect && !(a->claim.there && a->claim.who.fence == who->fence))
        return SIM_FENCED;
    a->claim = *wanted;
    a->claim.there = true;
    a->highest = *who;
    return SIM_OK;
}

enum sim_reply sim_claim_drop(struct sim_truth *t, uint8_t node, const struct sim_who *who)
{
    struct sim_agent *a = &t->agents[node];

    if (sim_agent_dead(t, node))
        return SIM_SILENCE;
    if (a->claim.there && (a->claim.who.fence != who->fence || a->claim.who.rollout != who->rollout ||
                           a->claim.who.holder != who->holder))
        return SIM_FENCED;
    a->claim.there = false;
    return SIM_OK;
}

static enum sim_reply vote_back(struct sim_agent *a, const struct sim_who *who, bool same)
{
    if (a->vote.who.fence != 0 && (a->vote.who.fence != who->fence || !same))
        return SIM_FENCED;
    a->vote = (struct sim_lease){.until_ms = SIM_NEVER};
    return SIM_OK;
}

enum sim_reply sim_vote(struct sim_truth *t, uint8_t node, const struct sim_who *who, uint32_t ttl_ms)
{
    struct sim_agent *a = &t->agents[node];
    bool same = a->vote.who.rollout == who->rollout && a->vote.who.holder == who->holder;

    if (sim_agent_dead(t, node))
        return SIM_SILENCE;
    if (ttl_ms == 0)
        return vote_back(a, who, same);
    if (!same && (a->vote.until_ms > t->now_ms || a->vote.who.fence == who->fence))
        return SIM_FENCED;
    if (a->claim.there && a->claim.until_ms > t->now_ms && a->claim.who.rollout != who->rollout)
        return SIM_FENCED;
    if (outdated(a, who))
        return SIM_FENCED;
    a->vote = (struct sim_lease){*who, t->now_ms + (ttl_ms + 999) / 1000 * 1000};
    a->highest = *who;
    return SIM_OK;
}

struct sim_job *sim_job_find(struct sim_truth *t, uint8_t node, uint8_t rollout, bool undo, uint8_t attempt)
{
    struct sim_agent *a = &t->agents[node];

    for (uint32_t i = 0; i < a->n_jobs; i++)
        if (a->jobs[i].who.rollout == rollout && a->jobs[i].undo == undo && a->jobs[i].attempt == attempt)
            return &a->jobs[i];
    return NULL;
}

const struct sim_job *sim_job_last(const struct sim_agent *a)
{
    return a->n_jobs == 0 ? NULL : &a->jobs[a->n_jobs - 1];
}

enum sim_fate sim_job_fate(const struct sim_agent *a, const struct sim_job *job)
{
    return (enum sim_fate)(job->kind == SIM_ROLLBACK ? a->undo_fate : a->fate);
}

static struct sim_job *job_add(struct sim_truth *t, struct sim_agent *a, const struct sim_job *asked)
{
    struct sim_job *job;

    if (a->n_jobs == SIM_JOBS)
        memmove(a->jobs, a->jobs + 1, --a->n_jobs * sizeof a->jobs[0]);
    job = &a->jobs[a->n_jobs++];
    *job = *asked;
    job->state = SIM_JOB_RUNNING;
    job->order = ++t->next_job;
    return job;
}

enum sim_reply sim_job_post(struct sim_truth *t, uint8_t node, const struct sim_job *asked, struct sim_job **job,
                            bool *new_job)
{
    struct sim_agent *a = &t->agents[node];
    const struct sim_job *last = sim_job_last(a);
    enum sim_fate fate = sim_job_fate(a, asked);

    *new_job = false;
    *job = sim_job_find(t, node, asked->who.rollout, asked->undo, asked->attempt);
    if (sim_agent_dead(t, node))
        return SIM_SILENCE;
    if (*job != NULL)
        return (*job)->kind == asked->kind && (*job)->exe == asked->exe ? SIM_OK : SIM_NO;
    if (!a->claim.there || a->claim.until_ms <= t->now_ms || a->claim.who.fence != asked->who.fence ||
        a->claim.who.rollout != asked->who.rollout)
        return SIM_FENCED;
    if ((last != NULL && last->state == SIM_JOB_RUNNING) || fate == SIM_FATE_REFUSED)
        return SIM_NO;
    if (asked->kind != SIM_RESTART && (a->staged >> (asked->exe - 'A') & 1) == 0)
        return SIM_NO;
    *job = job_add(t, a, asked);
    (*job)->before = a->now;
    (*job)->touched = a->now.pid != 0;
    *new_job = true;
    return SIM_OK;
}

void sim_process_start(struct sim_truth *t, uint8_t node, uint8_t exe, bool ill)
{
    struct sim_agent *a = &t->agents[node];

    a->now.pid = t->next_pid++;
    a->now.ticks = (uint64_t)t->now_ms / 10 + 1;
    a->now.exe = exe;
    a->ill = ill;
    a->healthy_ms = t->now_ms + a->gets_healthy_ms;
}

void sim_process_end(struct sim_truth *t, uint8_t node)
{
    t->agents[node].now.pid = 0;
    t->agents[node].now.ticks = 0;
    t->agents[node].now.exe = 0;
}

void sim_job_end(struct sim_truth *t, uint8_t node, struct sim_job *job)
{
    struct sim_agent *a = &t->agents[node];
    enum sim_fate fate = sim_job_fate(a, job);
    bool failed = fate == SIM_FATE_KEPT || fate == SIM_FATE_DIED || fate == SIM_FATE_HANGS;
    uint8_t exe = job->kind == SIM_RESTART ? a->installed : job->exe;

    if (a->now.pid == 0) { /* not_running */
        job->state = SIM_JOB_FAILED;
        return;
    }
    job->state = failed ? SIM_JOB_FAILED : SIM_JOB_DONE;
    if (fate == SIM_FATE_GOOD || fate == SIM_FATE_ILL || fate == SIM_FATE_WRONG) {
        exe = fate == SIM_FATE_WRONG ? 'X' : exe;
        a->staged |= (uint8_t)(a->installed < 'A' + 8 ? 1u << (a->installed - 'A') : 0);
        if (exe != a->installed)
            a->previous = a->installed < 'A' + 8 ? a->installed : 0;
        a->installed = exe;
        sim_process_start(t, node, exe, fate == SIM_FATE_ILL);
    } else if (fate == SIM_FATE_DIED) {
        sim_process_end(t, node);
    }
    job->after = a->now;
}

bool sim_healthy(const struct sim_truth *t, uint8_t node)
{
    const struct sim_agent *a = &t->agents[node];
    bool dip = a->flap_ms > 0 && t->now_ms / a->flap_ms % 3 == 2;

    return a->now.pid != 0 && !a->ill && t->now_ms >= a->healthy_ms && !dip;
}

uint32_t sim_connections(const struct sim_truth *t, uint8_t node)
{
    uint32_t n = 0;

    for (uint8_t i = 0; i < t->n_peers; i++)
        n += t->peers[i].node == node && sim_peer_holds(t, i) ? 1 : 0;
    return n;
}

void sim_reboot(struct sim_truth *t, uint8_t node)
{
    struct sim_agent *a = &t->agents[node];

    a->now.boot++;
    sim_process_start(t, node, a->installed, false);
    if (a->n_jobs > 0 && a->jobs[a->n_jobs - 1].state == SIM_JOB_RUNNING) {
        a->jobs[a->n_jobs - 1].state = SIM_JOB_FAILED; /* interrupted */
        a->jobs[a->n_jobs - 1].after = a->now;
    }
}
