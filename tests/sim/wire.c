/* wire.c - the second implementation of struct world: a controller's way to the truth and back. A request arrives some
 * time after it was sent, its answer comes some time later; the story's faults befall either way. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define AGENT_POLL_MS 25000 /* the longest that an agent lets a long poll wait */

/* ---- the plan's indexes and the truth's */

static uint8_t last_number(const char *name)
{
    return (uint8_t)(strtoul(name + strcspn(name, "0123456789"), NULL, 10) - 1);
}

/* "n2", or "n2/jobs" */
static uint8_t node_number(const struct story *s, const char *name)
{
    const char *service = strchr(name, '/');

    return (uint8_t)(s->two_services ? last_number(name) * 2 + (service[1] == 'j') : last_number(name));
}

static size_t seat_collect(struct world *, uint32_t, struct input *, size_t, uint32_t *);
static void seat_send(struct world *, const struct action *);
static void seat_close(struct world *world)
{
    (void)world;
}

void wire_open(struct sim_seat *seat)
{
    static const struct world_ops ops = {seat_send, seat_collect, seat_close};
    const struct plan *p = seat->plan;
    const struct sim *s = seat->sim;

    seat->world.ops = &ops;
    seat->collected_ms = seat->began_ms = s->truth.now_ms;
    seat->first_ready = seat->last_ready = SIM_CALLS;
    for (uint32_t i = 0; i < p->n_lbs; i++)
        seat->lb_of[i] = last_number(p->lbs[i].name);
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        seat->upstream_of[i] = (uint8_t)(seat->lb_of[p->upstreams[i].lb] * s->story->upstreams_per_lb +
                                         (p->upstreams[i].name[0] == 'a' ? 0 : 1));
    for (uint32_t i = 0; i < p->n_peers; i++)
        seat->peer_of[i] = scan_peer(s, seat->upstream_of[p->peers[i].upstream], p->peers[i].server);
    for (uint32_t i = 0; i < p->n_nodes; i++)
        seat->node_of[i] = node_number(s->story, p->nodes[i].name);
    for (uint32_t i = 0; i < p->n_voters; i++)
        seat->voter_of[i] =
            (uint8_t)(s->story->two_services ? last_number(p->voters[i].host) * 2 + (p->voters[i].service[0] == 'j')
                                             : last_number(p->voters[i].host));
}

/* ---- words for the trace */

static int64_t name_of(const struct action *a)
{
    return a->kind == ACT_ASK ? (int64_t)a->ask : (int64_t)a->kind << 8;
}

/* The agent that it goes to. */
static uint8_t agent_of(const struct sim_seat *seat, const struct action *a)
{
    return a->kind == ACT_LOCK ? seat->voter_of[a->voter] : seat->node_of[a->node];
}

static int64_t place_of(const struct sim_seat *seat, const struct action *a)
{
    return a->kind == ACT_READ_LB ? seat->lb_of[a->lb]
           : a->kind == ACT_LEASE ? seat->upstream_of[a->upstream]
                                  : agent_of(seat, a);
}

/* ---- sending */

static bool at_lbs(const struct action *a)
{
    if (a->kind == ACT_LOOK || a->kind == ACT_HOLD)
        return true;
    return a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK);
}

static bool is_effect(const struct action *a)
{
    if (a->kind != ACT_ASK)
        return a->kind != ACT_READ_LB && a->kind != ACT_LOOK && a->kind != ACT_STANDS &&
               !(a->kind == ACT_WISH && a->expect == 0);
    return a->ask != ASK_STATUS && a->ask != ASK_JOB_END && a->ask != ASK_HEALTH;
}

static uint32_t poll_ms(const struct plan *p)
{
    return p->wait_ms[WAIT_JOB] < AGENT_POLL_MS ? p->wait_ms[WAIT_JOB] : AGENT_POLL_MS;
}

/* When the controller gives up. */
static uint32_t limit_ms(const struct plan *p, const struct action *a)
{
    uint32_t request_ms = p->wait_ms[WAIT_CHANGE] / 3;

    if (a->kind == ACT_LOOK)
        return request_ms + a->hold_s * 1000;
    if (a->kind == ACT_ASK && a->ask == ASK_JOB_END)
        return poll_ms(p) + request_ms;
    return a->kind == ACT_ASK && a->ask == ASK_STAGE ? p->wait_ms[WAIT_STAGE] : request_ms;
}

/* The node's peers of the action's mask, as the truth has them. */
static uint32_t peers_of(const struct sim_seat *seat, const struct action *a, uint8_t peers[SIM_NODE_PEERS])
{
    const struct plan_node *n = &seat->plan->nodes[a->node];
    uint32_t count = 0;

    for (uint32_t i = 0; i < n->n_peers; i++)
        if (a->mask >> i & 1)
            peers[count++] = seat->peer_of[n->first_peer + i];
    return count;
}

static bool is_muted(const struct sim *s, uint32_t fault)
{
    return fault >= s->story->faults_until || (fault < 64 && s->story->muted >> fault & 1);
}

static enum sim_fault draw_fault(struct sim *s, const struct action *a)
{
    uint8_t target = s->story->call_target;
    uint32_t fault;

    if (s->calm || !s->faulty || s->story->call_fault_in == 0 ||
        (target != 0 && target != story_target(a->kind, a->ask)) || !dice_one_in(&s->dice, s->story->call_fault_in))
        return SIM_FAULT_NONE;
    fault = dice_below(&s->dice, SIM_CALL_FAULTS);
    while ((s->story->call_faults >> fault & 1) == 0)
        fault = (fault + 1) % SIM_CALL_FAULTS;
    return is_muted(s, s->n_call_faults++) ? SIM_FAULT_NONE : (enum sim_fault)fault;
}

static bool patches(const struct action *a)
{
    return at_lbs(a) && a->kind != ACT_LOOK;
}

static enum sim_gate gate_of(const struct action *a, uint32_t bit)
{
    if (a->kind == ACT_ASK && a->ask == ASK_BACK)
        return a->prior_mask >> bit & 1 ? SIM_DRAIN : SIM_OPEN;
    return a->kind == ACT_ASK && a->ask == ASK_DRAIN ? SIM_DRAIN : SIM_DOWN;
}

/* Its sender hears nothing of it, and will be dead when it arrives; else the connection ends with it. */
static bool gets_stuck(struct sim *s, uint8_t index, const struct sim_part *part)
{
    const struct sim_call *c = &s->calls[index];
    const struct sim_seat *seat = &s->seats[c->seat];
    const struct plan_node *n = &seat->plan->nodes[c->action.node];

    if (s->story->stuck_in == 0 || s->calm || !patches(&c->action) || part->lb == SIM_LBS ||
        !s->truth.lbs[part->lb].plus || !dice_one_in(&s->dice, s->story->stuck_in))
        return false;
    for (uint32_t i = 0; i < n->n_peers && s->n_stuck < SIM_STUCKS; i++) {
        uint8_t peer = seat->peer_of[n->first_peer + i];

        if ((c->action.mask >> i & 1) == 0 || s->truth.upstreams[s->truth.peers[peer].upstream].lb != part->lb)
            continue;
        s->stuck[s->n_stuck] = (struct sim_stuck){.turn_ms = c->turn_ms,
                                                  .who = c->who,
                                                  .seat = c->seat,
                                                  .peer = peer,
                                                  .gate = (uint8_t)gate_of(&c->action, i),
                                                  .given_up_ms = c->sent_ms + limit_ms(seat->plan, &c->action),
                                                  .back = c->action.ask == ASK_BACK};
        sim_due(s, s->truth.now_ms + dice_in(&s->dice, 100, 2 * s->story->ttl_ms), DUE_STUCK, (uint8_t)s->n_stuck++, 0);
    }
    return true;
}

static void launch(struct sim *s, uint8_t index, uint32_t part)
{
    struct sim_call *c = &s->calls[index];
    struct sim_part *p = &c->parts[part];
    const struct plan *plan = s->seats[c->seat].plan;
    int64_t now = s->truth.now_ms, way = dice_in(&s->dice, 1, s->story->way_ms);

    p->fault = (uint8_t)(gets_stuck(s, index, p) ? SIM_HUNG_REQUEST : draw_fault(s, &c->action));
    p->reply = ANS_OK;
    if (p->fault != SIM_FAULT_NONE) {
        sim_fired(s, (enum sim_fault)p->fault);
        sim_note(s, TRACE_FAULT, p->fault, 0, 0, 0);
    }
    switch (p->fault) {
    case SIM_REFUSED_CONNECTION:
        p->reply = ANS_TIMEOUT;
        sim_due(s, now + way, DUE_BACK, index, part);
        return;
    case SIM_LOST_REQUEST:
        p->reply = ANS_LOST;
        sim_due(s, now + way, DUE_BACK, index, part);
        return;
    case SIM_HUNG_REQUEST:
        p->reply = is_effect(&c->action) ? ANS_LOST : ANS_TIMEOUT;
        sim_due(s, now + limit_ms(plan, &c->action), DUE_BACK, index, part);
        return;
    case SIM_LATE:
        way += dice_below(&s->dice, plan->wait_ms[WAIT_CHANGE] / 6);
        break;
    default:
        break;
    }
    sim_due(s, now + way, DUE_ARRIVE, index, part);
}

/* As world_lb.c: what was decided too long ago stays here. */
static bool too_late(const struct sim_seat *seat, const struct action *a)
{
    return seat->sim->truth.now_ms > seat->collected_ms + a->within_ms;
}

static void not_sent(struct sim *s, uint8_t index, uint32_t part)
{
    s->judge.facts[FACT_PLUS_LATE]++;
    s->calls[index].parts[part].fault = SIM_FAULT_NONE;
    s->calls[index].parts[part].reply = ANS_TIMEOUT;
    sim_due(s, s->truth.now_ms, DUE_BACK, index, part);
}

static uint8_t free_call(const struct sim *s)
{
    uint8_t i = 0;

    while (s->calls[i].used)
        i++;
    assert(i < SIM_CALLS);
    return i;
}

/* I5: an intent is durable before its request leaves. Without a journal only what brings a node back may leave. */
static void check_durable(struct sim_seat *seat, const struct action *a)
{
    bool back = a->ask == ASK_BACK || a->ask == ASK_UNCLAIM || a->ask == ASK_UNDO ||
                (a->ask == ASK_CLAIM && seat->view->nodes[a->node].state.step == STEP_RECLAIM);
    bool full = seat->process->full_at > 0 && seat->appends >= seat->process->full_at;
    bool none = a->ask == ASK_STAGE && !seat->plan->has_release; /* nothing to send */

    if (a->kind == ACT_ASK && a->ask == ASK_HOOK && full) /* to go back at all it has to run */
        back = seat->view->nodes[a->node].state.step != STEP_BEFORE;
    if (a->kind == ACT_ASK && is_effect(a) && !back && !none && seat->durable[a->node] != (uint8_t)a->ask)
        judge_breach(&seat->sim->judge, "I5", "seat %u sends an effect that its journal knows nothing of", seat->index);
}

static void tell_judge(struct sim_seat *seat, const struct action *a)
{
    struct sim *s = seat->sim;
    uint8_t peers[SIM_NODE_PEERS];

    if (a->kind == ACT_ASK)
        judge_asked(&s->judge, seat->index, seat->node_of[a->node]);
    if (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || (a->ask == ASK_JOB && seat->plan->nodes[a->node].in_place)))
        judge_begins(&s->judge, &s->truth, &seat->who, seat->node_of[a->node], a->reverse);
    if (a->kind == ACT_ASK && a->ask == ASK_DRAIN)
        judge_drain_sent(&s->judge, &s->truth, seat->index, &seat->who, seat->node_of[a->node], peers,
                         peers_of(seat, a, peers), seat->collected_ms);
    else if (a->kind == ACT_ASK && a->ask == ASK_BACK && a->mask != 0)
        judge_back_sent(&s->judge, &s->truth, seat->index, seat->node_of[a->node]);
}

static void seat_send(struct world *world, const struct action *a)
{
    struct sim_seat *seat = (struct sim_seat *)(void *)world;
    struct sim *s = seat->sim;
    uint8_t index, peers[SIM_NODE_PEERS];
    struct sim_call *c;

    seat_point(seat, SIM_CRASH_BETWEEN_STARTS);
    index = free_call(s);
    c = &s->calls[index];
    check_durable(seat, a);
    if (hook_send(seat, a, index))
        return;
    hook_watch(seat, a);
    sim_note(s, TRACE_SENT, seat->index, name_of(a), place_of(seat, a), (int64_t)a->mask);
    sim_sent(s, story_target(a->kind, a->ask),
             a->kind == ACT_READ_LB || a->kind == ACT_LEASE ? SIM_NOBODY : agent_of(seat, a));
    tell_judge(seat, a);
    c->used = true;
    c->ready = false;
    c->seat = seat->index;
    c->sent_ms = s->truth.now_ms;
    c->turn_ms = seat->collected_ms;
    c->action = *a;
    c->who = seat->who;
    memset(&c->told, 0, sizeof c->told);
    c->n_parts = 0;
    if (at_lbs(a)) {
        uint32_t n = peers_of(seat, a, peers);
        uint8_t lbs = 0;

        for (uint32_t i = 0; i < n; i++)
            lbs |= (uint8_t)(1u << s->truth.upstreams[s->truth.peers[peers[i]].upstream].lb);
        for (uint8_t lb = 0; lb < SIM_LBS; lb++)
            if (lbs >> lb & 1)
                c->parts[c->n_parts++] = (struct sim_part){.lb = lb, .poll_until_ms = -1};
    } else {
        c->parts[c->n_parts++] =
            (struct sim_part){.lb = a->kind == ACT_READ_LB ? seat->lb_of[a->lb] : 0, .poll_until_ms = -1};
    }
    if (c->n_parts == 0) /* no peers: nothing to do is done at once */
        c->parts[c->n_parts++] = (struct sim_part){.lb = SIM_LBS};
    c->n_open = c->n_parts;
    if (a->within_ms > 0 && too_late(seat, a)) {
        for (uint32_t i = 0; i < c->n_parts; i++)
            not_sent(s, index, i);
        return;
    }
    if (patches(a))
        judge_patch_sent(&s->judge, &s->truth, &seat->who, peers, peers_of(seat, a, peers));
    for (uint32_t i = 0; i < c->n_parts; i++)
        launch(s, index, i);
}

/* ---- at its goal */

static enum answer_kind kind_of(enum sim_reply reply)
{
    static const enum answer_kind kinds[] = {ANS_OK, ANS_REFUSED, ANS_FENCED, ANS_TIMEOUT};

    return kinds[reply];
}

static enum answer_kind worse(enum answer_kind a, enum answer_kind b)
{
    static const int badness[] = {
        [ANS_OK] = 0, [ANS_TIMEOUT] = 1, [ANS_LOST] = 2, [ANS_BAD] = 3, [ANS_REFUSED] = 4, [ANS_FENCED] = 5};

    return badness[b] > badness[a] ? b : a;
}

static void change_gate(struct sim *s, const struct sim_who *who, uint8_t peer, enum sim_gate to, bool back, bool stuck,
                        int64_t turn_ms)
{
    uint32_t hold_ms = dice_below(&s->dice, s->story->hold_ms + 1);

    judge_gate(&s->judge, &s->truth, who, peer, to, back, stuck, turn_ms);
    if (s->truth.peers[peer].gate == SIM_OPEN && to != SIM_OPEN) {
        if (hold_ms > s->story->drain_ms)
            sim_fired(s, SIM_DRAIN_LONG);
        if (to == SIM_DRAIN && !s->calm && s->story->sticky_in > 0 && dice_one_in(&s->dice, s->story->sticky_in))
            sim_due(s, s->truth.now_ms + dice_below(&s->dice, 2500), DUE_STICKY, peer, 0);
    }
    sim_gate_set(&s->truth, peer, to, hold_ms);
}

void wire_stuck(struct sim *s, uint8_t stuck)
{
    const struct sim_stuck *k = &s->stuck[stuck];

    if (s->seats[k->seat].state != SEAT_DEAD || s->seats[k->seat].over_ms > k->given_up_ms || s->calm)
        return;
    sim_fired(s, SIM_STUCK);
    sim_note(s, TRACE_EVENT, SIM_STUCK, k->peer, 0, 0);
    change_gate(s, &k->who, k->peer, (enum sim_gate)k->gate, k->back, true, k->turn_ms);
}

static void patch(struct sim *s, const struct sim_call *c, struct sim_part *part)
{
    const struct sim_seat *seat = &s->seats[c->seat];
    const struct plan_node *n = &seat->plan->nodes[c->action.node];

    for (uint32_t i = 0; i < n->n_peers; i++) {
        uint8_t peer = seat->peer_of[n->first_peer + i], upstream = s->truth.peers[peer].upstream;
        enum sim_reply reply;

        if ((c->action.mask >> i & 1) == 0 || s->truth.upstreams[upstream].lb != part->lb)
            continue;
        reply = sim_lease(&s->truth, upstream, &c->who, seat->plan->lease_ttl_ms);
        if (reply == SIM_OK) {
            change_gate(s, &c->who, peer, gate_of(&c->action, i), c->action.ask == ASK_BACK, false, c->turn_ms);
            part->ok_mask |= UINT64_C(1) << i;
        }
        part->reply = (uint8_t)worse((enum answer_kind)part->reply, kind_of(reply));
    }
}

static enum peer_state state_of(const struct sim_peer *p)
{
    return p->gate == SIM_DOWN ? PEER_DOWN : p->gate == SIM_DRAIN ? PEER_DRAINING : p->failing ? PEER_UNAVAIL : PEER_UP;
}

/* What nginx has counted; it only rises. Release B may serve badly, or there is no traffic to judge by. */
static void count_served(const struct sim *s, uint8_t peer, struct seen_peer *seen)
{
    const struct sim_ident *now = &s->truth.agents[s->truth.peers[peer].node].now;
    uint32_t n = (uint32_t)(s->truth.now_ms / 5) * s->story->traffic;

    seen->own = (struct served){.time_ms = n * 10u, .timed = n, .answers = n};
    seen->others = (struct served){.time_ms = n * 20u, .timed = n * 2, .answers = n * 2};
    if (now->exe == 'B' && s->story->serves_badly)
        seen->own.errors = now->pid * 100000 + n / 4;
}

static bool is_planned(const struct sim_seat *seat, uint8_t peer)
{
    for (uint32_t i = 0; i < seat->plan->n_peers; i++)
        if (seat->peer_of[i] == peer)
            return true;
    return false;
}

/* As lb_view.c: servers of its nodes that the plan does not have. */
static void look_elsewhere(struct sim_seat *seat, uint16_t at, uint8_t lb)
{
    const struct sim_truth *t = &seat->sim->truth;

    for (uint8_t k = 0; k < t->n_peers; k++) {
        const struct sim_peer *p = &t->peers[k];

        if (p->node == SIM_NOBODY || p->gate == SIM_DOWN || t->upstreams[p->upstream].lb != lb || is_planned(seat, k))
            continue;
        for (uint32_t i = 0; i < seat->plan->n_peers; i++) {
            const struct sim_peer *own = &t->peers[seat->peer_of[i]];

            if (plan_peer_lb(seat->plan, i) == at && own->node == p->node)
                seat->seen[at].peers[i].elsewhere = own->port == p->port ? ELSEWHERE_SERVER : ELSEWHERE_ADDRESS;
        }
    }
}

static void read_lb(struct sim *s, struct sim_call *c, struct sim_part *part)
{
    struct sim_seat *seat = &s->seats[c->seat];
    const struct sim_truth *t = &s->truth;
    const struct plan *p = seat->plan;
    struct seen_upstream *seen[SIM_UPSTREAMS] = {NULL}; /* by the truth's upstream: the plan's at this load balancer */
    uint16_t at = c->action.lb;

    if (sim_lb_dead(t, part->lb)) {
        part->reply = ANS_TIMEOUT;
        return;
    }
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        if (p->upstreams[i].lb == at) {
            seen[seat->upstream_of[i]] = &seat->seen[at].upstreams[i];
            *seen[seat->upstream_of[i]] = (struct seen_upstream){.there = true};
        }
    for (uint8_t i = 0; i < t->n_peers; i++) {
        struct seen_upstream *u = seen[t->peers[i].upstream];

        if (u == NULL || t->peers[i].backup)
            continue;
        u->configured++;
        u->up += sim_peer_up(t, i) ? 1 : 0;
    }
    for (uint32_t i = 0; i < p->n_peers; i++) {
        const struct sim_peer *peer = &t->peers[seat->peer_of[i]];

        if (plan_peer_lb(p, i) != at)
            continue;
        seat->seen[at].peers[i] = (struct seen_peer){.state = (uint8_t)state_of(peer),
                                                     .backup = peer->backup,
                                                     .active = sim_peer_shows(t, seat->peer_of[i]) ? 1 : 0};
        if (plan_gates(p))
            count_served(s, seat->peer_of[i], &seat->seen[at].peers[i]);
    }
    if (s->story->grows)
        look_elsewhere(seat, at, part->lb);
    seat->seen[at].generation = t->lbs[part->lb].generation;
    seat->seen[at].exact = t->lbs[part->lb].exact;
}

/* One server after another; held until all are quiet. False: it is held on. */
static bool look(struct sim *s, uint8_t index, uint32_t n)
{
    struct sim_call *c = &s->calls[index];
    struct sim_part *part = &c->parts[n];
    const struct sim_seat *seat = &s->seats[c->seat];
    const struct sim_truth *t = &s->truth;
    const struct plan_node *pn = &seat->plan->nodes[c->action.node];
    int64_t until_ms = t->now_ms;

    if (sim_lb_dead(t, part->lb)) {
        part->reply = ANS_TIMEOUT;
        return true;
    }
    if (part->poll_until_ms < 0)
        part->poll_until_ms = t->now_ms + c->action.hold_s * 1000;
    for (uint32_t i = 0; i < pn->n_peers; i++) {
        uint8_t at = seat->peer_of[pn->first_peer + i];
        const struct sim_peer *peer = &t->peers[at];

        if ((c->action.mask >> i & 1) == 0 || t->upstreams[peer->upstream].lb != part->lb)
            continue;
        if (sim_peer_shows(t, at))
            until_ms = peer->gate == SIM_OPEN ? part->poll_until_ms : peer->held_until_ms;
        c->looked[i] = (struct seen_peer){.state = (uint8_t)(t->lbs[part->lb].exact ? state_of(peer) : PEER_UNKNOWN),
                                          .backup = peer->backup,
                                          .exact = t->lbs[part->lb].exact,
                                          .active = sim_peer_shows(t, at) ? 1 : 0};
    }
    if (t->now_ms >= part->poll_until_ms || until_ms <= t->now_ms)
        return true;
    sim_due(s, until_ms < part->poll_until_ms ? until_ms : part->poll_until_ms, DUE_ARRIVE, index, n);
    return false;
}

static enum sim_reply put_claim(struct sim *s, const struct sim_call *c)
{
    const struct sim_seat *seat = &s->seats[c->seat];
    const struct plan *p = seat->plan;
    const struct plan_node *n = &p->nodes[c->action.node];
    uint8_t node = seat->node_of[c->action.node];
    uint8_t wish = c->action.reverse        ? c->action.goal[0]
                   : p->kind == PLAN_REPAIR ? (n->has_target ? n->target_sha256[0] : 0)
                   : p->has_release         ? p->release_sha256[0]
                                            : 0;
    struct sim_claim claim = {.who = c->who,
                              .until_ms = s->truth.now_ms + (p->lease_ttl_ms + 999) / 1000 * 1000,
                              .before = scan_known(&c->action.before),
                              .target = wish};
    const struct sim_claim *there = &s->truth.agents[node].claim;
    bool anew = !there->there || there->who.fence != c->who.fence;
    bool resumed = anew && there->there && there->who.rollout == c->who.rollout;
    enum sim_reply reply;

    for (uint32_t i = 0; i < n->n_peers; i++)
        if (c->action.mask >> i & 1) {
            claim.was_draining |= (uint8_t)((c->action.prior_mask >> i & 1) << claim.n_took);
            claim.took[claim.n_took++] = seat->peer_of[n->first_peer + i];
        }
    reply = sim_claim_put(&s->truth, node, &claim, c->action.expect);
    if (reply == SIM_OK)
        judge_claim(&s->judge, &s->truth, node, &claim, anew, resumed);
    return reply;
}

static const enum job_state job_states[] = {JOB_NONE, JOB_RUNNING, JOB_DONE, JOB_FAILED};

static void tell_job(struct sim_told *told, const struct sim_job *job)
{
    told->job = job_states[job->state];
    told->touched = job->touched;
    if (job->state != SIM_JOB_RUNNING)
        told->now = job->after;
}

static uint8_t job_kind(const struct plan *p, const struct action *a)
{
    if (a->ask == ASK_UNDO || a->reverse)
        return SIM_ROLLBACK;
    return p->has_release ? SIM_UPGRADE : SIM_RESTART;
}

static enum sim_reply post_job(struct sim *s, struct sim_call *c)
{
    const struct sim_seat *seat = &s->seats[c->seat];
    const struct plan *p = seat->plan;
    uint8_t node = seat->node_of[c->action.node];
    bool undo = c->action.ask == ASK_UNDO;
    struct sim_job asked = {.who = c->who,
                            .undo = undo,
                            .attempt = c->action.attempt,
                            .kind = job_kind(p, &c->action),
                            .exe = undo                ? c->action.before.sha256[0]
                                   : c->action.reverse ? c->action.goal[0]
                                   : p->has_release    ? p->release_sha256[0]
                                                       : 0};
    const struct sim_agent *a = &s->truth.agents[node];
    struct sim_job *job;
    bool new_job;
    enum sim_reply reply = sim_job_post(&s->truth, node, &asked, &job, &new_job);

    if (reply == SIM_OK)
        tell_job(&c->told, job);
    c->told.claim_gone = reply == SIM_FENCED && (!a->claim.there || a->claim.until_ms <= s->truth.now_ms);
    if (new_job) {
        enum sim_fate fate = sim_job_fate(a, &asked);

        judge_job(&s->judge, &s->truth, node, job, c->turn_ms);
        job->ends_ms = s->truth.now_ms + (fate == SIM_FATE_HANGS ? 40000 : dice_in(&s->dice, 20, 600));
        sim_due(s, job->ends_ms, DUE_JOB, node, job->order);
        if (fate != SIM_FATE_GOOD)
            sim_fired(s, (enum sim_fault)((asked.kind == SIM_ROLLBACK ? SIM_UNDO_REFUSED : SIM_JOB_REFUSED) + fate -
                                          SIM_FATE_REFUSED));
    } else if (reply == SIM_NO && sim_job_fate(a, &asked) == SIM_FATE_REFUSED) {
        sim_fired(s, asked.kind == SIM_ROLLBACK ? SIM_UNDO_REFUSED : SIM_JOB_REFUSED);
    }
    return reply;
}

static void read_status(struct sim *s, struct sim_call *c, uint8_t node)
{
    const struct sim_agent *a = &s->truth.agents[node];
    const struct sim_job *job = sim_job_last(a);

    c->told.now = a->now;
    c->told.fence = a->highest.fence;
    c->told.connections = sim_connections(&s->truth, node);
    if (job != NULL) {
        c->told.job = job_states[job->state];
        if (job->who.rollout == c->who.rollout) {
            c->told.attempt = job->attempt;
            c->told.job_of = job->undo ? ASK_UNDO : ASK_JOB;
            c->told.job_before = job->before;
            c->told.job_after = job->after;
        }
    }
    c->told.claim_fence = a->claim.there ? a->claim.who.fence : 0;
    c->told.claim_ours = a->claim.there && a->claim.who.rollout == c->who.rollout;
    c->told.claim_live = a->claim.there && a->claim.until_ms > s->truth.now_ms;
}

/* False: the job runs and the long poll goes on. */
static bool poll_job(struct sim *s, uint8_t index, struct sim_part *part, uint8_t node)
{
    struct sim_call *c = &s->calls[index];
    const struct plan *p = s->seats[c->seat].plan;
    const struct sim_job *job =
        sim_job_find(&s->truth, node, c->who.rollout, c->action.job == ASK_UNDO, c->action.attempt);

    if (job == NULL) {
        part->reply = ANS_REFUSED;
        return true;
    }
    if (part->poll_until_ms < 0)
        part->poll_until_ms = s->truth.now_ms + poll_ms(p);
    if (job->state == SIM_JOB_RUNNING && s->truth.now_ms < part->poll_until_ms) {
        sim_due(s, job->ends_ms < part->poll_until_ms ? job->ends_ms : part->poll_until_ms, DUE_ARRIVE, index, 0);
        return false;
    }
    tell_job(&c->told, job);
    return true;
}

static void hear_wish(struct sim *s, struct sim_call *c, uint8_t node)
{
    struct sim_wish *w = &s->truth.agents[node].wish;

    if (w->rollout != c->who.rollout || w->id == 0)
        return;
    if (c->action.kind == ACT_WISH && c->action.expect == w->id)
        w->taken = true;
    c->told.wish = *w;
}

static enum ask ask_of(const struct action *a)
{
    return a->kind == ACT_RENEW ? ASK_CLAIM : a->kind == ACT_STANDS ? ASK_STATUS : a->ask;
}

/* False: it goes on there. */
static bool at_agent(struct sim *s, uint8_t index, struct sim_part *part)
{
    struct sim_call *c = &s->calls[index];
    const struct sim_seat *seat = &s->seats[c->seat];
    uint8_t node = agent_of(seat, &c->action);
    enum sim_reply reply = SIM_OK;

    if (sim_agent_dead(&s->truth, node)) {
        part->reply = ANS_TIMEOUT;
        return true;
    }
    if (c->action.kind == ACT_WISH || c->action.kind == ACT_RENEW)
        hear_wish(s, c, node);
    switch (ask_of(&c->action)) {
    case ASK_NONE: /* a wish, or a vote */
        if (c->action.kind == ACT_LOCK)
            reply = sim_vote(&s->truth, node, &c->who, c->action.ttl_ms);
        break;
    case ASK_STATUS:
        read_status(s, c, node);
        break;
    case ASK_JOB_END:
        return poll_job(s, index, part, node);
    case ASK_HEALTH:
        c->told.now = s->truth.agents[node].now;
        c->told.healthy = sim_healthy(&s->truth, node);
        if (!c->told.healthy && s->truth.agents[node].flap_ms > 0)
            sim_fired(s, SIM_HEALTH_FLAPS);
        else if (!c->told.healthy && s->truth.now_ms < s->truth.agents[node].healthy_ms)
            sim_fired(s, SIM_HEALTH_SLOW);
        break;
    case ASK_CLAIM:
        reply = put_claim(s, c);
        break;
    case ASK_UNCLAIM:
        reply = sim_claim_drop(&s->truth, node, &c->who);
        if (reply == SIM_OK)
            judge_unclaim(&s->judge, &s->truth, node);
        break;
    case ASK_STAGE:
        if (c->action.reverse)
            reply = s->truth.agents[node].staged >> (c->action.goal[0] - 'A') & 1 ? SIM_OK : SIM_NO;
        else if (seat->plan->has_release)
            s->truth.agents[node].staged |= (uint8_t)(1u << (seat->plan->release_sha256[0] - 'A'));
        break;
    case ASK_JOB:
    case ASK_UNDO:
        reply = post_job(s, c);
        break;
    default:
        abort();
    }
    part->reply = (uint8_t)kind_of(reply);
    if (!s->calm && s->story->frail_in > 0 && dice_one_in(&s->dice, s->story->frail_in)) {
        sim_fired(s, SIM_AGENT_DIES);
        s->truth.agents[node].dead_until_ms = s->truth.now_ms + dice_in(&s->dice, 100, 15000);
    }
    return true;
}

/* What was said is lost on its way back. */
static int64_t back_ms(struct sim *s, const struct sim_call *c, struct sim_part *part)
{
    int64_t now = s->truth.now_ms, give_up = c->sent_ms + limit_ms(s->seats[c->seat].plan, &c->action);
    int64_t back = now + dice_in(&s->dice, 1, s->story->way_ms);

    switch (part->fault) {
    case SIM_LOST_ANSWER:
        part->reply = ANS_LOST;
        break;
    case SIM_HUNG_ANSWER:
        part->reply = is_effect(&c->action) ? ANS_LOST : ANS_TIMEOUT;
        return give_up > now ? give_up : now;
    case SIM_LATE:
        back += dice_below(&s->dice, s->seats[c->seat].plan->wait_ms[WAIT_CHANGE] / 6);
        break;
    case SIM_NONSENSE:
        part->reply = ANS_BAD;
        break;
    default:
        return back;
    }
    part->ok_mask = part->fault == SIM_LATE ? part->ok_mask : 0;
    return back < give_up ? back : give_up;
}

void wire_arrive(struct sim *s, uint8_t index, uint32_t n)
{
    struct sim_call *c = &s->calls[index];
    struct sim_part *part = &c->parts[n];

    if (part->fault == SIM_REFUSED)
        part->reply = ANS_REFUSED;
    else if (c->action.kind == ACT_READ_LB)
        read_lb(s, c, part);
    else if (c->action.kind == ACT_LEASE)
        part->reply = (uint8_t)kind_of(
            sim_lease(&s->truth, s->seats[c->seat].upstream_of[c->action.upstream], &c->who, c->action.ttl_ms));
    else if (c->action.kind == ACT_LOOK && !look(s, index, n))
        return;
    else if (patches(&c->action))
        patch(s, c, part);
    else if (c->action.kind == ACT_LOOK)
        ;
    else if (!at_agent(s, index, part))
        return;
    c->told.seen_ms = s->truth.now_ms;
    sim_note(s, TRACE_EFFECT, c->seat, name_of(&c->action), place_of(&s->seats[c->seat], &c->action), part->reply);
    sim_due(s, back_ms(s, c, part), DUE_BACK, index, n);
}

/* ---- and back */

static void drain_over(struct sim *s, const struct sim_call *c, const struct sim_part *part)
{
    const struct sim_seat *seat = &s->seats[c->seat];
    uint8_t peers[SIM_NODE_PEERS];
    uint32_t n = peers_of(seat, &c->action, peers);

    for (uint32_t i = 0; i < n; i++)
        if (s->truth.upstreams[s->truth.peers[peers[i]].upstream].lb == part->lb)
            judge_drain_over(&s->judge, peers[i], c->who.fence);
}

void wire_back(struct sim *s, uint8_t index, uint32_t n)
{
    struct sim_call *c = &s->calls[index];
    struct sim_seat *seat = &s->seats[c->seat];
    struct sim_part *part = &c->parts[n];

    if (c->action.kind == ACT_ASK && c->action.ask == ASK_DRAIN)
        drain_over(s, c, part);
    c->told.kind = worse(c->told.kind, (enum answer_kind)part->reply);
    c->told.ok_mask |= part->ok_mask;
    if (--c->n_open > 0)
        return;
    if (seat->state != SEAT_RUNS) {
        c->used = false;
        return;
    }
    c->ready = true;
    c->next = SIM_CALLS;
    if (seat->first_ready == SIM_CALLS)
        seat->first_ready = index;
    else
        s->calls[seat->last_ready].next = index;
    seat->last_ready = index;
    if (!seat->sleeping) {
        seat->awake = true;
        seat->wake_ms = s->truth.now_ms;
    }
}

static const char *text_of(const struct sim_call *c)
{
    static const char *const words[] = {"",          "refused", "held by another rollout", "the connection was reset",
                                        "no answer", "nonsense"};

    if (c->told.kind == ANS_OK && c->action.kind == ACT_ASK && c->action.ask == ASK_HEALTH && !c->told.healthy)
        return "HTTP status 503";
    return words[c->told.kind];
}

static void hand_out(struct sim_seat *seat, struct sim_call *c, struct input *in)
{
    static const enum input_kind kinds[] = {IN_ANSWER, IN_LB,   IN_LEASE, IN_RENEW,  IN_LOOK,
                                            IN_WISH,   IN_HOLD, IN_LOCK,  IN_STANDS, IN_END};
    const struct sim_told *told = &c->told;
    struct answer *a = &in->answer;
    const char *text = text_of(c);
    uint16_t lb = c->action.lb;

    in->kind = kinds[c->action.kind];
    in->node = c->action.node;
    in->lb = lb;
    in->upstream = c->action.upstream;
    in->voter = c->action.voter;
    in->upstreams = seat->seen[lb].upstreams;
    in->peers = seat->seen[lb].peers;
    in->generation = seat->seen[lb].generation;
    in->active_exact = seat->seen[lb].exact;
    in->one_by_one = seat->seen[lb].exact; /* our module has both, NGINX Plus neither */
    in->looked = c->looked;
    in->mask = c->action.mask;
    in->look = c->action.look;
    in->hold_s = c->action.hold_s;
    memset(a, 0, offsetof(struct answer, text));
    a->kind = told->kind;
    a->ok_mask = told->ok_mask;
    a->claim_gone = told->claim_gone;
    memcpy(a->text, text, strlen(text) + 1);
    if (told->kind != ANS_OK || c->action.kind == ACT_READ_LB || c->action.kind == ACT_LOOK ||
        c->action.kind == ACT_LEASE || c->action.kind == ACT_LOCK)
        return;
    a->ident = scan_ident(&told->now);
    a->healthy = told->healthy;
    a->job = told->job;
    a->attempt = told->attempt;
    a->job_of = told->job_of;
    a->job_before = scan_ident(&told->job_before);
    a->job_after = scan_ident(&told->job_after);
    a->touched = told->touched;
    a->connections = told->connections;
    a->claim_fence = told->claim_fence;
    a->claim_ours = told->claim_ours;
    a->claim_live = told->claim_live;
    a->fence = told->fence;
    a->wish = told->wish.wish;
    a->wish_id = told->wish.id;
    a->wish_taken = told->wish.taken;
    a->wish_age_ms = (uint32_t)(seat->sim->truth.now_ms - told->wish.put_ms);
}

/* A wish that was there before it began was meant for the run before. */
static bool is_stopping(const struct sim_seat *seat, const struct sim_call *c)
{
    const struct sim_wish *w = &c->told.wish;

    return w->id != 0 && !w->taken && (w->wish == WISH_PAUSE || w->wish == WISH_ABORT) &&
           w->put_ms - seat->began_ms > seat->sim->truth.now_ms - c->sent_ms;
}

/* What the controller knows from now on. */
static void tell_judge_of(struct sim_seat *seat, const struct sim_call *c)
{
    struct sim *s = seat->sim;
    bool ok = c->told.kind == ANS_OK;

    if (c->action.kind == ACT_END || (c->action.kind == ACT_ASK && c->action.ask == ASK_HOOK)) {
        hook_told(seat, c);
        return;
    }
    sim_note(s, TRACE_TOLD, seat->index, name_of(&c->action), place_of(seat, &c->action), c->told.kind);
    if (ok && is_stopping(seat, c))
        judge_wish_told(&s->judge, seat->index);
    if (c->action.kind != ACT_ASK)
        return;
    if (c->action.ask == ASK_STATUS && ok)
        judge_status_told(&s->judge, seat->index, seat->node_of[c->action.node], &c->told.now, c->told.seen_ms);
    if (c->action.ask == ASK_UNCLAIM || c->action.ask == ASK_CLAIM)
        judge_unclaim_told(&s->judge, seat->index, seat->node_of[c->action.node], ok && c->action.ask == ASK_UNCLAIM);
    if (c->action.ask == ASK_HEALTH)
        judge_health_told(&s->judge, &s->truth, seat->index, seat->node_of[c->action.node], &c->told.now,
                          ok && c->told.healthy, c->told.seen_ms);
}

static size_t take_ready(struct sim_seat *seat, struct input *inputs, size_t capacity)
{
    size_t n = 0;

    while (seat->first_ready != SIM_CALLS && n < capacity) {
        struct sim_call *c = &seat->sim->calls[seat->first_ready];

        seat->first_ready = c->next;
        tell_judge_of(seat, c);
        hand_out(seat, c, &inputs[n++]);
        c->used = false;
    }
    return n;
}

static size_t seat_collect(struct world *world, uint32_t wait_ms, struct input *inputs, size_t capacity,
                           uint32_t *elapsed_ms)
{
    struct sim_seat *seat = (struct sim_seat *)(void *)world;
    struct sim *s = seat->sim;
    size_t n;

    seat_point(seat, SIM_CRASH_WAITING);
    if (seat->first_ready == SIM_CALLS && wait_ms > 0) {
        seat->awake = true;
        seat->wake_ms = s->truth.now_ms + wait_ms;
        seat_wait(seat);
    }
    n = take_ready(seat, inputs, capacity);
    *elapsed_ms = (uint32_t)(s->truth.now_ms - seat->collected_ms);
    seat->collected_ms = s->truth.now_ms;
    seat->idle = n > 0 || *elapsed_ms > 0 ? 0 : seat->idle + 1;
    if (seat->idle > 50)
        judge_breach(&s->judge, "end", "seat %u spins: it collects and collects, and no time passes", seat->index);
    else if (++seat->turns > SIM_TURNS || s->truth.now_ms > SIM_END_MS)
        judge_breach(&s->judge, "end", "seat %u never ends", seat->index);
    s->tally->turns++;
    if (s->judge.breach[0] != '\0')
        seat_wait(seat); /* for ever */
    return n;
}
