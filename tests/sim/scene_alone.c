/* scene_alone.c - requests whose arrival need not be tried in every order, since no order says anything new. */
#include "scene.h"

bool scene_is_change(const struct action *a)
{
    return a->kind == ACT_HOLD ||
           (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK));
}

static bool at_agent(const struct action *a)
{
    return a->kind == ACT_RENEW || (a->kind == ACT_ASK && !scene_is_change(a));
}

bool scene_may_matter(const struct action *a)
{
    if (a->kind != ACT_ASK)
        return a->kind == ACT_LEASE || a->kind == ACT_RENEW || a->kind == ACT_HOLD;
    return a->ask != ASK_STATUS && a->ask != ASK_JOB_END && a->ask != ASK_HEALTH && a->ask != ASK_STAGE;
}

/* ---- what could come between */

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

static uint8_t node_of(const struct scene *c, uint8_t call)
{
    return c->sim->seats[c->sim->calls[call].seat].node_of[c->sim->calls[call].action.node];
}

static bool another_at_agent(const struct scene *c, uint8_t call)
{
    const struct sim_call *calls = c->sim->calls;

    for (uint8_t i = 0; i < SCENE_CALLS; i++)
        if (i != call && calls[i].used && at_agent(&calls[i].action) && node_of(c, i) == node_of(c, call) &&
            c->book.where[i][0] != WHERE_THERE)
            return true;
    return false;
}

/* No controller dies before it has arrived: that is tried where an effect was just sent or time has passed, and while
 * this is outstanding neither happens, unless there is another node in motion or a renewal comes late. */
static bool no_death_before(const struct scene *c)
{
    return c->book.deaths == 0 || (c->reach->prompt && only_one(c) != NULL && reach_uses(c->reach, REACH_DEATHS));
}

/* Of a dead one, to any load balancer. */
static bool change_of_dead(const struct scene *c)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *call = &c->sim->calls[i];

        if (call->used && c->sim->seats[call->seat].state != SEAT_RUNS && !at_agent(&call->action))
            return true;
    }
    return false;
}

/* On its way to that load balancer, or held there. */
static bool another_at_lb(const struct scene *c, uint8_t call, uint8_t lb)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *other = &c->sim->calls[i];
        const struct sim_seat *seat = &c->sim->seats[other->seat];
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

static bool may_be_alone(const struct scene *c)
{
    return c->book.phase == SCENE_RUNS && c->reach->reloads == 0;
}

/* ---- which */

static bool ask_is_alone(const struct scene *c, uint8_t i)
{
    const struct action *a = &c->sim->calls[i].action;
    uint8_t node = node_of(c, i);

    if (scene_may_matter(a) && !no_death_before(c))
        return false;
    if (works(c, node) && a->ask != ASK_JOB_END)
        return false;
    return !(a->ask == ASK_STATUS && holds(c, node)) && !another_at_agent(c, i);
}

static bool look_is_alone(const struct scene *c, uint8_t i)
{
    const struct action *a = &c->sim->calls[i].action;

    return !change_of_dead(c) && (a->hold_s > 0 || !holds(c, node_of(c, i)));
}

static bool change_is_alone(const struct scene *c, uint8_t i, uint8_t k)
{
    const struct sim_call *call = &c->sim->calls[i];

    return no_death_before(c) && only_one(c) != NULL && !holds(c, node_of(c, i)) &&
           !another_at_lb(c, i, call->parts[k].lb);
}

static bool is_alone(const struct scene *c, uint8_t i, uint8_t k)
{
    const struct action *a = &c->sim->calls[i].action;

    switch (a->kind) {
    case ACT_ASK:
        return scene_is_change(a) ? change_is_alone(c, i, k) : ask_is_alone(c, i);
    case ACT_LOOK:
        return look_is_alone(c, i);
    case ACT_LEASE: /* its release */
        return c->book.deaths == 0 && !change_of_dead(c) && c->at.run.phase == RUN_RELEASING;
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
            if (c->book.where[i][k] == WHERE_SENT && c->sim->seats[c->sim->calls[i].seat].state == SEAT_RUNS &&
                is_alone(c, i, k)) {
                *call = i;
                *part = k;
                return true;
            }
    return false;
}
