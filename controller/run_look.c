/* run_look.c - what the load balancers show, read once for all nodes that wait to see it. */
#include <stdio.h>
#include <string.h>

#include "pace.h"
#include "run_state.h"

#define WATCH_MS 1000 /* how often a load balancer is read that nobody waits for */

void look_time(struct run *r, uint32_t elapsed_ms)
{
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        lb->began_ms = lb->began_ms > UINT32_MAX - elapsed_ms ? UINT32_MAX : lb->began_ms + elapsed_ms;
        lb->read_age_ms = lb->read_age_ms > UINT32_MAX - elapsed_ms ? UINT32_MAX : lb->read_age_ms + elapsed_ms;
    }
}

bool node_at_lb(const struct plan *p, uint32_t node, uint32_t lb)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (plan_peer_lb(p, pn->first_peer + i) == lb)
            return true;
    return false;
}

/* Whether all its load balancers were read after it asked. */
static bool node_sees(const struct run *r, const struct plan *p, uint32_t node, uint64_t since_turn)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (run_lb(r, plan_peer_lb(p, pn->first_peer + i))->read_turn < since_turn)
            return false;
    return true;
}

static struct answer peers_answer(const struct run *r, const struct plan *p, uint32_t node)
{
    const struct plan_node *pn = &p->nodes[node];
    struct answer a = {.kind = ANS_OK, .generation = 2166136261u};

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        const struct seen_peer *seen = run_peer(r, pn->first_peer + i);
        const struct run_lb *lb = run_lb(r, plan_peer_lb(p, pn->first_peer + i));
        uint64_t bit = UINT64_C(1) << i;

        a.seen |= seen->state != PEER_UNKNOWN ? bit : 0;
        a.elsewhere = a.elsewhere || seen->elsewhere;
        a.up |= seen->state == PEER_UP ? bit : 0;
        a.down |= seen->state == PEER_DOWN ? bit : 0;
        a.drain |= seen->state == PEER_DRAINING ? bit : 0;
        a.active += seen->active;
        if (!lb->exact)
            a.generation = (a.generation ^ (uint32_t)(lb->generation ^ lb->generation >> 32)) * 16777619u;
    }
    return a;
}

/* For people: what a node in this step still waits for. "" stays where there is nothing to tell. */
static void tell_waiting(const struct run *r, const struct plan *p, uint16_t node, enum step step,
                         char text[ANSWER_TEXT_MAX])
{
    const struct plan_node *pn = &p->nodes[node];
    const char *busy = NULL;
    uint32_t active = 0;

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint32_t peer = pn->first_peer + i;
        const struct seen_peer *seen = run_peer(r, peer);
        const char *server = p->peers[peer].server, *lb = p->lbs[plan_peer_lb(p, peer)].name;
        bool down = seen->state == PEER_DOWN, ours = (run_node(r, node)->peers_mask >> i & 1) != 0;

        if (seen->state == PEER_UNKNOWN)
            (void)snprintf(text, ANSWER_TEXT_MAX, "upstream %s at %s does not list %s",
                           p->upstreams[p->peers[peer].upstream].name, lb, server);
        else if (seen->elsewhere)
            (void)snprintf(text, ANSWER_TEXT_MAX,
                           "%s lists %s in another upstream since the rollout began; run it again to take it out there",
                           lb, server);
        else if (step == STEP_SILENT && !down)
            (void)snprintf(text, ANSWER_TEXT_MAX, "%s shows %s not down", lb, server);
        else if (step == STEP_QUIET && ours && !down && seen->state != PEER_DRAINING)
            (void)snprintf(text, ANSWER_TEXT_MAX, "%s shows %s in use again; somebody else put it back", lb, server);
        if (text[0] != '\0')
            return;
        busy = active == 0 ? lb : busy;
        active += seen->active;
    }
    if (active > 0 && (step == STEP_QUIET || step == STEP_SILENT))
        (void)snprintf(text, ANSWER_TEXT_MAX, "%u request%s, the first of them at %s", active, active == 1 ? "" : "s",
                       busy);
}

/* I2: what is believed just before a job was read at most 1 s ago, at each load balancer. */
static bool too_old(const struct run *r, const struct plan *p, uint16_t node, struct answer *a)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint16_t lb = plan_peer_lb(p, pn->first_peer + i);

        if (run_lb(r, lb)->read_age_ms <= PACE_SNAPSHOT_MAX_MS)
            continue;
        (void)snprintf(a->text, sizeof a->text, "%s has not shown its peers within the last second", p->lbs[lb].name);
        return true;
    }
    return false;
}

static struct answer look_answer(const struct run *r, const struct plan *p, uint16_t node)
{
    struct answer a = peers_answer(r, p, node);

    if (run_node(r, node)->step == STEP_SILENT && too_old(r, p, node, &a))
        a.kind = ANS_TIMEOUT;
    if (step_row((enum step)run_node(r, node)->step)->ask == ASK_FLOOR &&
        !run_may_drain(r, p, node, a.text, sizeof a.text)) {
        a.kind = ANS_REFUSED;
        a.ours_out = pace_ours_out(r, p, node);
    }
    if (a.text[0] == '\0')
        tell_waiting(r, p, node, (enum step)run_node(r, node)->step, a.text);
    return a;
}

/* I2. An undo is also sent where a load balancer cannot be read that showed the node down when it could: what failed is
 * not made worse by waiting for it. */
static bool is_silent(const struct run *r, const struct plan *p, uint16_t node, bool failed, struct answer *a)
{
    struct answer seen = peers_answer(r, p, node);
    bool undo = step_row((enum step)run_node(r, node)->step)->ask == ASK_UNDO;
    bool all = undo || (seen.down == seen.seen && !failed && !seen.elsewhere && !too_old(r, p, node, a));

    if (all && seen.up == 0 && seen.drain == 0 && (seen.active == 0 || p->drain_proceed))
        return true;
    if (a->text[0] == '\0')
        tell_waiting(r, p, node, STEP_SILENT, a->text);
    return false;
}

/* An effect whose conditions were looked at some time before it is sent: again, or on the way back. */
static bool may_send(const struct run *r, const struct plan *p, uint16_t node, bool failed, struct answer *a)
{
    bool may = step_row((enum step)run_node(r, node)->step)->ask != ASK_DRAIN
                   ? is_silent(r, p, node, failed, a)
                   : !failed && run_may_drain(r, p, node, a->text, sizeof a->text);

    if (!may)
        a->kind = ANS_TIMEOUT;
    return may;
}

void look_tell_last(const struct run *r, const struct plan *p, uint16_t node, enum step step,
                    char text[ANSWER_TEXT_MAX])
{
    struct answer old = {0};

    if (step_row(step)->ask == ASK_PEERS && !too_old(r, p, node, &old))
        tell_waiting(r, p, node, step, text);
}

/* Answer all that wait and may see now; where the load balancer could not be read, tell them so. */
static void answer_looks(struct run *r, const struct plan *p, const struct input *failed, struct turn *t)
{
    uint32_t i = 0;

    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        struct run_extra *x = state_extra(r, id);
        uint32_t before = r->n_begun;
        struct answer a = {0};
        struct move m;

        if (x->looks && failed != NULL && node_at_lb(p, id, failed->lb)) {
            a.kind = ANS_TIMEOUT;
            memcpy(a.text, failed->answer.text, sizeof a.text);
        } else if (x->looks && failed == NULL && node_sees(r, p, id, x->look_turn)) {
            a = look_answer(r, p, id);
        } else {
            i++;
            continue;
        }
        x->looks = false;
        if (x->sends && may_send(r, p, id, failed != NULL, &a)) {
            *turn_action(t, ACT_ASK) = node_action(run_node(r, id), p);
            i++;
            continue;
        }
        m = node_answer(state_node(r, id), p, &a);
        state_move(r, p, id, &m, t);
        i += r->n_begun == before ? 1 : 0;
    }
}

void look_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_lb *lb = state_lb(r, in->lb);
    bool first = lb->read_age_ms == UINT32_MAX;

    lb->reading = false;
    if (in->answer.kind != ANS_OK) {
        answer_looks(r, p, in, t);
        return;
    }
    lb->read_turn = lb->began_turn;
    lb->read_age_ms = lb->began_ms;
    if (!first && lb->generation != in->generation)
        lease_doubt(r, p, in->lb);
    lb->generation = in->generation;
    lb->exact = in->active_exact;
    for (uint32_t i = 0; i < r->n_upstreams; i++)
        if (p->upstreams[i].lb == in->lb)
            *state_upstream(r, i) = in->upstreams[i];
    for (uint32_t i = 0; i < r->n_peers; i++)
        if (plan_peer_lb(p, i) == in->lb)
            *state_peer(r, i) = in->peers[i];
    drift_input(r, p, in->lb, t);
    gate_input(r, p, in->lb, t);
    answer_looks(r, p, NULL, t);
}

/* Does anybody wait for a newer list of this load balancer? */
static bool wanted(const struct run *r, const struct plan *p, uint32_t lb)
{
    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = run_begun(r)[i];
        const struct run_extra *x = run_extra(r, id);

        if (x->looks && run_lb(r, lb)->read_turn < x->look_turn && node_at_lb(p, id, lb))
            return true;
    }
    return false;
}

/* Until this load balancer is to be read; UINT32_MAX = not as things are. */
static uint32_t due_ms(const struct run *r, const struct plan *p, uint32_t lb)
{
    const struct run_lb *l = run_lb(r, lb);
    uint32_t every = p->wait_ms[WAIT_POLL];

    if (l->reading)
        return UINT32_MAX;
    if (!wanted(r, p, lb)) {
        if (!gate_watches(r, p, lb) && !drift_watches(r, p, lb))
            return UINT32_MAX;
        every = every > WATCH_MS ? every : WATCH_MS;
    }
    return l->began_ms < every ? every - l->began_ms : 0;
}

void look_drive(struct run *r, const struct plan *p, struct turn *t)
{
    if (p->kind == PLAN_REPAIR)
        answer_looks(r, p, NULL, t); /* a claim may name no peer: then there is no list to wait for */
    for (uint16_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        if (due_ms(r, p, i) > 0)
            continue;
        turn_action(t, ACT_READ_LB)->lb = i;
        lb->reading = true;
        lb->began_turn = r->turn;
        lb->began_ms = 0;
    }
}

uint32_t look_wait_ms(const struct run *r, const struct plan *p)
{
    uint32_t wait = UINT32_MAX;

    for (uint32_t i = 0; i < r->n_lbs; i++) {
        uint32_t due = due_ms(r, p, i);

        wait = due < wait ? due : wait;
    }
    return wait;
}
