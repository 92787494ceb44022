#include "vigil.h"

#include <stdio.h>
#include <string.h>

#define SLACK_MS    2000 /* seconds are rounded up, and the way there and back takes time */
#define LOOK_MIN_MS 200
#define LOOK_MAX_MS 3000

struct looking {
    const struct fleet *f;
    const struct survey *s;
    const struct plan_request *q;
    bool repair;
    uint32_t left_s;                                 /* the longest that anything of it still has; and of that one: */
    const char *upstream, *where, *rollout, *holder; /* no upstream: an agent */
};

static void hold(struct looking *l, uint32_t left_s, const char *upstream, const char *where, const char *rollout,
                 const char *holder)
{
    if (left_s <= l->left_s)
        return;
    l->left_s = left_s;
    l->upstream = upstream;
    l->where = where;
    l->rollout = rollout;
    l->holder = holder;
}

static void tell(const struct looking *l, char text[ANSWER_TEXT_MAX])
{
    char where[128];

    if (l->upstream != NULL)
        (void)snprintf(where, sizeof where, "upstream %.50s at %.50s", l->upstream, l->where);
    else
        (void)snprintf(where, sizeof where, "%.100s", l->where);
    (void)snprintf(text, ANSWER_TEXT_MAX, "%.115s: held by rollout %.64s (%.90s), %u s left", where, l->rollout,
                   l->holder, l->left_s);
}

/* Another's for a repair; for the others, an earlier run's of this rollout. Never this very process's. */
static bool counts(const struct looking *l, const char *rollout, const char *holder)
{
    bool same_id = strcmp(rollout, l->q->rollout) == 0, same = same_id && strcmp(holder, l->q->holder) == 0;

    return !same && (l->repair || same_id);
}

static void look_at_claim(struct looking *l, const struct survey_node *n)
{
    const struct agent_claim *claim = &n->status.claim;

    if (n->good && claim->there && claim->left_s > 0 && counts(l, claim->rollout, claim->holder))
        hold(l, claim->left_s, NULL, l->f->hosts[n->host].name, claim->rollout, claim->holder);
}

/* A repair needs the lock only where there is something to mend. */
static void look_at_lock(struct looking *l, const struct survey_node *n)
{
    const struct agent_lock *lock = &n->status.lock;
    bool counted = !l->repair;

    for (uint32_t i = 0; l->repair && i < l->s->n_nodes; i++)
        counted = counted || (l->s->nodes[i].good && l->s->nodes[i].status.claim.there);
    if (n->good && lock->there && lock->left_s > 0 && counted && counts(l, lock->rollout, lock->holder))
        hold(l, lock->left_s, NULL, survey_node_name(l->f, n), lock->rollout, lock->holder);
}

static bool names(const struct agent_claim *claim, const char *lb, const char *upstream)
{
    for (uint32_t i = 0; i < claim->n_took_out; i++)
        if (strcmp(claim->took_out[i].lb, lb) == 0 && strcmp(claim->took_out[i].upstream, upstream) == 0)
            return true;
    return false;
}

/* A repair must have the leases of what the claims took out, and of nothing else. */
static bool wanted(const struct looking *l, const char *lb, const char *upstream)
{
    for (uint32_t i = 0; l->repair && i < l->s->n_nodes; i++)
        if (l->s->nodes[i].good && l->s->nodes[i].status.claim.there &&
            names(&l->s->nodes[i].status.claim, lb, upstream))
            return true;
    return !l->repair;
}

static void look_at_lb(struct looking *l, const struct survey_lb *lb)
{
    const char *name = l->f->hosts[lb->host].name;

    for (uint32_t i = 0; lb->good && i < lb->n_upstreams; i++) {
        const struct survey_upstream *u = &lb->upstreams[i];

        if (u->lease.known && u->lease.ttl_s > 0 && counts(l, u->lease.id, u->lease.holder) && wanted(l, name, u->name))
            hold(l, u->lease.ttl_s, u->name, name, u->lease.id, u->lease.holder);
    }
}

enum vigil_verdict vigil_look(struct vigil *v, const struct fleet *f, const struct survey *s,
                              const struct plan_request *q, bool repair, uint64_t now_ms)
{
    struct looking l = {.f = f, .s = s, .q = q, .repair = repair};
    uint64_t ends_ms;

    for (uint32_t i = 0; i < s->n_nodes; i++)
        look_at_claim(&l, &s->nodes[i]);
    for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++)
        look_at_lock(&l, survey_voter(s, i));
    for (uint32_t i = 0; i < s->n_lbs; i++)
        look_at_lb(&l, &s->lbs[i]);
    if (l.left_s == 0)
        return VIGIL_FREE;
    (void)snprintf(v->rollout, sizeof v->rollout, "%s", l.rollout);
    tell(&l, v->text);
    ends_ms = now_ms + (uint64_t)l.left_s * 1000;
    v->looked_ms = now_ms;
    if (!v->began) {
        v->began = true;
        v->began_ms = now_ms;
        v->until_ms = ends_ms;
    }
    if (ends_ms > v->until_ms + SLACK_MS || now_ms > v->until_ms + SLACK_MS)
        return VIGIL_ALIVE;
    v->wait_ms = l.left_s * 1000 / 8;
    v->wait_ms = v->wait_ms < LOOK_MIN_MS ? LOOK_MIN_MS : v->wait_ms > LOOK_MAX_MS ? LOOK_MAX_MS : v->wait_ms;
    return VIGIL_WAIT;
}
