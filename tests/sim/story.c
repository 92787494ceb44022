#include "story.h"

#include <string.h>

#include "controller/ask.h"
#include "controller/hook.h"
#include "dice.h"

/* Small more often than large. */
static uint8_t draw_nodes(struct dice *d)
{
    uint32_t n = dice_below(d, 64);

    if (n == 0)
        return (uint8_t)dice_in(d, 7, SIM_NODES);
    return (uint8_t)(n < 10 ? 1 : n < 31 ? 2 : n < 52 ? 3 : dice_in(d, 4, 6));
}

static void draw_fleet(struct story *s, struct dice *d)
{
    s->nodes = draw_nodes(d);
    s->lbs = (uint8_t)(dice_below(d, 8) < 5 ? 1 : dice_in(d, 2, SIM_LBS));
    s->upstreams_per_lb = dice_one_in(d, 6) ? 2 : 1;
    s->ports = dice_one_in(d, 8) && s->lbs * s->upstreams_per_lb * 2 <= SIM_NODE_PEERS ? 2 : 1;
    s->foreign = (uint8_t)(s->nodes == 1 || dice_one_in(d, 3) ? dice_in(d, 1, 2) : 0);
    s->backups = dice_one_in(d, 8) ? 1 : 0;
    s->exact = !dice_one_in(d, 3);
    s->restart = dice_one_in(d, 5);
    for (uint8_t i = 0; i < s->nodes; i++)
        s->at_target |= (uint8_t)(!s->restart && i < 8 && dice_one_in(d, 16) ? 1u << i : 0);
}

static void draw_settings(struct story *s, struct dice *d)
{
    s->n_batches = dice_one_in(d, 4) ? 2 : 1;
    s->batches[0] = dice_one_in(d, 3) ? 1 : dice_in(d, 1, 3);
    s->batches[1] = dice_in(d, 1, 4);
    s->batch_percent = dice_one_in(d, 8);
    if (s->batch_percent) {
        s->batches[0] = 30;
        s->batches[1] = 60;
    }
    s->max_unavailable = dice_one_in(d, 3) ? dice_in(d, 2, 3) : 1;
    if (s->ports > s->max_unavailable)
        s->max_unavailable = s->ports;
    s->max_unavailable_percent = dice_one_in(d, 8) && s->ports == 1;
    if (s->max_unavailable_percent)
        s->max_unavailable = dice_in(d, 20, 60);
    s->proceed = dice_one_in(d, 6);
    s->drain_ms = dice_in(d, 2, 6) * 1000;
    s->job_ms = dice_in(d, 4, 8) * 1000;
    s->probe_ms = dice_in(d, 1, 4) * 250;
    s->threshold = dice_in(d, 1, 3);
    s->min_healthy_ms = dice_one_in(d, 3) ? dice_in(d, 1, 4) * 500 : 0;
    s->healthy_ms = dice_in(d, 4, 8) * 1000;
    s->bake_ms = dice_one_in(d, 4) ? dice_in(d, 1, 4) * 500 : 0;
    s->failure_action = dice_below(d, 3);
    s->max_failures = s->failure_action == 1 ? UINT32_MAX : dice_one_in(d, 3) ? 1 : 0;
    s->on_inconclusive = dice_below(d, 2);
    s->canary = dice_below(d, 3);
    s->pause_after = dice_one_in(d, 12) ? dice_in(d, 1, 2) : 0;
    s->ttl_ms = dice_in(d, 3, 20) * 1000;
    s->request_ms = dice_in(d, 1, 3) * 1000;
    s->poll_ms = dice_one_in(d, 3) ? dice_in(d, 1, 10) * 100 : 500;
}

static void draw_fates(struct story *s, struct dice *d)
{
    bool bad = dice_one_in(d, 4), bad_undo = dice_one_in(d, 3);

    for (uint8_t i = 0; i < s->nodes; i++) {
        s->gets_healthy_ms[i] = (uint16_t)(dice_one_in(d, 10) ? dice_in(d, 1000, 10000) : dice_below(d, 400));
        s->flap_ms[i] = (uint16_t)(dice_one_in(d, 24) ? dice_in(d, 400, 3000) : 0);
        if (bad && dice_one_in(d, 2))
            s->fate[i] = (uint8_t)dice_in(d, SIM_FATE_REFUSED, SIM_FATE_WRONG);
        if (bad && bad_undo) {
            static const uint8_t undo[] = {SIM_FATE_REFUSED, SIM_FATE_DIED,   SIM_FATE_ILL,
                                           SIM_FATE_HANGS,   SIM_FATE_UNTRUE, SIM_FATE_KEPT};
            s->undo_fate[i] = undo[dice_below(d, sizeof undo)];
        }
    }
}

/* Where a single fault does most. */
static uint8_t draw_target(struct dice *d)
{
    static const uint8_t asks[] = {ASK_STATUS, ASK_CLAIM,  ASK_DRAIN, ASK_DOWN,    ASK_BACK,
                                   ASK_JOB,    ASK_HEALTH, ASK_UNDO,  ASK_JOB_END, ASK_UNCLAIM};
    uint32_t i = dice_below(d, sizeof asks + 3);

    return i < sizeof asks ? story_target(ACT_ASK, asks[i]) : story_target(ACT_READ_LB + i - (uint32_t)sizeof asks, 0);
}

static void draw_ways(struct story *s, struct dice *d)
{
    static const uint16_t rates[] = {12, 40, 40, 120, 120, 400};

    s->hold_ms = dice_one_in(d, 8) ? 9000 : dice_in(d, 0, 1200);
    s->way_ms = dice_one_in(d, 4) ? 200 : dice_in(d, 1, 20);
    s->traffic = dice_one_in(d, 4) ? 0 : 1;
    s->serves_badly = dice_one_in(d, 8);
    s->sticky_in = dice_one_in(d, 3) ? 2 : 0;
    s->frail_in = (uint16_t)(dice_one_in(d, 8) ? dice_in(d, 10, 100) : 0);
    if (dice_below(d, 8) < 5) {
        s->call_fault_in = rates[dice_below(d, sizeof rates / sizeof rates[0])];
        if (dice_one_in(d, 2)) {
            s->call_target = draw_target(d);
            s->call_fault_in = (uint16_t)dice_in(d, 1, 6);
        }
        s->call_faults = (uint8_t)(dice_one_in(d, 2) ? 0xff : 1u << dice_below(d, SIM_CALL_FAULTS));
    }
}

static void draw_events(struct story *s, struct dice *d)
{
    static const uint8_t kinds[] = {SIM_NODE_DIES,     SIM_NODE_REBOOTS, SIM_PROCESS_DIES,   SIM_PROCESS_RESTARTED,
                                    SIM_AGENT_DIES,    SIM_AGENT_DIES,   SIM_AGENT_FORGETS,  SIM_LB_DIES,
                                    SIM_LB_DIES,       SIM_LB_RELOADS,   SIM_LB_RELOADS,     SIM_LB_FORGETS,
                                    SIM_PEER_FAILS,    SIM_PEER_FAILS,   SIM_OPERATOR_SHUTS, SIM_OPERATOR_DRAINS,
                                    SIM_OPERATOR_OPENS};
    uint32_t length_ms = 2000 + 3000u * s->nodes;
    uint8_t few[2] = {kinds[dice_below(d, sizeof kinds)], kinds[dice_below(d, sizeof kinds)]};
    bool swarm = dice_one_in(d, 3); /* the same again and again, instead of a little of all */

    s->n_events = dice_one_in(d, 2) ? 0 : dice_in(d, 1, STORY_EVENTS / 2) * dice_in(d, 1, 2);
    for (uint32_t i = 0; i < s->n_events; i++) {
        s->events[i] = (struct story_event){.at_ms = dice_below(d, length_ms),
                                            .for_ms = dice_one_in(d, 3) ? 60000 : dice_in(d, 100, 9000),
                                            .fault = swarm ? few[i % 2] : kinds[dice_below(d, sizeof kinds)],
                                            .what = (uint8_t)dice_below(d, 256)};
        if (dice_one_in(d, 2)) {
            s->events[i].after = draw_target(d);
            s->events[i].there = dice_one_in(d, 2);
            s->events[i].at_ms = dice_below(d, 2500);
        }
    }
}

static void draw_process(struct story *s, struct dice *d, uint32_t i)
{
    struct story_process *p = &s->processes[i];
    bool crashes = dice_below(d, 3) < 1 && i + 1 < STORY_PROCESSES;

    p->rollout = (uint8_t)(i + 1);
    p->act = (uint8_t)(i == 0 || !dice_one_in(d, 3) ? STORY_ROLL : STORY_REPAIR);
    if (i > 0 && p->act == STORY_ROLL && !dice_one_in(d, 3)) { /* the same again */
        p->rollout = s->processes[i - 1].rollout;
        p->act = s->processes[i - 1].act;
    } else if (i > 0 && p->act == STORY_ROLL && dice_one_in(d, 4)) {
        p->act = STORY_ROLLBACK;
    }
    if (s->pause_after > 0)
        p->wish = WISH_PROMOTE;
    p->start_ms = dice_one_in(d, 2) ? dice_below(d, 3000) : dice_below(d, 3 * s->ttl_ms);
    p->empty_disk = i > 0 && dice_one_in(d, 2);
    if (crashes)
        p->crash_at = dice_in(d, 1, 60u * s->nodes + 20);
    if (dice_one_in(d, 10)) {
        p->pause_at = dice_in(d, 1, 60u * s->nodes + 20);
        p->pause_ms = dice_one_in(d, 2) ? dice_in(d, 100, 5000) : s->ttl_ms + dice_below(d, 20000);
    }
    if (dice_one_in(d, 24))
        p->full_at = dice_in(d, 1, 20u * s->nodes);
    if (s->pause_after > 0 || dice_one_in(d, 16)) {
        p->wish_ms = dice_in(d, 1, 3000 + 5000u * s->nodes) + (s->pause_after > 0 ? 20000 : 0);
        p->wish = (uint8_t)dice_in(d, WISH_PAUSE, WISH_PROMOTE);
    }
    if (dice_one_in(d, 12)) {
        p->signal_ms = dice_in(d, 1, 2000 + 4000u * s->nodes);
        p->signal_more_ms = dice_one_in(d, 3) ? dice_in(d, 1, 3000) : 0;
    }
}

static void draw_processes(struct story *s, struct dice *d)
{
    s->n_processes = 1;
    draw_process(s, d, 0);
    while (s->n_processes < STORY_PROCESSES && (s->processes[s->n_processes - 1].crash_at != 0 || dice_one_in(d, 12))) {
        uint32_t i = s->n_processes++;

        draw_process(s, d, i);
        if (s->processes[i - 1].crash_at == 0 || dice_one_in(d, 6)) {
            s->processes[i].overlaps = true;
            s->processes[i].start_ms = dice_below(d, 4000 + 6000u * s->nodes);
        }
    }
}

/* One controller that nobody kills, and jobs that do as they are told. */
void story_make_smooth(struct story *s)
{
    s->n_processes = 1;
    s->processes[0] = (struct story_process){.rollout = 1};
    s->pause_after = 0;
    s->frail_in = 0;
    memset(s->fate, 0, sizeof s->fate);
    memset(s->undo_fate, 0, sizeof s->undo_fate);
    memset(s->flap_ms, 0, sizeof s->flap_ms);
}

/* Two things that do little alone. */
static void draw_pair(struct story *s, struct dice *d)
{
    static const struct {
        uint8_t target, fault, after, event;
        uint16_t from_ms, to_ms;
        uint8_t also;   /* at the same time */
        bool elsewhere; /* it befalls anybody */
    } pairs[] = {
        {ASK_DRAIN, SIM_HUNG_REQUEST, ASK_DRAIN, SIM_OPERATOR_SHUTS, 0, 800, 0, true},
        {ASK_DRAIN, SIM_HUNG_REQUEST, ASK_DRAIN, SIM_PEER_FAILS, 0, 800, 0, true},
        {ASK_CLAIM, SIM_REFUSED, ASK_CLAIM, SIM_PEER_FAILS, 0, 800, 0, true},
        {ASK_JOB, SIM_HUNG_REQUEST, ASK_JOB, SIM_OPERATOR_OPENS, 0, 800, 0, false},
        {ASK_JOB, SIM_HUNG_REQUEST, ASK_JOB, SIM_LB_FORGETS, 0, 800, 0, false},
        {ASK_HEALTH, SIM_LATE, ASK_DOWN, SIM_LB_FORGETS, 0, 60, 0, false},
        {ASK_HEALTH, SIM_LATE, ASK_DOWN, SIM_OPERATOR_OPENS, 0, 60, 0, false},
        {64 + ACT_RENEW, SIM_LATE, ASK_BACK, SIM_LB_RELOADS, 0, 60, 0, false},
        {ASK_HEALTH, SIM_LATE, ASK_DRAIN, SIM_LB_RELOADS, 0, 400, 0, false},
        {ASK_STATUS, SIM_HUNG_REQUEST, ASK_DOWN, SIM_OPERATOR_DRAINS, 20, 400, 0, false},
        {ASK_STATUS, SIM_HUNG_REQUEST, ASK_DOWN, SIM_OPERATOR_OPENS, 1000, 1600, SIM_LB_DIES, false},
        {ASK_STATUS, SIM_HUNG_REQUEST, ASK_DOWN, SIM_OPERATOR_OPENS, 1000, 1600, SIM_LB_DIES, false},
        {ASK_STATUS, SIM_HUNG_REQUEST, ASK_DOWN, SIM_OPERATOR_OPENS, 1000, 1600, SIM_LB_DIES, false},
        {64 + ACT_HOLD, SIM_LATE, ASK_JOB_END, SIM_LB_FORGETS, 0, 100, 0, false},
    };
    uint32_t i = dice_below(d, sizeof pairs / sizeof pairs[0]);

    if (pairs[i].event == SIM_LB_RELOADS) {
        s->exact = false;
        s->hold_ms = 3000;
        s->drain_ms = 8000;
    }
    if (pairs[i].also != 0) {
        s->lbs = 2;
        s->ports = 1;
        s->request_ms = 3000; /* its answer comes when the other's is old */
    }
    if (pairs[i].target == 64 + ACT_HOLD) { /* healthy while that is on its way */
        s->threshold = 1;
        s->min_healthy_ms = 0;
        s->probe_ms = 250;
        s->poll_ms = 200;
        s->way_ms = 20;
        s->request_ms = 3000; /* the later that comes */
        for (uint8_t k = 0; k < s->nodes; k++)
            s->gets_healthy_ms[k] = (uint16_t)dice_in(d, 600, 900);
    }
    s->call_target = pairs[i].target;
    s->call_faults = (uint8_t)(1u << pairs[i].fault);
    s->call_fault_in = (uint16_t)(pairs[i].target == 64 + ACT_HOLD ? 1 : dice_in(d, 1, 3));
    s->call_after = pairs[i].target == ASK_STATUS ? pairs[i].after : 0;
    s->n_events = 1;
    s->events[0] = (struct story_event){.after = pairs[i].after,
                                        .at_ms = dice_in(d, pairs[i].from_ms, pairs[i].to_ms),
                                        .for_ms = 60000,
                                        .fault = pairs[i].event,
                                        .what = (uint8_t)dice_below(d, 4),
                                        .there = !pairs[i].elsewhere};
    if (pairs[i].also != 0) {
        s->events[0].what = 1;
        s->events[s->n_events] = s->events[0];
        s->events[s->n_events].at_ms++;
        s->events[s->n_events++].fault = pairs[i].also;
    }
    if (dice_one_in(d, 2) || pairs[i].target == 64 + ACT_HOLD) /* and nothing beside it */
        story_make_smooth(s);
}

/* An operator was there before: a peer is closed from the first. */
static void draw_before(struct story *s, struct dice *d)
{
    s->max_unavailable = s->max_unavailable > 2 ? s->max_unavailable : 2;
    s->max_unavailable_percent = false;
    s->nodes = s->nodes < 3 ? 3 : s->nodes;
    s->n_events = s->n_events > 0 ? s->n_events : 1;
    s->events[0] = (struct story_event){.for_ms = 3600000,
                                        .fault = dice_one_in(d, 2) ? SIM_OPERATOR_SHUTS : SIM_OPERATOR_DRAINS,
                                        .what = (uint8_t)dice_below(d, 4)};
}

/* What drained before us is as it was again, whoever ends what one began that is killed: the same once more, or a
 * repair. */
static void draw_drained_and_killed(struct story *s, struct dice *d)
{
    draw_before(s, d);
    story_make_smooth(s);
    s->call_fault_in = 0;
    s->n_events = 1;
    s->at_target = 0;
    s->events[0].fault = SIM_OPERATOR_DRAINS;
    s->events[0].what = 0; /* the first node's */
    s->processes[0].start_ms = 1500;
    s->processes[0].crash_at = dice_in(d, 20, 90);
    s->n_processes = 2;
    s->processes[1] = (struct story_process){.act = dice_one_in(d, 2) ? STORY_REPAIR : STORY_ROLL,
                                             .start_ms = dice_below(d, 3000),
                                             .empty_disk = dice_one_in(d, 2)};
    s->processes[1].rollout = s->processes[1].act == STORY_REPAIR ? 2 : 1;
}

/* One that stands still for so long that another takes over, and then wakes up. */
void story_draw_sleeper(struct story *s, struct dice *d)
{
    story_make_smooth(s);
    s->processes[0].start_ms = 100;
    s->processes[0].pause_at = dice_in(d, 20, 60u * s->nodes + 20);
    s->processes[0].pause_ms = s->ttl_ms + dice_in(d, 5000, 40000);
    s->n_processes = 2;
    s->processes[1] = (struct story_process){.act = dice_one_in(d, 2) ? STORY_REPAIR : STORY_ROLL,
                                             .overlaps = true,
                                             .start_ms = dice_in(d, 2000, s->ttl_ms + 5000)};
    s->processes[1].rollout = s->processes[1].act == STORY_REPAIR ? 2 : 1;
    if (dice_one_in(d, 2)) { /* and nginx forgets who was there, */
        s->n_events = 1;
        s->events[0] = (struct story_event){.at_ms = s->ttl_ms + dice_in(d, 3000, 20000), .fault = SIM_LB_FORGETS};
    } else if (dice_one_in(d, 2)) { /* or its agent says nothing when it wakes up */
        s->n_events = 1;
        s->events[0] = (struct story_event){.at_ms = s->processes[0].pause_ms + dice_below(d, 2500),
                                            .for_ms = 60000,
                                            .fault = SIM_AGENT_DIES,
                                            .what = (uint8_t)dice_below(d, 2)};
    }
}

/* ... soon after it has begun, and just before it wakes up nginx forgets who was there meanwhile. */
static void draw_forgotten_sleeper(struct story *s, struct dice *d)
{
    story_draw_sleeper(s, d);
    s->processes[0].pause_at = dice_in(d, 15, 60);
    s->n_events = 1;
    s->events[0] =
        (struct story_event){.at_ms = s->processes[0].pause_ms - dice_below(d, 2000), .fault = SIM_LB_FORGETS};
}

/* While a node waits for the floor, somebody else takes it out himself, or drains it. */
static void draw_floor_and_operator(struct story *s, struct dice *d)
{
    story_make_smooth(s);
    s->call_fault_in = 0;
    s->nodes = 3;
    s->lbs = s->upstreams_per_lb = s->ports = 1;
    s->foreign = s->backups = s->at_target = 0;
    s->max_unavailable = 1;
    s->max_unavailable_percent = false;
    s->n_events = 2;
    s->events[0] = (struct story_event){
        .after = ASK_CLAIM, .for_ms = 4000, .fault = SIM_OPERATOR_SHUTS, .what = (uint8_t)dice_in(d, 1, 2)};
    s->events[1] = (struct story_event){.after = ASK_CLAIM,
                                        .at_ms = dice_in(d, 200, 2500),
                                        .for_ms = 60000,
                                        .fault = dice_one_in(d, 2) ? SIM_OPERATOR_SHUTS : SIM_OPERATOR_DRAINS,
                                        .there = true};
}

void story_draw_calm(struct story *s, struct dice *d)
{
    bool slow = dice_one_in(d, 4); /* a drain that outlasts a claim */

    s->call_fault_in = s->frail_in = s->stuck_in = 0;
    s->on_inconclusive = s->pause_after = 0;
    s->serves_badly = false;
    s->traffic = 1;
    s->n_events = 0;
    s->n_processes = 1;
    s->processes[0] = (struct story_process){.rollout = 1};
    memset(s->fate, 0, sizeof s->fate);
    memset(s->undo_fate, 0, sizeof s->undo_fate);
    memset(s->flap_ms, 0, sizeof s->flap_ms);
    for (uint8_t i = 0; i < s->nodes; i++)
        s->gets_healthy_ms[i] = s->gets_healthy_ms[i] > 1000 ? 1000 : s->gets_healthy_ms[i];
    s->hold_ms = slow ? 5000 : s->hold_ms > 600 ? 600 : s->hold_ms;
    s->ttl_ms = slow ? 3000 : s->ttl_ms;
    s->drain_ms = 8000;
    s->poll_ms = 250;
    s->healthy_ms = 20000;
    s->sticky_in = 0;
}

/* By dice of its own: a story without hooks is what it was before there were any. */
static void draw_hooks(struct story *s, uint64_t seed)
{
    struct dice d = {seed * UINT64_C(0x9e3779b97f4a7c15) + 17};
    bool calm = story_is_calm(s);

    if (!dice_one_in(&d, 6))
        return;
    s->hooks = (uint8_t)dice_in(&d, 1, 15);
    s->hook_two = dice_one_in(&d, 4);
    s->hook_ms = dice_one_in(&d, 4) ? 12000 : dice_in(&d, 10, 2000);
    s->hook_limit_ms = calm ? 20000 : dice_in(&d, 3, 14) * 1000;
    s->hook_fate_at = (uint8_t)dice_below(&d, HOOK_AT_END);
    for (uint8_t i = 0; i < s->nodes && !calm; i++)
        s->hook_fate[i] =
            (uint8_t)(dice_one_in(&d, 3) ? dice_in(&d, HOOK_FATE_FAILS, HOOK_FATE_HANGS) : HOOK_FATE_GOOD);
    s->end_fate =
        (uint8_t)(!calm && dice_one_in(&d, 2) ? dice_in(&d, HOOK_FATE_FAILS, HOOK_FATE_HANGS) : HOOK_FATE_GOOD);
}

void story_draw(struct story *s, uint64_t seed)
{
    struct dice d = {seed * UINT64_C(0x2545f4914f6cdd1d) + 1};

    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->faults_until = UINT32_MAX;
    draw_fleet(s, &d);
    draw_settings(s, &d);
    draw_ways(s, &d);
    draw_fates(s, &d);
    draw_events(s, &d);
    draw_processes(s, &d);
    if (dice_one_in(&d, 4))
        draw_pair(s, &d);
    if (dice_one_in(&d, 10))
        draw_before(s, &d);
    if (dice_one_in(&d, 14))
        draw_drained_and_killed(s, &d);
    if (dice_one_in(&d, 20))
        story_draw_sleeper(s, &d);
    if (dice_one_in(&d, 30))
        draw_floor_and_operator(s, &d);
    story_draw_kind(s, &d);
    if (dice_one_in(&d, 8))
        story_draw_calm(s, &d);
    else if (dice_one_in(&d, 24))
        story_draw_wished(s, &d);
    draw_hooks(s, seed);
    if (dice_one_in(&d, 20))
        draw_forgotten_sleeper(s, &d);
    story_draw_aimed(s);
}

bool story_is_calm(const struct story *s)
{
    bool calm = s->call_fault_in == 0 && s->on_inconclusive == 0 &&
                (s->wished || (s->pause_after == 0 && s->processes[0].wish == 0 && s->n_processes == 1)) &&
                s->frail_in == 0 && s->stuck_in == 0 && s->n_events == 0 && s->hold_ms <= 5000 && s->sticky_in == 0 &&
                s->drain_ms >= 8000 && !s->serves_badly && s->traffic > 0 && s->processes[0].crash_at == 0 &&
                s->processes[0].pause_at == 0 && s->processes[0].full_at == 0 && s->processes[0].signal_ms == 0 &&
                s->end_fate == HOOK_FATE_GOOD && s->hook_ms <= s->hook_limit_ms;

    for (uint8_t i = 0; i < s->nodes; i++)
        calm = calm && s->hook_fate[i] == HOOK_FATE_GOOD && s->fate[i] == SIM_FATE_GOOD && s->flap_ms[i] == 0 &&
               s->gets_healthy_ms[i] <= 1000;
    return calm;
}

static void print_kind(const struct story *s, FILE *f)
{
    if (s->plus != 0)
        (void)fprintf(f, "NGINX Plus: load balancers %x, one in %u of their changes stands in the network\n", s->plus,
                      s->stuck_in);
    if (s->zones > 0)
        (void)fprintf(f, "%u zones, one after another\n", s->zones);
    if (s->two_services)
        (void)fprintf(f, "two services a host, in %s\n", s->apart ? "an upstream each" : "the same upstreams");
    if (s->grows)
        (void)fprintf(f, "nodes listen on two ports, and upstreams have the first of them\n");
    if (s->wished)
        (void)fprintf(f, "wish %u after %u ms\n", s->processes[0].wish, s->processes[0].wish_ms);
    if (s->lone || s->in_place)
        (void)fprintf(f, "%s%s\n", s->in_place ? "--in-place" : "without --in-place",
                      s->lone ? ", the second upstream has node 0 alone" : "");
}

void story_print(const struct story *s, FILE *f)
{
    static const char *const acts[] = {"roll", "repair", "rollback"};

    (void)fprintf(f,
                  "seed %llu: %u nodes, %u load balancers of %u upstreams, %u foreign peers and %u backups in each, %u "
                  "ports a node, %s%s\n",
                  (unsigned long long)s->seed, s->nodes, s->lbs, s->upstreams_per_lb, s->foreign, s->backups, s->ports,
                  s->restart ? "restart only" : "release B", s->exact ? "" : ", active not exact");
    print_kind(s, f);
    (void)fprintf(f,
                  "batch %u,%u of %u%s, max unavailable %u%s, drain %u ms%s, job %u ms, probe %u ms, threshold %u, min "
                  "healthy %u ms, deadline %u ms, bake %u ms, ttl %u ms, request %u ms, poll %u ms\n",
                  s->batches[0], s->batches[1], s->n_batches, s->batch_percent ? " (%)" : "", s->max_unavailable,
                  s->max_unavailable_percent ? "%" : "", s->drain_ms, s->proceed ? " then proceed" : "", s->job_ms,
                  s->probe_ms, s->threshold, s->min_healthy_ms, s->healthy_ms, s->bake_ms, s->ttl_ms, s->request_ms,
                  s->poll_ms);
    (void)fprintf(
        f,
        "requests last %u ms, a way takes %u ms, one in %u calls (%u) meets a fault of %02x, an agent goes for a "
        "while after one in %u; fates:",
        s->hold_ms, s->way_ms, s->call_fault_in, s->call_target, s->call_faults, s->frail_in);
    for (uint8_t i = 0; i < s->nodes; i++)
        (void)fprintf(f, " %u/%u", s->fate[i], s->undo_fate[i]);
    (void)fputc('\n', f);
    if (s->faults_until != UINT32_MAX)
        (void)fprintf(f, "the first %u of these faults, but for %llx of them\n", s->faults_until,
                      (unsigned long long)s->muted);
    if (s->hooks != 0)
        (void)fprintf(f, "hooks %x%s take %u ms, at most %u ms; those of %u come to", s->hooks,
                      s->hook_two ? " (two before-drain)" : "", s->hook_ms, s->hook_limit_ms, s->hook_fate_at);
    for (uint8_t i = 0; i < s->nodes && s->hooks != 0; i++)
        (void)fprintf(f, " %u%s", s->hook_fate[i], i + 1 == s->nodes ? "\n" : "");
    for (uint32_t i = 0; i < s->n_events; i++)
        (void)fprintf(f, "event at %u ms after %u%s for %u ms of %u: %s\n", s->events[i].at_ms, s->events[i].after,
                      s->events[i].there ? " (there)" : "", s->events[i].for_ms, s->events[i].what,
                      sim_fault_words[s->events[i].fault]);
    for (uint32_t i = 0; i < s->n_processes; i++) {
        const struct story_process *p = &s->processes[i];

        (void)fprintf(
            f, "process %u: %s r%u, start %u ms%s, crash at %u, pause at %u for %u ms, full at %u, signal %u+%u ms\n",
            i, acts[p->act], p->rollout, p->start_ms, p->overlaps ? " (overlaps)" : "", p->crash_at, p->pause_at,
            p->pause_ms, p->full_at, p->signal_ms, p->signal_more_ms);
    }
}
