/* scene_lists.c - lists of load balancers on their way, of which nothing need be tried now.
 *
 * Time stands still while a list is on its way, so it may arrive before or after whatever else happens meanwhile. Its
 * arrival matters to what it shows alone: it is tried where something that would be shown may happen next, and else it
 * comes right with its answer. The answer is put off as long as it says nothing: the controller takes it into its books
 * and does nothing, and all else that may happen next comes to the same before and after it (scene_lists_wait). No time
 * can pass before one of these others has happened, and then the list is looked at again, so no order is lost that
 * tells anything: these others are a persistent set. reach_run() tries both orders and compares, where it is told to.
 */
#include "scene.h"

bool scene_is_list(const struct scene *c, uint8_t i)
{
    const struct sim_call *call = &c->sim->calls[i];

    return call->used && c->sim->seats[call->seat].state == SEAT_RUNS && call->action.kind == ACT_READ_LB;
}

bool scene_shows_change(const struct scene *c, uint8_t lb)
{
    const struct sim_truth *t = &c->sim->truth;

    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->upstreams[t->peers[i].upstream].lb == lb && t->peers[i].gate != SIM_OPEN && sim_peer_holds(t, i))
            return true; /* its last request may end */
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *call = &c->sim->calls[i];

        for (uint32_t k = 0; call->used && scene_is_change(&call->action) && k < call->n_parts; k++)
            if (call->parts[k].lb == lb && c->book.where[i][k] == WHERE_SENT)
                return true;
    }
    return false;
}

/* What the node waits to see it is shown by looks at its own servers, and not by a list that was begun before it asked.
 * LOOK takes such a list nevertheless; FLOOR counts what all lists show. */
static bool waits_for_no_list(const struct scene *c, uint16_t node)
{
    const struct run *r = &c->at.run;
    const struct run_extra *x = run_extra(r, node);
    enum step step = (enum step)run_node(r, node)->step;

    if (!x->looks)
        return true;
    if (step == STEP_LOOK || step_row(step)->ask != ASK_PEERS || x->needs_list)
        return false;
    for (uint8_t i = 0; i < SCENE_CALLS; i++)
        if (scene_is_list(c, i) && run_lb(r, c->sim->calls[i].action.lb)->began_turn >= x->look_turn)
            return false;
    return true;
}

/* Handed over before the lists or after them, it comes to the same. CHECK leads to LOOK. */
static bool needs_no_list(const struct scene *c, const struct action *a)
{
    if (a->kind == ACT_RENEW || a->kind == ACT_LEASE)
        return true;
    return a->kind == ACT_ASK && run_node(&c->at.run, a->node)->step != STEP_CHECK;
}

bool scene_lists_wait(const struct scene *c)
{
    const struct run *r = &c->at.run;
    const struct reach *of = c->reach;
    bool busy = false;

    if (c->book.phase != SCENE_RUNS || r->phase != RUN_ROLLING || r->stop != RUN_GOES || of->reloads > 0 ||
        of->faults > 0 || of->forgetful)
        return false;
    for (uint32_t i = 0; i < r->n_begun; i++)
        if (!waits_for_no_list(c, run_begun(r)[i]))
            return false;
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *call = &c->sim->calls[i];
        bool all = true, sent = false;

        if (!call->used || c->sim->seats[call->seat].state != SEAT_RUNS || scene_is_list(c, i))
            continue;
        for (uint32_t k = 0; k < call->n_parts; k++) {
            all = all && c->book.where[i][k] == WHERE_THERE;
            sent = sent || c->book.where[i][k] == WHERE_SENT;
        }
        if (all && !needs_no_list(c, &call->action))
            return false;
        busy = busy || all || sent;
    }
    return busy;
}
