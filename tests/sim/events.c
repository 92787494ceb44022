/* events.c - what befalls the fleet by the story: deaths, reloads, operators; and how it passes. */
#include "sim.h"

static uint8_t one_of(uint8_t what, uint8_t n)
{
    return (uint8_t)(n == 0 ? 0 : what % n);
}

/* nginx notices at once that nobody answers, or that somebody does again. */
static void peers_fail(struct sim *s, uint8_t node, bool failing)
{
    for (uint8_t i = 0; i < s->truth.n_peers; i++)
        if (s->truth.peers[i].node == node) {
            if (failing)
                judge_peer_lost(&s->judge, &s->truth, i);
            s->truth.peers[i].failing = failing;
        }
}

void process_dies(struct sim *s, uint8_t node)
{
    judge_process_changed(&s->judge, &s->truth, node);
    peers_fail(s, node, true);
    sim_process_end(&s->truth, node);
}

static void service_lives(struct sim *s, uint8_t node)
{
    judge_process_changed(&s->judge, &s->truth, node);
    sim_reboot(&s->truth, node);
    peers_fail(s, node, false);
}

/* What befalls a host befalls all its services. */
static void each_service(struct sim *s, uint8_t node, void (*what)(struct sim *, uint8_t))
{
    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        if (sim_same_host(&s->truth, i, node))
            what(s, i);
}

static void agent_dies(struct sim *s, uint8_t node, uint32_t for_ms)
{
    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        if (sim_same_host(&s->truth, i, node))
            s->truth.agents[i].dead_until_ms = s->truth.now_ms + for_ms;
}

static void node_dies(struct sim *s, uint8_t node, uint32_t for_ms, bool over)
{
    each_service(s, node, over ? service_lives : process_dies);
    if (!over)
        agent_dies(s, node, for_ms);
}

static void process_back(struct sim *s, uint8_t node)
{
    if (s->truth.agents[node].now.pid != 0)
        return;
    judge_process_changed(&s->judge, &s->truth, node);
    sim_process_start(&s->truth, node, s->truth.agents[node].installed, false);
    peers_fail(s, node, false);
}

static void agent_forgets(struct sim *s, uint8_t node)
{
    struct sim_agent *a = &s->truth.agents[node];

    judge_agent_forgot(&s->judge, &s->truth, node);
    a->claim.there = false;
    a->highest = (struct sim_who){0};
    a->vote = (struct sim_lease){.until_ms = SIM_NEVER};
    if (a->n_jobs == 0 || a->jobs[a->n_jobs - 1].state != SIM_JOB_RUNNING)
        a->n_jobs = 0;
}

static void lb_forgets(struct sim *s, uint8_t lb)
{
    for (uint8_t i = 0; i < s->truth.n_peers; i++)
        if (s->truth.upstreams[s->truth.peers[i].upstream].lb == lb)
            judge_nginx_forgets(&s->judge, &s->truth, i);
    for (uint8_t i = 0; i < s->truth.n_upstreams; i++)
        if (s->truth.upstreams[i].lb == lb)
            judge_fences_lost(&s->judge, &s->truth, i);
    sim_lb_forget(&s->truth, lb);
}

/* One more upstream of the load balancer has its first port, or the same one its second as well. */
static void lb_grows(struct sim *s, uint8_t node, uint8_t lb, bool second)
{
    struct sim_truth *t = &s->truth;
    uint8_t upstream = (uint8_t)(lb * s->story->upstreams_per_lb + (second ? 0 : 1)), of_node = 0;
    struct sim_peer grown = {.upstream = upstream,
                             .node = node,
                             .port = second ? 1 : 0,
                             .gate = SIM_OPEN,
                             .failing = t->agents[node].now.pid == 0,
                             .closed_ms = SIM_NEVER,
                             .held_until_ms = SIM_NEVER};

    for (uint8_t i = 0; i < t->n_peers; i++) {
        of_node = (uint8_t)(of_node + (t->peers[i].node == node));
        if (t->peers[i].upstream == upstream && t->peers[i].node == node && t->peers[i].port == grown.port)
            return;
    }
    if (of_node == SIM_NODE_PEERS)
        return;
    judge_peer_added(&s->judge, t, t->n_peers);
    t->peers[t->n_peers++] = grown;
    sim_lb_reload(t, lb);
}

static void operator_moves(struct sim *s, uint8_t peer, enum sim_gate to)
{
    judge_foreign_gate(&s->judge, &s->truth, peer, to);
    sim_gate_set(&s->truth, peer, to, s->story->hold_ms);
}

/* How long a thing lasts; 0: it is over at once. */
static bool lasts(enum sim_fault fault)
{
    return fault == SIM_NODE_DIES || fault == SIM_PROCESS_DIES || fault == SIM_PEER_FAILS ||
           fault == SIM_OPERATOR_SHUTS || fault == SIM_OPERATOR_DRAINS;
}

/* Whom it befalls: any peer, or any of the node's. */
static uint8_t peer_of(const struct sim *s, const struct story_event *e, uint8_t aimed)
{
    uint8_t peers[SIM_PEERS] = {0}, n = 0;

    for (uint8_t i = 0; i < s->truth.n_peers; i++)
        if (!e->there || aimed == SIM_NOBODY || s->truth.peers[i].node == aimed)
            peers[n++] = i;
    return peers[one_of(e->what, n)];
}

void event_happens(struct sim *s, uint32_t event, bool over)
{
    const struct story_event *e = &s->story->events[event];
    struct sim_truth *t = &s->truth;
    bool there = e->there && s->aimed[event] != SIM_NOBODY;
    uint8_t node = there ? s->aimed[event] : one_of(e->what, t->n_nodes), lb = one_of(e->what, t->n_lbs);
    uint8_t peer = peer_of(s, e, s->aimed[event]);
    enum sim_fault fault = (enum sim_fault)e->fault;

    if (!over)
        sim_fired(s, fault);
    sim_note(s, TRACE_EVENT, fault,
             fault == SIM_LB_DIES || fault == SIM_LB_RELOADS || fault == SIM_LB_FORGETS ? lb
             : fault >= SIM_PEER_FAILS                                                  ? peer
                                                                                        : node,
             over, 0);
    if (!over && lasts(fault))
        sim_due(s, t->now_ms + e->for_ms, DUE_EVENT, (uint8_t)event, 1);
    switch (fault) {
    case SIM_NODE_DIES:
        node_dies(s, node, e->for_ms, over);
        break;
    case SIM_NODE_REBOOTS:
        each_service(s, node, service_lives);
        break;
    case SIM_PROCESS_DIES:
        if (over)
            process_back(s, node);
        else
            process_dies(s, node);
        break;
    case SIM_PROCESS_RESTARTED:
        judge_process_changed(&s->judge, t, node);
        sim_process_start(t, node, t->agents[node].installed, false);
        peers_fail(s, node, false);
        break;
    case SIM_AGENT_DIES:
        agent_dies(s, node, e->for_ms);
        break;
    case SIM_AGENT_FORGETS:
        each_service(s, node, agent_forgets);
        break;
    case SIM_LB_DIES:
        t->lbs[lb].dead_until_ms = t->now_ms + e->for_ms;
        break;
    case SIM_LB_RELOADS:
        sim_lb_reload(t, lb);
        break;
    case SIM_LB_FORGETS:
        lb_forgets(s, lb);
        break;
    case SIM_LB_GROWS:
        if (s->story->grows)
            lb_grows(s, node, (uint8_t)(e->what / 16 % t->n_lbs), e->what >> 6 & 1);
        break;
    case SIM_PEER_FAILS:
        if (!over)
            judge_peer_lost(&s->judge, t, peer);
        t->peers[peer].failing = !over;
        break;
    case SIM_OPERATOR_SHUTS:
    case SIM_OPERATOR_DRAINS:
        operator_moves(s, peer, over ? SIM_OPEN : fault == SIM_OPERATOR_SHUTS ? SIM_DOWN : SIM_DRAIN);
        break;
    case SIM_OPERATOR_OPENS:
        operator_moves(s, peer, SIM_OPEN);
        break;
    default:
        break;
    }
}

void events_calm(struct sim *s)
{
    struct sim_truth *t = &s->truth;

    s->calm = true;
    for (uint32_t i = 0; i < s->n_dues;)
        if (s->dues[i].kind == DUE_EVENT)
            s->dues[i] = s->dues[--s->n_dues];
        else
            i++;
    for (uint32_t i = s->n_dues; i-- > 0;)
        sim_due_sink(s, i);
    for (uint8_t i = 0; i < t->n_lbs; i++)
        t->lbs[i].dead_until_ms = SIM_NEVER;
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        struct sim_agent *a = &t->agents[i];

        if (a->dead_until_ms > t->now_ms && a->now.pid == 0)
            service_lives(s, i);
        a->dead_until_ms = SIM_NEVER;
        a->flap_ms = 0;
        a->fate = a->undo_fate = SIM_FATE_GOOD;
        a->healthy_ms = t->now_ms;
    }
    for (uint8_t i = 0; i < t->n_peers; i++)
        t->peers[i].failing = t->peers[i].node != SIM_NOBODY && t->agents[t->peers[i].node].now.pid == 0;
    sim_note(s, TRACE_CALM, 0, 0, 0, 0);
}
