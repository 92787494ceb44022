/* scene_alone.c - requests whose arrival need not be tried in every order, since no order says anything new. */
#include "scene.h"

static bool is_change(const struct action *a)
{
    return a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK);
}

static bool at_agent(const struct action *a)
{
    return a->kind == ACT_RENEW || (a->kind == ACT_ASK && !is_change(a));
}

bool scene_may_matter(const struct action *a)
{
    if (a->kind != ACT_ASK)
        return a->kind == ACT_LEASE || a->kind == ACT_RENEW || a->kind == ACT_HOLD;
    return a->ask != ASK_STATUS && a->ask != ASK_JOB_END && a->ask != ASK_HEALTH && a->ask != ASK_STAGE;
}

/* ---- what could come between */

static bool any_of_dead(const struct sim *s)
{
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        if (s->calls[i].used && s->seats[s->calls[i].seat].state != SEAT_RUNS)
            return true;
    return false;
}

static bool works(const struct scene *c, uint8_t node)
{
    const struct sim_job *job = sim_job_last(&c->sim->truth.agents[node]);

    return job != NULL && job->state == SIM_JOB_RUNNING;
}

/* Requests to it may end. */
static bool holds(const struct scene *c, uint8_t node)
{
    const struct sim_truth *t = &c->sim->truth;

    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && t->peers[i].gate != SIM_OPEN && sim_peer_holds(t, i))
            return true;
    return false;
}

static bool world_is_still(const struct scene *c)
{
    for (uint8_t i = 0; i < c->sim->truth.n_nodes; i++)
        if (works(c, i) || holds(c, i))
            return false;
    return true;
}

/* The one node in motion; NULL: there are none or several. */
static const struct node *only_one(const struct scene *c)
{
    const struct run *r = &c->at.run;
    const struct node *found = NULL;

    for (uint32_t i = 0; i < r->n_nodes; i++) {
        if (!node_in_motion(run_node(r, i)))
            continue;
        if (found != NULL)
            return NULL;
        found = run_node(r, i);
    }
    return found;
}

static bool another_at_agent(const struct scene *c, uint8_t call)
{
    const struct sim_call *calls = c->sim->calls;

    for (uint8_t i = 0; i < SCENE_CALLS; i++)
        if (i != call && calls[i].used && at_agent(&calls[i].action) &&
            calls[i].action.node == calls[call].action.node && c->book.where[i][0] != WHERE_THERE)
            return true;
    return false;
}

/* On its way to that load balancer, or held there. */
static bool another_at_lb(const struct scene *c, uint8_t call, uint8_t lb)
{
    const struct sim_seat *seat = &c->sim->seats[c->book.last];

    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *other = &c->sim->calls[i];
        const struct action *a = &other->action;

        if (i == call || !other->used || at_agent(a))
            continue;
        if (a->kind == ACT_LEASE && c->book.where[i][0] != WHERE_THERE &&
            c->sim->truth.upstreams[seat->upstream_of[a->upstream]].lb == lb)
            return true;
        for (uint8_t k = 0; a->kind != ACT_LEASE && k < other->n_parts; k++)
            if (other->parts[k].lb == lb && c->book.where[i][k] != WHERE_THERE)
                return true;
    }
    return false;
}

static bool only_lists(const struct scene *c)
{
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        if (c->sim->calls[i].used && c->sim->calls[i].action.kind != ACT_READ_LB)
            return false;
    return true;
}

static bool may_be_alone(const struct scene *c)
{
    return c->book.phase == SCENE_RUNS && c->reach->reloads == 0 && !any_of_dead(c->sim);
}

/* ---- which */

static bool ask_is_alone(const struct scene *c, uint8_t i)
{
    const struct action *a = &c->sim->calls[i].action;
    uint8_t node = c->sim->seats[c->book.last].node_of[a->node];

    if (c->book.deaths > 0 && scene_may_matter(a))
        return false;
    if (works(c, node) && a->ask != ASK_JOB_END)
        return false;
    return !(a->ask == ASK_STATUS && holds(c, node)) && !another_at_agent(c, i);
}

static bool look_is_alone(const struct scene *c, uint8_t i)
{
    const struct action *a = &c->sim->calls[i].action;

    return a->hold_s > 0 || !holds(c, c->sim->seats[c->book.last].node_of[a->node]);
}

static bool change_is_alone(const struct scene *c, uint8_t i, uint8_t k)
{
    const struct sim_call *call = &c->sim->calls[i];

    return c->book.deaths == 0 && only_one(c) != NULL &&
           !holds(c, c->sim->seats[c->book.last].node_of[call->action.node]) && !another_at_lb(c, i, call->parts[k].lb);
}

static bool list_is_alone(const struct scene *c, uint8_t i)
{
    const struct node *n = only_one(c);
    const struct run_extra *x = n != NULL ? run_extra(&c->at.run, n->id) : NULL;

    return x != NULL && c->book.faults == 0 && x->looks && x->look_asked == 0 &&
           run_lb(&c->at.run, c->sim->calls[i].action.lb)->read_turn < x->look_turn && only_lists(c) &&
           world_is_still(c);
}

static bool is_alone(const struct scene *c, uint8_t i, uint8_t k)
{
    const struct action *a = &c->sim->calls[i].action;

    switch (a->kind) {
    case ACT_ASK:
        return is_change(a) ? change_is_alone(c, i, k) : ask_is_alone(c, i);
    case ACT_LOOK:
        return look_is_alone(c, i);
    case ACT_READ_LB:
        return list_is_alone(c, i);
    case ACT_LEASE: /* its release */
        return c->book.deaths == 0 && c->at.run.phase == RUN_RELEASING;
    default:
        return false;
    }
}

bool scene_alone(const struct scene *c, uint8_t *call, uint8_t *part)
{
    if (!may_be_alone(c))
        return false;
    for (uint8_t i = 0; i < SCENE_CALLS; i++)
        for (uint8_t k = 0; c->sim->calls[i].used && k < c->sim->calls[i].n_parts; k++)
            if (c->book.where[i][k] == WHERE_SENT && is_alone(c, i, k)) {
                *call = i;
                *part = k;
                return true;
            }
    return false;
}
