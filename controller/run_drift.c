/* run_drift.c - is what we took out still out? Others change load balancers as well, and an nginx that is started anew
 * without its state has forgotten us. Looked at in every list, so before the next effect on the node.
 *
 * Ours is repaired: under another generation of nginx than the one in which a peer was last seen out, it was forgotten,
 * and is taken out again. What is not ours stops the rollout: under the same generation somebody has put it back. */
#include <stdio.h>

#include "pace.h"
#include "run_state.h"

/* From the moment that all load balancers took its drain until it goes back. */
static bool is_held_out(const struct plan *p, const struct node *n)
{
    switch ((enum step)n->step) {
    case STEP_QUIET:
    case STEP_DOWN:
    case STEP_EMPTY:
    case STEP_SILENT:
    case STEP_JOB:
    case STEP_AWAIT:
    case STEP_VERIFY:
    case STEP_HEALTH:
    case STEP_AFTER:
    case STEP_CONFIRM:
    case STEP_SETTLE:
    case STEP_UNDO:
    case STEP_UNDOING:
    case STEP_REVERIFY:
    case STEP_REHEALTH:
        return p->kind == PLAN_ROLL;
    default:
        return false;
    }
}

static bool is_out(const struct seen_peer *seen)
{
    return seen->state == PEER_DOWN || seen->state == PEER_DRAINING;
}

/* I1: newer than what was shown last. It must not count as up either once it is back to a drain of before us, which an
 * nginx that forgot all showed as ended. */
static void is_out_now(struct run *r, const struct plan *p, uint32_t peer)
{
    struct seen_peer *seen = state_peer(r, peer), out = *seen;

    if (!seen_up(seen))
        return;
    out.state = PEER_DRAINING;
    look_recount(state_upstream(r, p->peers[peer].upstream), seen, &out);
    *seen = out;
}

void drift_taken(struct run *r, const struct plan *p, uint16_t node, uint64_t mask)
{
    const struct plan_node *pn = &p->nodes[node];

    state_extra(r, node)->out_turn = r->turn;
    for (uint32_t i = 0; i < pn->n_peers; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        *state_out(r, pn->first_peer + i) = run_lb(r, plan_peer_lb(p, pn->first_peer + i))->generation;
        is_out_now(r, p, pn->first_peer + i);
    }
}

struct drift {
    uint64_t lost, opened; /* of the node's peers: forgotten by nginx, put back by somebody */
};

static struct drift drift_of(struct run *r, const struct plan *p, uint16_t node, uint16_t lb)
{
    const struct plan_node *pn = &p->nodes[node];
    uint64_t generation = run_lb(r, lb)->generation;
    struct drift d = {0};

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        const struct seen_peer *seen = run_peer(r, pn->first_peer + i);
        uint64_t *out = state_out(r, pn->first_peer + i), bit = UINT64_C(1) << i;

        if (plan_peer_lb(p, pn->first_peer + i) != lb || (run_node(r, node)->out_mask & bit) == 0 ||
            seen->state == PEER_UNKNOWN || (*out == 0 && !is_out(seen)))
            continue;
        if (is_out(seen))
            *out = generation;
        else if (*out == generation)
            d.opened |= bit;
        else
            d.lost |= bit;
    }
    return d;
}

/* The first of these peers. */
static uint32_t first_peer(const struct plan *p, uint16_t node, uint64_t mask)
{
    uint32_t i = 0;

    while ((mask >> i & 1) == 0)
        i++;
    return p->nodes[node].first_peer + i;
}

/* It may as well be another run that has taken us over while we slept: that the lease, renewed at once, is not ours any
 * more tells it (run_stop). But nothing waits for that: a node may be on its way back before a slow renewal is. */
static void opened(struct run *r, const struct plan *p, uint16_t node, uint16_t lb, uint64_t mask, struct turn *t)
{
    char text[ANSWER_TEXT_MAX];

    lease_doubt(r, p, lb);
    lock_doubt(r, p);
    state_node(r, node)->prior_drain_mask &= ~mask; /* a drain of before us is ended by that */
    (void)snprintf(text, sizeof text, "%.60s: somebody else put %.60s back at %.60s while it was out",
                   p->nodes[node].name, p->peers[first_peer(p, node, mask)].server, p->lbs[lb].name);
    run_stop(r, p, RUN_STOP_DRIFT, text, t);
}

/* Who waits for its silence waits on. First the claim: were it gone, nobody would find what is taken out again. */
static void lost(struct run *r, const struct plan *p, uint16_t node, uint64_t mask)
{
    struct run_extra *x = state_extra(r, node);

    if (x->holding)
        return;
    x->hold_mask |= mask;
    x->claim_ms = p->lease_ttl_ms; /* renewed at once */
}

/* Not below the floor: then it stays in use, and the next list is looked at again. */
void drift_claimed(struct run *r, const struct plan *p, uint16_t node, bool ours, struct turn *t)
{
    struct run_extra *x = state_extra(r, node);
    uint64_t mask = x->hold_mask;
    char text[ANSWER_TEXT_MAX];
    struct answer later;
    struct action *a;

    x->hold_mask = 0;
    if (mask == 0 || !ours || !is_held_out(p, run_node(r, node)) || !pace_may_take(r, p, node, mask, text, sizeof text))
        return;
    a = turn_action(t, ACT_HOLD);
    *a = node_action(run_node(r, node), p);
    a->kind = ACT_HOLD;
    a->ask = ASK_DOWN;
    a->mask = mask;
    if (!lock_lets(r, p, a, &later)) { /* the next list shows it again */
        t->n_actions--;
        return;
    }
    x->holding = true;
    (void)snprintf(text, sizeof text, "%.60s has forgotten that %.60s is out; it is taken down again",
                   p->lbs[plan_peer_lb(p, first_peer(p, node, mask))].name, p->peers[first_peer(p, node, mask)].server);
    turn_note(r, p, node, text, t);
}

void drift_input(struct run *r, const struct plan *p, uint16_t lb, struct turn *t)
{
    uint32_t i = 0;

    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        uint32_t before = r->n_begun;
        struct drift d = {0};

        if (is_held_out(p, run_node(r, id)) && run_lb(r, lb)->read_turn >= run_extra(r, id)->out_turn)
            d = drift_of(r, p, id, lb);
        if (d.opened != 0)
            opened(r, p, id, lb, d.opened, t);
        else if (d.lost != 0)
            lost(r, p, id, d.lost);
        i += r->n_begun == before ? 1 : 0;
    }
}

/* One server alone tells nothing of its nginx's generation: the list is read at once. */
void drift_look(struct run *r, const struct plan *p, uint16_t node)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers && is_held_out(p, run_node(r, node)); i++) {
        const struct seen_peer *seen = run_peer(r, pn->first_peer + i);

        if ((run_node(r, node)->out_mask >> i & 1) != 0 && seen->state != PEER_UNKNOWN && !is_out(seen))
            state_lb(r, plan_peer_lb(p, pn->first_peer + i))->stale = true;
    }
}

void drift_hold_over(struct run *r, const struct plan *p, uint16_t node, struct turn *t)
{
    struct run_extra *x = state_extra(r, node);

    x->holding = false;
    if (!x->back_waits)
        return;
    x->back_waits = false;
    state_ask(r, p, node, t);
}

void drift_held(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    drift_taken(r, p, in->node, in->answer.ok_mask); /* what was not taken shows up in the next list */
    drift_hold_over(r, p, in->node, t);
}

bool drift_watches(const struct run *r, const struct plan *p, uint32_t lb)
{
    for (uint32_t i = 0; i < r->n_begun && p->kind == PLAN_ROLL; i++)
        if (is_held_out(p, run_node(r, run_begun(r)[i])) && node_at_lb(p, run_begun(r)[i], lb))
            return true;
    return false;
}
