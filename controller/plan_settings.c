/* plan_settings.c - what every plan begins with: options as waiting times, load balancers, fence. */
#include <string.h>

#include "plan_make.h"

static uint32_t added(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - 1 - b ? UINT32_MAX - 1 : a + b;
}

static void set_waits(struct plan *p, const struct options *o)
{
    uint32_t change = o->request_timeout_ms * 3;

    p->wait_ms[WAIT_NONE] = 0;
    p->wait_ms[WAIT_CHANGE] = change;
    p->wait_ms[WAIT_STAGE] = added(change, 600000);
    p->wait_ms[WAIT_FLOOR] = o->healthy_deadline_ms;
    p->wait_ms[WAIT_DRAIN] = o->drain_timeout_ms;
    p->wait_ms[WAIT_JOB] = o->job_timeout_ms;
    p->wait_ms[WAIT_HEALTH] = o->healthy_deadline_ms;
    p->wait_ms[WAIT_BAKE] = o->bake_ms;
    p->wait_ms[WAIT_RETRY] = 1000;
    p->wait_ms[WAIT_POLL] = o->lb_poll_ms;
    p->wait_ms[WAIT_DRAIN_POLL] = o->drain_poll_ms;
    p->wait_ms[WAIT_MEND] = change;
    p->wait_ms[WAIT_PROBE] = o->health_interval_ms;
    p->wait_ms[WAIT_WISH] = 1000;
    p->wait_ms[WAIT_HOOK] = o->hook_timeout_ms;
}

static void set_pace(struct plan *p, const struct options *o, const struct plan_request *q, uint32_t n_nodes)
{
    p->n_batches = o->batch.count < PLAN_BATCHES_MAX ? o->batch.count : PLAN_BATCHES_MAX;
    for (uint32_t i = 0; i < p->n_batches; i++)
        p->batches[i] = share_of(o->batch.items[i], n_nodes);
    p->canary = o->canary;
    p->pause_after = o->pause_after == MARK_WORD ? o->canary : o->pause_after;
    if (o->command == COMMAND_RESUME && o->source[OPT_pause_after] != SOURCE_FLAG)
        p->pause_after = q->pause_left; /* where the run before has waited, who resumes it lets it go on */
    p->max_unavailable = o->max_unavailable.value;
    p->max_unavailable_percent = o->max_unavailable.percent;
    p->by_zone = o->order == ORDER_ZONE;
}

/* Who asks to go on without saying how far goes on to the end. */
static void set_failure(struct plan *p, const struct options *o)
{
    bool all = o->failure_action == FAILURE_ACTION_CONTINUE && o->source[OPT_max_failures] == SOURCE_DEFAULT;

    p->max_failures = all ? UINT32_MAX : o->max_failures;
    if (p->max_failures > 0 && o->source[OPT_canary] == SOURCE_DEFAULT)
        p->canary = 0; /* nothing is to be said against the first node failing then */
    p->rolls_back = o->failure_action == FAILURE_ACTION_ROLLBACK && p->has_release;
}

static void set_hooks(struct plan *p, const struct options *o)
{
    struct hook hooks[HOOKS_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < o->hook.count && n < HOOKS_MAX; i++) {
        int point = hook_split(o->hook.items[i], &hooks[n].command);

        if (point >= 0) /* else the option would not have been taken */
            hooks[n++].point = (uint8_t)point;
    }
    plan_set_hooks(p, hooks, n);
}

static struct plan_gate gate_of(const struct options *o)
{
    return (struct plan_gate){.max_5xx_bp = o->bake_max_5xx_bp,
                              .max_fails_bp = o->bake_max_fails_bp,
                              .max_slower_bp = o->bake_max_slower_bp,
                              .min_requests = o->bake_min_requests,
                              .pause = o->on_inconclusive == ON_INCONCLUSIVE_PAUSE};
}

struct plan *plan_begin(const struct fleet *fleet, const struct options *o, const struct survey *s,
                        const struct plan_request *q)
{
    struct plan *p = plan_new();

    p->rollout = plan_keep(p, q->rollout);
    p->holder = plan_keep(p, q->holder);
    p->service = plan_keep(p, o->service);
    p->hosts = q->hosts != NULL ? q->hosts : "";
    p->given = q->given != NULL ? q->given : "";
    p->fence = plan_next_fence(s);
    p->lease_ttl_ms = o->lease_ttl_ms;
    p->has_release = q->has_release;
    p->release_file = plan_keep(p, o->release);
    memcpy(p->release_sha256, q->release_sha256, sizeof p->release_sha256);
    p->release_size = q->release_size;
    p->version = plan_keep(p, o->version);
    set_waits(p, o);
    p->connect_timeout_ms = o->connect_timeout_ms;
    p->drain_proceed = o->on_drain_timeout == ON_DRAIN_TIMEOUT_PROCEED;
    p->success_threshold = (uint8_t)o->success_threshold;
    p->min_healthy_ms = o->min_healthy_time_ms;
    set_pace(p, o, q, s->n_nodes);
    set_failure(p, o);
    p->gate = gate_of(o);
    set_hooks(p, o);
    p->health = (struct plan_health){.status = o->health_status, .body = plan_keep(p, o->health_body)};
    p->n_lbs = s->n_lbs;
    p->lbs = pool_take(&p->owned, (s->n_lbs + 1) * sizeof *p->lbs);
    for (uint32_t i = 0; i < s->n_lbs; i++) {
        const struct fleet_host *h = &fleet->hosts[s->lbs[i].host];

        p->lbs[i] = (struct plan_lb){plan_keep(p, h->name), plan_keep(p, h->api_url), plan_keep(p, h->api_address),
                                     s->lbs[i].api_version};
    }
    return p;
}

void plan_name_node(struct plan *p, struct plan_node *n, const struct fleet *f, const struct survey_node *sn)
{
    const struct fleet_host *h = &f->hosts[sn->host];

    n->name = plan_keep(p, survey_node_name(f, sn));
    n->host = sn->name != NULL ? plan_keep(p, h->name) : NULL;
    n->service = sn->service != NULL ? plan_keep(p, sn->service) : NULL;
    n->agent = plan_keep(p, h->agent_url);
    n->address = plan_keep(p, h->agent_address);
    n->zone = plan_keep(p, h->zone);
}

uint64_t plan_next_fence(const struct survey *s)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < s->n_lbs; i++)
        for (uint32_t k = 0; k < s->lbs[i].n_upstreams; k++)
            if (s->lbs[i].upstreams[k].lease.fence > highest)
                highest = s->lbs[i].upstreams[k].lease.fence;
    for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++)
        if (survey_voter(s, i)->good && survey_voter(s, i)->status.fence > highest)
            highest = survey_voter(s, i)->status.fence;
    return highest + 1;
}

const struct survey_upstream *plan_surveyed_upstream(const struct survey *s, uint16_t lb, const char *upstream)
{
    for (uint32_t k = 0; k < s->lbs[lb].n_upstreams; k++)
        if (strcmp(s->lbs[lb].upstreams[k].name, upstream) == 0)
            return &s->lbs[lb].upstreams[k];
    return NULL;
}
