/* run_look.c - what the load balancers show, read once for all nodes that wait to see it. */
#include <stdio.h>
#include <string.h>

#include "judge_resume.h"
#include "pace.h"
#include "run_state.h"

#define PAUSE_LEAST_MS   10   /* however short a plan's pause is */
#define FRESH_TIMES      20   /* a list of thousands of servers, which takes long, is believed for longer ... */
#define LAST_LOOK_MAX_MS 2000 /* for people: one that was held for a second, and its way */
#define FRESH_MAX_MS     900  /* ... but never beyond I1's second, with the time that a request takes */
#define WATCH_MS         1000 /* how often a load balancer is read that nobody waits for */

void look_time(struct run *r, uint32_t elapsed_ms)
{
    for (uint32_t i = 0; i < r->n_lbs; i++) {
        struct run_lb *lb = state_lb(r, i);

        lb->began_ms = ms_later(lb->began_ms, elapsed_ms);
        lb->read_age_ms = ms_later(lb->read_age_ms, elapsed_ms);
    }
    for (uint32_t i = 0; i < r->n_begun; i++) {
        struct run_extra *x = state_extra(r, state_begun(r)[i]);

        x->look_ms = ms_later(x->look_ms, elapsed_ms);
    }
}

void look_begin(struct run *r, uint16_t node)
{
    struct run_extra *x = state_extra(r, node);

    x->looks = true;
    x->needs_list = false;
    x->look_turn = r->turn;
    x->look_asked = x->look_seen = 0;
}

void look_end(struct run *r, uint16_t node)
{
    struct run_extra *x = state_extra(r, node);

    x->looks = false;
    x->look_ms = UINT32_MAX;
}

uint32_t look_pause_ms(const struct run *r, const struct plan *p, uint16_t node)
{
    const struct node *n = run_node(r, node);

    return p->wait_ms[look_first(n, false) ? WAIT_POLL : step_row((enum step)n->step)->every];
}

/* So long a list is good enough to choose by; what is then done to a node is preceded by a look at that one. */
static uint32_t fresh_ms(const struct plan *p, const struct run_lb *lb)
{
    uint32_t poll = p->wait_ms[WAIT_POLL], slow = lb->took_ms < FRESH_MAX_MS ? lb->took_ms * FRESH_TIMES : FRESH_MAX_MS;

    slow = slow < FRESH_MAX_MS ? slow : FRESH_MAX_MS;
    return poll > slow ? poll : slow;
}

/* A look at one server does not tell in which other upstreams it stands by now: before a job that is known as of late.
 */
static bool lists_enough(const struct run *r, uint32_t node, const struct run_lb *lb)
{
    return run_node(r, node)->step != STEP_SILENT || lb->read_age_ms <= 2 * WATCH_MS + lb->took_ms;
}

/* Was its i-th peer shown after it asked? The first look of a node (LOOK) may be at a list of just before: FLOOR looks
 * again at what counts. */
static bool peer_seen(const struct run *r, const struct plan *p, uint32_t node, uint32_t i)
{
    const struct run_extra *x = run_extra(r, node);
    uint32_t peer = p->nodes[node].first_peer + i;
    const struct run_lb *lb = run_lb(r, plan_peer_lb(p, peer));

    return ((x->look_seen >> i & 1) != 0 && lists_enough(r, node, lb)) || lb->read_turn >= x->look_turn ||
           (run_node(r, node)->step == STEP_LOOK && single_may(r, p, peer) && lb->read_age_ms <= fresh_ms(p, lb));
}

static bool node_sees(const struct run *r, const struct plan *p, uint32_t node)
{
    for (uint32_t i = 0; i < p->nodes[node].n_peers; i++)
        if (!peer_seen(r, p, node, i))
            return false;
    return true;
}

/* Its peers there are looked at one by one, and no list is waited for. */
static bool waits_alone(const struct run *r, const struct plan *p, uint32_t node, uint32_t lb)
{
    const struct plan_node *pn = &p->nodes[node];
    const struct run_extra *x = run_extra(r, node);

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (plan_peer_lb(p, pn->first_peer + i) == lb && !peer_seen(r, p, node, i) && (x->look_asked >> i & 1) == 0)
            return false;
    return !x->needs_list;
}

/* Whether all its load balancers' lists were read after it asked. */
static bool node_sees_lists(const struct run *r, const struct plan *p, uint32_t node)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++)
        if (run_lb(r, plan_peer_lb(p, pn->first_peer + i))->read_turn < run_extra(r, node)->look_turn)
            return false;
    return true;
}

/* A list that is no more the youngest is read anew before somebody has to wait for it. */
static void refresh(struct run *r, const struct plan *p, uint32_t node)
{
    const struct plan_node *pn = &p->nodes[node];

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        struct run_lb *lb = state_lb(r, plan_peer_lb(p, pn->first_peer + i));

        lb->stale = lb->stale || lb->read_age_ms >= fresh_ms(p, lb) / 2;
    }
}

static void peers_answer(const struct run *r, const struct plan *p, uint32_t node, struct answer *a)
{
    const struct plan_node *pn = &p->nodes[node];

    memset(a, 0, offsetof(struct answer, text) + 1);
    a->kind = ANS_OK;
    a->generation = 2166136261u;
    a->one_by_one = true;
    for (uint32_t i = 0; i < pn->n_peers; i++) {
        const struct seen_peer *seen = run_peer(r, pn->first_peer + i);
        const struct run_lb *lb = run_lb(r, plan_peer_lb(p, pn->first_peer + i));
        uint64_t bit = UINT64_C(1) << i;

        a->seen |= seen->state != PEER_UNKNOWN ? bit : 0;
        a->elsewhere = a->elsewhere || seen->elsewhere != ELSEWHERE_NOT;
        a->up |= seen->state == PEER_UP ? bit : 0;
        a->down |= seen->state == PEER_DOWN ? bit : 0;
        a->drain |= seen->state == PEER_DRAINING ? bit : 0;
        a->active += seen->active;
        a->one_by_one = a->one_by_one && (run_extra(r, node)->look_seen >> i & 1) != 0;
        if (!lb->exact)
            a->generation = (a->generation ^ (uint32_t)(lb->generation ^ lb->generation >> 32)) * 16777619u;
    }
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
        else if (seen->elsewhere == ELSEWHERE_ADDRESS)
            (void)snprintf(
                text, ANSWER_TEXT_MAX,
                "%s lists another address of its service, beside %s, since the rollout began; run it again to "
                "take it out there",
                lb, server);
        else if (seen->elsewhere == ELSEWHERE_SERVER)
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
    const struct run_extra *x = run_extra(r, node);

    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint16_t lb = plan_peer_lb(p, pn->first_peer + i);
        uint32_t age_ms = (x->look_seen >> i & 1) != 0 ? x->look_ms : run_lb(r, lb)->read_age_ms;

        if (age_ms <= PACE_SNAPSHOT_MAX_MS)
            continue;
        (void)snprintf(a->text, sizeof a->text, "%s has not shown its peers within the last second", p->lbs[lb].name);
        return true;
    }
    return false;
}

static void look_answer(const struct run *r, const struct plan *p, uint16_t node, struct answer *a)
{
    peers_answer(r, p, node, a);
    if (run_node(r, node)->step == STEP_SILENT && too_old(r, p, node, a))
        a->kind = ANS_TIMEOUT;
    if (step_row((enum step)run_node(r, node)->step)->ask == ASK_FLOOR &&
        !run_may_drain(r, p, node, a->text, node_sees_lists(r, p, node) ? sizeof a->text : 0)) {
        a->kind = ANS_REFUSED;
        a->ours_out = pace_ours_out(r, p, node);
    } else if (run_node(r, node)->step == STEP_FLOOR && !lock_lets_begin(r, p, node, a->text)) {
        a->kind = ANS_TIMEOUT;
    }
    if (a->text[0] == '\0')
        tell_waiting(r, p, node, (enum step)run_node(r, node)->step, a->text);
}

void look_tell_last(const struct run *r, const struct plan *p, uint16_t node, enum step step,
                    char text[ANSWER_TEXT_MAX])
{
    struct answer old = {0};

    if (step_row(step)->ask == ASK_PEERS &&
        (run_extra(r, node)->look_ms <= LAST_LOOK_MAX_MS || !too_old(r, p, node, &old)))
        tell_waiting(r, p, node, step, text);
}

bool look_first(const struct node *n, bool moved)
{
    return n->step == STEP_UNDO || (!moved && (n->step == STEP_DRAIN || n->step == STEP_JOB));
}

/* I1 and I2 for an effect that waited for a fresh list: whether it may leave now. */
static bool may_leave(struct run *r, const struct plan *p, uint16_t node, struct answer *a)
{
    struct node *n = state_node(r, node);

    peers_answer(r, p, node, a);
    a->kind = ANS_TIMEOUT; /* not yet: asked again */
    if (n->stopping)
        return false;
    if (n->step == STEP_DRAIN) {
        node_leave_be(n, a->down); /* we have only asked for a drain so far */
        return lock_lets_begin(r, p, node, a->text) && run_may_drain(r, p, node, a->text, sizeof a->text);
    }
    if (p->nodes[node].in_place)
        return true; /* never taken out: the exception to I2 that was asked for */
    if (too_old(r, p, node, a))
        return false;
    tell_waiting(r, p, node, STEP_SILENT, a->text);
    return !a->elsewhere && a->down == all_peers(n, p) && (a->active == 0 || p->drain_proceed);
}

/* The answer for a node that waits, if there is one now. */
static bool look_ready(struct run *r, const struct plan *p, uint16_t id, const struct input *failed, struct answer *a)
{
    struct run_extra *x = state_extra(r, id);

    if (failed != NULL) {
        if (failed->kind == IN_LOOK ? id != failed->node
                                    : !node_at_lb(p, id, failed->lb) || waits_alone(r, p, id, failed->lb))
            return false;
        memset(a, 0, offsetof(struct answer, text));
        a->kind = ANS_TIMEOUT;
        memcpy(a->text, failed->answer.text, sizeof a->text);
        return true;
    }
    if (!node_sees(r, p, id))
        return false;
    if (look_first(run_node(r, id), false))
        return true;
    look_answer(r, p, id, a);
    if (x->look_asked != 0 && a->active > 0 && single_holds(r, id))
        return false; /* a list says so, and the load balancer tells when that changes: no pause behind the list */
    if (a->kind == ANS_REFUSED && !node_sees_lists(r, p, id)) {
        x->needs_list = true;
        return false;
    }
    if (run_node(r, id)->step == STEP_LOOK || run_node(r, id)->step == STEP_FLOOR)
        refresh(r, p, id);
    return true;
}

/* Answer all that wait and may see now; where the load balancer could not be read, tell them so. */
void look_answer_ready(struct run *r, const struct plan *p, const struct input *failed, struct turn *t)
{
    uint32_t i = 0;

    while (i < r->n_begun) {
        uint16_t id = state_begun(r)[i];
        uint32_t before = r->n_begun;
        bool effect = look_first(run_node(r, id), false);
        struct answer a;
        struct move m;

        if (!run_extra(r, id)->looks || !look_ready(r, p, id, failed, &a)) {
            i++;
            continue;
        }
        state_extra(r, id)->looks = false;
        if (failed == NULL && effect && may_leave(r, p, id, &a)) {
            struct action act = node_action(run_node(r, id), p);

            (void)lock_lets(r, p, &act, &a); /* may_leave has asked */
            turn_ask(t, &act);
            continue;
        }
        m = node_answer(state_node(r, id), p, &a);
        state_move(r, p, id, &m, t);
        i += r->n_begun == before ? 1 : 0;
    }
}

/* A list that was begun before its node asked says nothing newer than the look at this one server did; nor one that was
 * begun before it was certain that the node is out, or back. */
static bool seen_since(const struct run *r, const struct plan *p, uint32_t peer, const struct run_lb *lb)
{
    uint16_t node = p->peers[peer].node;
    const struct run_extra *x = run_extra(r, node);

    return lb->began_turn < x->out_turn ||
           (x->looks && lb->began_turn < x->look_turn && (x->look_seen >> (peer - p->nodes[node].first_peer) & 1) != 0);
}

void look_recount(struct seen_upstream *u, const struct seen_peer *then, const struct seen_peer *now)
{
    if (u->there && seen_up(now) != seen_up(then))
        u->up += seen_up(now) ? 1u : UINT32_MAX;
}

static void take_peer(struct run *r, const struct plan *p, uint32_t peer, const struct seen_peer *listed, bool keep)
{
    struct seen_peer *seen = state_peer(r, peer), looked = *seen;

    *seen = *listed;
    if (keep) {
        seen->state = looked.state;
        seen->active = looked.active;
        seen->exact = looked.exact;
        look_recount(state_upstream(r, p->peers[peer].upstream), listed, seen); /* I1: else up, and nobody's */
    }
}

void look_input(struct run *r, const struct plan *p, const struct input *in, struct turn *t)
{
    struct run_lb *lb = state_lb(r, in->lb);
    bool first = lb->read_age_ms == UINT32_MAX;

    lb->reading = false;
    if (in->answer.kind != ANS_OK) {
        look_answer_ready(r, p, in, t);
        return;
    }
    lb->read_turn = lb->began_turn;
    lb->read_age_ms = lb->took_ms = lb->began_ms;
    lb->stale = false;
    lb->one_by_one = in->one_by_one;
    if (!first && lb->generation != in->generation)
        lease_doubt(r, p, in->lb);
    lb->generation = in->generation;
    lb->exact = in->active_exact;
    for (uint32_t i = 0; i < r->n_upstreams; i++)
        if (p->upstreams[i].lb == in->lb)
            *state_upstream(r, i) = in->upstreams[i];
    for (uint32_t i = 0; i < r->n_peers; i++)
        if (plan_peer_lb(p, i) == in->lb)
            take_peer(r, p, i, &in->peers[i], seen_since(r, p, i, lb));
    drift_input(r, p, in->lb, t);
    gate_input(r, p, in->lb, t);
    look_answer_ready(r, p, NULL, t);
}

/* The pause after which a list is begun again for those who wait for one; UINT32_MAX = nobody does. A list that takes
 * long is not read all the time. */
static uint32_t pause_ms(const struct run *r, const struct plan *p, uint32_t lb)
{
    const struct run_lb *l = run_lb(r, lb);
    uint32_t pause = l->stale && r->phase == RUN_ROLLING ? 0 : UINT32_MAX, least = l->took_ms, every;

    for (uint32_t i = 0; i < r->n_begun; i++) {
        uint16_t id = run_begun(r)[i];
        const struct run_extra *x = run_extra(r, id);

        if (!x->looks || l->read_turn >= x->look_turn || !node_at_lb(p, id, lb) || waits_alone(r, p, id, lb))
            continue;
        every = look_pause_ms(r, p, id);
        pause = every < pause ? every : pause;
    }
    least = least < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : least < FRESH_MAX_MS / 2 ? least : FRESH_MAX_MS / 2;
    return pause > least ? pause : least;
}

/* Until this load balancer is to be read; UINT32_MAX = not as things are. */
static uint32_t due_ms(const struct run *r, const struct plan *p, uint32_t lb)
{
    const struct run_lb *l = run_lb(r, lb);
    uint32_t pause = l->reading ? UINT32_MAX : pause_ms(r, p, lb);

    if (l->reading)
        return UINT32_MAX;
    if (pause == UINT32_MAX && (gate_watches(r, p, lb) || drift_watches(r, p, lb)))
        pause = p->wait_ms[WAIT_POLL] > WATCH_MS ? p->wait_ms[WAIT_POLL] : WATCH_MS;
    if (pause == UINT32_MAX)
        return UINT32_MAX;
    return l->began_ms < pause ? pause - l->began_ms : 0;
}

void look_drive(struct run *r, const struct plan *p, struct turn *t)
{
    look_answer_ready(r, p, NULL, t); /* who asked just now for what is known, or may be let go on by what others did */
    single_drive(r, p, t);
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
    uint32_t wait = single_wait_ms(r, p);

    for (uint32_t i = 0; i < r->n_lbs; i++) {
        uint32_t due = due_ms(r, p, i);

        wait = due < wait ? due : wait;
    }
    return wait;
}
