/* story_aimed.c - stories that lead straight to one point at which a rule of the controller's decides. Chance alone
 * comes there once in thousands of stories; of these there are some in any thousand, each kind in turn. What matters
 * little for the point (times, how many nodes, what lasts how long) is drawn. */
#include <string.h>

#include "controller/ask.h"
#include "controller/options.h"
#include "story.h"

#define AIMED_IN 5

/* One service on a host, one upstream, nobody beside it, and nothing goes wrong. */
static void draw_plain(struct story *s, struct dice *d)
{
    story_make_smooth(s);
    s->nodes = (uint8_t)dice_in(d, 2, 3);
    s->lbs = s->upstreams_per_lb = s->ports = 1;
    s->foreign = s->backups = s->at_target = s->plus = s->stuck_in = s->zones = s->hooks = 0;
    s->two_services = s->apart = s->lone = s->in_place = s->grows = s->wished = false;
    s->batches[0] = s->batches[1] = s->n_batches = s->max_unavailable = 1;
    s->batch_percent = s->max_unavailable_percent = s->serves_badly = false;
    s->sticky_in = 0;
    s->hold_ms = dice_below(d, 300);
    s->way_ms = dice_in(d, 1, 20);
    s->drain_ms = 8000;
    s->call_fault_in = 0;
    s->call_target = s->call_after = 0;
    s->n_events = 0;
    for (uint8_t i = 0; i < s->nodes; i++)
        s->gets_healthy_ms[i] = (uint16_t)dice_below(d, 400);
}

/* The first `most` of such calls meet it. */
static void fail_calls(struct story *s, uint8_t target, enum sim_fault fault, uint32_t most)
{
    s->call_target = target;
    s->call_faults = (uint8_t)(1u << fault);
    s->call_fault_in = 1;
    s->faults_until = most;
}

static struct story_event *befalls(struct story *s, uint8_t after, uint32_t at_ms, enum sim_fault fault)
{
    struct story_event *e = &s->events[s->n_events++];

    *e = (struct story_event){
        .at_ms = at_ms, .after = after, .for_ms = 60000, .fault = (uint8_t)fault, .there = after != 0};
    return e;
}

/* It is killed, and another comes. */
static void then_comes(struct story *s, struct dice *d, uint32_t crash_at, enum story_act act, uint8_t rollout)
{
    s->processes[0].crash_at = crash_at;
    s->n_processes = 2;
    s->processes[1] = (struct story_process){
        .act = (uint8_t)act, .rollout = rollout, .start_ms = dice_below(d, 3000), .empty_disk = dice_one_in(d, 2)};
}

/* One of two load balancers has it in use again and is not heard of from then on. */
static void draw_one_unheard(struct story *s, struct dice *d)
{
    uint32_t at_ms = dice_in(d, 900, 2500);

    s->lbs = 2;
    s->request_ms = 3000;
    s->hold_ms = 0;
    fail_calls(s, ASK_STATUS, SIM_HUNG_REQUEST, 1);
    s->call_after = ASK_DOWN;
    befalls(s, ASK_DOWN, at_ms, SIM_OPERATOR_OPENS)->what = 1;
    befalls(s, ASK_DOWN, at_ms + 1, SIM_LB_DIES)->what = 1;
}

/* Old workers of an nginx hold requests that its lists do not show. */
static void draw_old_workers(struct story *s, struct dice *d)
{
    s->exact = false;
    s->hold_ms = 6000;
    s->way_ms = dice_in(d, 1, 4);
    befalls(s, ASK_DRAIN, dice_in(d, 10, 500), SIM_LB_RELOADS);
}

/* A node that a dead controller left out has another process when it is taken up again. */
static void draw_restarted_meanwhile(struct story *s, struct dice *d)
{
    then_comes(s, d, dice_in(d, 23, 38), STORY_ROLL, 1);
    befalls(s, ASK_DRAIN, dice_in(d, 200, 2500), dice_one_in(d, 2) ? SIM_NODE_REBOOTS : SIM_PROCESS_RESTARTED);
}

/* Somebody moves a peer just before it is looked at for the last time. */
static void draw_moved_before_the_job(struct story *s, struct dice *d)
{
    s->hold_ms = 0;
    s->way_ms = 200;
    s->poll_ms = 1000;
    befalls(s, ASK_DOWN, dice_in(d, 200, 450), SIM_OPERATOR_DRAINS);
}

static void draw_refused_by_one(struct story *s, struct dice *d)
{
    s->lbs = (uint8_t)dice_in(d, 2, 3);
    fail_calls(s, ASK_DRAIN, SIM_REFUSED, UINT32_MAX);
    s->call_fault_in = 2;
}

/* ... with one more server of a node, mostly its second port beside the first. */
static void draw_one_more_server(struct story *s, struct dice *d)
{
    s->grows = true;
    s->ports = s->upstreams_per_lb = 2;
    s->foreign = 1;
    s->hold_ms = 12000; /* it is long since by the time of the job */
    s->drain_ms = 20000;
    befalls(s, dice_one_in(d, 2) ? ASK_CLAIM : ASK_DRAIN, dice_below(d, 30), SIM_LB_GROWS)->what =
        dice_one_in(d, 3) ? 0 : 1 << 6;
}

/* Another rollout comes by what a dead one left out, once that is seen to be dead. */
static void draw_new_beside_a_dead(struct story *s, struct dice *d)
{
    then_comes(s, d, dice_in(d, 22, 40), STORY_ROLL, 2);
    s->processes[1].start_ms += s->ttl_ms;
    s->nodes = 3;
    s->max_unavailable = 2; /* the floor would not say no before */
}

/* What runs is neither the one nor the other release, and nobody can take it back. */
static void draw_neither_release(struct story *s, struct dice *d)
{
    static const uint8_t undo[] = {SIM_FATE_REFUSED, SIM_FATE_KEPT, SIM_FATE_UNTRUE};

    s->fate[0] = SIM_FATE_WRONG;
    s->undo_fate[0] = undo[dice_below(d, sizeof undo)];
}

/* A job was lost, and the node is in use again when it would be sent once more. */
static void draw_opened_before_the_job_again(struct story *s, struct dice *d)
{
    s->request_ms = 1000;
    s->poll_ms = 1000;
    s->hold_ms = 0;
    fail_calls(s, ASK_JOB, SIM_HUNG_REQUEST, 1);
    befalls(s, ASK_JOB, dice_in(d, 100, 950), SIM_OPERATOR_OPENS);
}

/* A drain was lost, and the others are less when it would be sent once more. */
static void draw_less_before_the_drain_again(struct story *s, struct dice *d)
{
    s->nodes = 3;
    s->request_ms = 1000;
    fail_calls(s, ASK_DRAIN, SIM_HUNG_REQUEST, 1);
    befalls(s, ASK_DRAIN, dice_in(d, 0, 900), dice_one_in(d, 2) ? SIM_OPERATOR_SHUTS : SIM_PEER_FAILS);
    s->events[0].there = false;
    s->events[0].what = (uint8_t)dice_in(d, 1, 2);
}

static void draw_full_disk(struct story *s, struct dice *d)
{
    s->processes[0].full_at = dice_in(d, 2, 12);
}

static void draw_both_of_a_host(struct story *s, struct dice *d)
{
    s->two_services = true;
    s->nodes = (uint8_t)(2 * dice_in(d, 1, 2));
    s->foreign = dice_one_in(d, 2) ? 1 : 0;
    s->batches[0] = s->batches[1] = 2;
}

/* It stands still just before it drains; a repair takes the node over, nginx forgets it, and then it wakes up. */
static void draw_wakes_before_the_drain(struct story *s, struct dice *d)
{
    s->processes[0].pause_at = dice_in(d, 12, 18);
    s->processes[0].pause_ms = s->ttl_ms + dice_in(d, 8000, 12000);
    s->n_processes = 2;
    s->processes[1] =
        (struct story_process){.act = STORY_REPAIR, .rollout = 2, .overlaps = true, .start_ms = dice_in(d, 200, 2000)};
    befalls(s, 0, s->processes[0].pause_ms - dice_below(d, 1500), SIM_LB_FORGETS);
}

/* Of two services' votes some are refused or lost. */
static void draw_votes_of_two(struct story *s, struct dice *d)
{
    s->plus = 1;
    s->two_services = true;
    s->nodes = 4;
    fail_calls(s, story_target(ACT_LOCK, 0), dice_one_in(d, 2) ? SIM_REFUSED : SIM_REFUSED_CONNECTION, UINT32_MAX);
    s->call_fault_in = (uint16_t)dice_in(d, 2, 3);
}

/* It has asked for votes, stands still, and reads the answers when the votes are nearly over. */
static void draw_votes_read_late(struct story *s, struct dice *d)
{
    s->plus = 1;
    s->nodes = 3;
    s->ttl_ms = dice_in(d, 3, 10) * 1000;
    s->processes[0].pause_at = dice_one_in(d, 4) ? dice_in(d, 5, 12) : 8;
    s->processes[0].pause_ms = s->ttl_ms - dice_in(d, 10, 60);
}

/* Somebody restarts the process between two checks of its health. */
static void draw_restarted_between_checks(struct story *s, struct dice *d)
{
    s->threshold = 3;
    befalls(s, ASK_HEALTH, dice_in(d, 20, s->probe_ms * 2), SIM_PROCESS_RESTARTED);
}

/* nginx forgets a node that gets healthy just then, and the request that takes it down again is slow. */
static void draw_slow_hold(struct story *s, struct dice *d)
{
    s->threshold = 1;
    s->min_healthy_ms = 0;
    s->probe_ms = 250;
    s->poll_ms = 200;
    s->request_ms = 3000;
    fail_calls(s, 64 + ACT_HOLD, SIM_LATE, 1);
    for (uint8_t i = 0; i < s->nodes; i++)
        s->gets_healthy_ms[i] = (uint16_t)dice_in(d, 600, 900);
    befalls(s, ASK_JOB_END, dice_below(d, 100), SIM_LB_FORGETS);
}

static void draw_paused_by_wish(struct story *s, struct dice *d)
{
    story_draw_wished(s, d);
    s->n_processes = 2;
    s->pause_after = 0;
    s->nodes = (uint8_t)dice_in(d, 3, 4);
    s->processes[0].wish = WISH_PAUSE;
    s->processes[0].wish_ms = dice_in(d, 500, 6000);
    s->processes[1] = (struct story_process){.rollout = 1, .start_ms = dice_below(d, 3000)};
}

static void draw_claim_refused(struct story *s, struct dice *d)
{
    fail_calls(s, ASK_CLAIM, SIM_REFUSED, dice_in(d, 1, 2));
}

/* Nobody can stand in for it, and it is ill by its job. */
static void draw_ill_in_place(struct story *s, struct dice *d)
{
    s->in_place = s->lone = true;
    s->nodes = (uint8_t)dice_in(d, 1, 2);
    s->upstreams_per_lb = s->nodes == 1 ? 1 : 2;
    s->fate[0] = SIM_FATE_ILL;
    s->undo_fate[0] = dice_one_in(d, 2) ? SIM_FATE_GOOD : SIM_FATE_REFUSED;
}

/* A hook takes longer than a claim is good for. */
static void draw_long_hook(struct story *s, struct dice *d)
{
    story_draw_calm(s, d);
    s->ttl_ms = 3000;
    s->hooks = (uint8_t)dice_in(d, 1, 7);
    s->hook_two = false;
    s->hook_ms = 15000;
    s->hook_limit_ms = 20000;
    s->end_fate = HOOK_FATE_GOOD;
    memset(s->hook_fate, HOOK_FATE_GOOD, sizeof s->hook_fate);
}

/* It stands still between what it decided and the change at an NGINX Plus, for longer than its votes are good. */
static void draw_sleeps_on_a_change(struct story *s, struct dice *d)
{
    s->plus = 1;
    s->nodes = 3;
    s->processes[0].pause_at = dice_in(d, 20, 34);
    s->processes[0].pause_ms = s->ttl_ms + dice_below(d, 3000);
}

/* It stands still between two nodes. Its id comes again, cannot claim the next one, and takes the first one back; then
 * nginx forgets both of them, and the first wakes up. */
static void draw_done_and_taken_back(struct story *s, struct dice *d)
{
    s->nodes = 2;
    s->threshold = 1;
    s->min_healthy_ms = s->bake_ms = 0;
    s->hold_ms = 0;
    s->way_ms = 1;
    s->failure_action = FAILURE_ACTION_ROLLBACK;
    s->max_failures = 0;
    s->restart = false;
    s->processes[0].pause_at = dice_in(d, 64, 76);
    s->processes[0].pause_ms = s->ttl_ms + 15000;
    s->n_processes = 2;
    s->processes[1] = (struct story_process){.rollout = 1, .overlaps = true, .start_ms = dice_in(d, 200, 2000)};
    fail_calls(s, ASK_CLAIM, SIM_REFUSED, 1);
    s->call_after = ASK_UNCLAIM;
    befalls(s, 0, s->processes[0].pause_ms, SIM_LB_FORGETS);
}

void story_draw_aimed(struct story *s)
{
    static void (*const kinds[])(struct story *, struct dice *) = {draw_one_unheard,
                                                                   draw_old_workers,
                                                                   draw_restarted_meanwhile,
                                                                   draw_moved_before_the_job,
                                                                   draw_refused_by_one,
                                                                   draw_one_more_server,
                                                                   draw_new_beside_a_dead,
                                                                   draw_neither_release,
                                                                   draw_opened_before_the_job_again,
                                                                   draw_less_before_the_drain_again,
                                                                   draw_full_disk,
                                                                   draw_both_of_a_host,
                                                                   draw_wakes_before_the_drain,
                                                                   draw_votes_of_two,
                                                                   draw_votes_read_late,
                                                                   draw_restarted_between_checks,
                                                                   draw_slow_hold,
                                                                   draw_paused_by_wish,
                                                                   draw_claim_refused,
                                                                   draw_ill_in_place,
                                                                   draw_long_hook,
                                                                   draw_sleeps_on_a_change,
                                                                   draw_done_and_taken_back};
    struct dice d = {s->seed * UINT64_C(0xd1342543de82ef95) + 1};

    if (s->seed % AIMED_IN != 0)
        return;
    draw_plain(s, &d);
    kinds[s->seed / AIMED_IN % (sizeof kinds / sizeof *kinds)](s, &d);
}
