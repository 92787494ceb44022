/* story_kinds.c - stories of a kind of their own: what a fleet may be beside one service on each host, taken out of
 * upstreams of several at load balancers with our module. */
#include "story.h"

#include "controller/ask.h"

static uint8_t draw_hosts_of_two(struct dice *d)
{
    return (uint8_t)(dice_one_in(d, 6) ? 6 : 2 * dice_in(d, 1, 2));
}

/* A node that nobody could stand in for: it has an upstream for itself, everywhere or beside one with the others. */
static void draw_in_place(struct story *s, struct dice *d)
{
    s->in_place = !dice_one_in(d, 8); /* else it is refused */
    s->upstreams_per_lb = 2;
    s->lone = true;
    if (dice_one_in(d, 2)) {
        s->nodes = 1;
        s->foreign = 0;
        s->upstreams_per_lb = 1;
    }
    if (s->ports * s->lbs * s->upstreams_per_lb > SIM_NODE_PEERS)
        s->ports = 1;
}

static void draw_zones(struct story *s, struct dice *d)
{
    s->zones = (uint8_t)dice_in(d, 1, SIM_ZONES);
    if (s->nodes < 3 && s->zones > 1)
        s->nodes = (uint8_t)dice_in(d, 3, 4);
    if (dice_one_in(d, 2)) { /* enough at a time to have two zones in motion */
        s->batches[0] = s->batches[1] = dice_in(d, 2, 3);
        s->batch_percent = false;
        s->max_unavailable = 2;
        s->max_unavailable_percent = false;
        s->max_failures = s->max_failures == UINT32_MAX ? UINT32_MAX : dice_below(d, 2);
    }
}

static void draw_services(struct story *s, struct dice *d)
{
    s->two_services = true;
    s->nodes = draw_hosts_of_two(d);
    s->apart = dice_one_in(d, 2);
    if (s->apart) {
        s->upstreams_per_lb = 2;
        s->foreign = s->nodes == 2 ? 1 : s->foreign;
    }
    if (s->ports * s->lbs * (s->apart ? 1 : s->upstreams_per_lb) > SIM_NODE_PEERS)
        s->ports = 1;
    if (dice_one_in(d, 2)) { /* both of a host at a time */
        s->batches[0] = s->batches[1] = 2;
        s->batch_percent = false;
    }
}

/* Alone, or beside load balancers with our module. */
static void draw_plus(struct story *s, struct dice *d)
{
    uint8_t all = (uint8_t)((1u << s->lbs) - 1);

    s->plus = (uint8_t)(dice_one_in(d, 2) ? all : 1u << dice_below(d, s->lbs));
    s->stuck_in = (uint8_t)(dice_one_in(d, 3) ? dice_in(d, 2, 6) : 0);
    if (dice_one_in(d, 2))
        story_draw_sleeper(s, d);
    else if (dice_one_in(d, 3) && s->call_fault_in > 0)
        s->call_target = story_target(ACT_LOCK, 0);
    if (dice_one_in(d, 4)) { /* each has votes of its own, and one may lack them */
        s->two_services = true;
        s->nodes = draw_hosts_of_two(d);
        s->call_target = story_target(ACT_LOCK, 0);
        s->call_fault_in = (uint16_t)dice_in(d, 2, 5);
        s->call_faults = 0xff;
    }
    for (uint32_t i = 0; i < s->n_events;
         i++) /* a majority that forgets is no lock any more, and nobody could help it */
        if (s->events[i].fault == SIM_AGENT_FORGETS && (i > 0 || s->nodes < 3 || s->two_services))
            s->events[i].fault = SIM_AGENT_DIES;
}

/* A file changes behind the plan's back: a node's server in one more upstream, or its other port beside the first. */
static void draw_grows(struct story *s, struct dice *d)
{
    static const uint8_t after[] = {0, ASK_STATUS, ASK_CLAIM, ASK_DRAIN, ASK_DOWN, ASK_JOB};

    s->grows = true;
    s->ports = 2;
    s->upstreams_per_lb = 2;
    s->lbs = s->lbs > 2 ? 2 : s->lbs;
    s->foreign = s->foreign > 0 ? s->foreign : 1;
    if (s->n_events < STORY_EVENTS)
        s->n_events++;
    for (uint32_t i = 0; i < 2 && i < s->n_events; i++)
        s->events[s->n_events - 1 - i] = (struct story_event){.after = after[dice_below(d, sizeof after)],
                                                              .at_ms = dice_below(d, 1500),
                                                              .fault = SIM_LB_GROWS,
                                                              .what = (uint8_t)dice_below(d, 256),
                                                              .there = true};
}

/* Nothing but a person's wish, and the same rollout once more. */
void story_draw_wished(struct story *s, struct dice *d)
{
    story_draw_calm(s, d);
    s->wished = true;
    s->n_processes = 2;
    s->processes[0].wish = (uint8_t)dice_in(d, WISH_PAUSE, WISH_PROMOTE);
    s->processes[0].wish_ms = dice_in(d, 1, 2000 + 2500u * s->nodes);
    s->processes[1] =
        (struct story_process){.rollout = 1, .start_ms = dice_below(d, 3000), .empty_disk = dice_one_in(d, 2)};
    if (s->processes[0].wish == WISH_PROMOTE) {
        s->n_processes = 1;
        s->pause_after = dice_in(d, 1, 2);
        s->processes[0].wish_ms = 15000 + 3000u * s->nodes;
    }
}

void story_draw_kind(struct story *s, struct dice *d)
{
    static void (*const kinds[])(struct story *, struct dice *) = {draw_in_place, draw_zones, draw_services,
                                                                   draw_plus,     draw_plus,  draw_grows};
    uint32_t i = dice_below(d, 18);

    if (i < sizeof kinds / sizeof *kinds)
        kinds[i](s, d);
}
