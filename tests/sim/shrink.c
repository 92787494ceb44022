#include "shrink.h"

#include <stddef.h>
#include <string.h>

#include "sim.h"

#define SHRINK_PLAYS 20000 /* at most */

static struct sim sim;
static struct tally unused;

static struct {
    struct story best;
    char invariant[sizeof sim.judge.invariant];
    uint32_t plays;
} found;

/* ---- numbers of a story, and the least that each may be */
struct knob {
    size_t at;
    uint32_t size, least;
};
#define KNOB(type, field, least)                                                                                       \
    {                                                                                                                  \
        offsetof(type, field), sizeof((type *)0)->field, least                                                         \
    }

static const struct knob of_story[] = {
    KNOB(struct story, nodes, 1),
    KNOB(struct story, lbs, 1),
    KNOB(struct story, upstreams_per_lb, 1),
    KNOB(struct story, ports, 1),
    KNOB(struct story, foreign, 0),
    KNOB(struct story, backups, 0),
    KNOB(struct story, zones, 0),
    KNOB(struct story, plus, 0),
    KNOB(struct story, stuck_in, 0),
    KNOB(struct story, frail_in, 0),
    KNOB(struct story, sticky_in, 0),
    KNOB(struct story, call_fault_in, 0),
    KNOB(struct story, faults_until, 0),
    KNOB(struct story, at_target, 0),
    KNOB(struct story, two_services, 0),
    KNOB(struct story, apart, 0),
    KNOB(struct story, lone, 0),
    KNOB(struct story, grows, 0),
    KNOB(struct story, in_place, 0),
    KNOB(struct story, n_batches, 1),
    KNOB(struct story, batches[0], 1),
    KNOB(struct story, batches[1], 1),
    KNOB(struct story, batch_percent, 0),
    KNOB(struct story, max_unavailable, 1),
    KNOB(struct story, max_unavailable_percent, 0),
    KNOB(struct story, proceed, 0),
    KNOB(struct story, bake_ms, 0),
    KNOB(struct story, min_healthy_ms, 0),
    KNOB(struct story, threshold, 1),
    KNOB(struct story, max_failures, 0),
    KNOB(struct story, failure_action, 0),
    KNOB(struct story, on_inconclusive, 0),
    KNOB(struct story, canary, 0),
    KNOB(struct story, pause_after, 0),
    KNOB(struct story, serves_badly, 0),
    KNOB(struct story, hooks, 0),
    KNOB(struct story, hook_two, 0),
    KNOB(struct story, hook_ms, 10),
    KNOB(struct story, end_fate, 0),
    KNOB(struct story, hold_ms, 0),
    KNOB(struct story, way_ms, 1),
};

static const struct knob of_process[] = {
    KNOB(struct story_process, empty_disk, 0),     KNOB(struct story_process, overlaps, 0),
    KNOB(struct story_process, start_ms, 0),       KNOB(struct story_process, crash_at, 0),
    KNOB(struct story_process, pause_at, 0),       KNOB(struct story_process, pause_ms, 0),
    KNOB(struct story_process, full_at, 0),        KNOB(struct story_process, wish, 0),
    KNOB(struct story_process, wish_ms, 0),        KNOB(struct story_process, signal_ms, 0),
    KNOB(struct story_process, signal_more_ms, 0),
};

static const struct knob of_event[] = {
    KNOB(struct story_event, after, 0),  KNOB(struct story_event, at_ms, 0), KNOB(struct story_event, there, 0),
    KNOB(struct story_event, for_ms, 0), KNOB(struct story_event, what, 0),
};

static uint32_t get(const struct story *s, const struct knob *k)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)s + k->at, k->size); /* the low bytes come first */
    return value;
}

static void set(struct story *s, const struct knob *k, uint32_t value)
{
    memcpy((char *)s + k->at, &value, k->size);
}

/* ---- a try */

/* What goes together (set_up in play.c, draw_fleet in story.c). */
static bool is_sound(const struct story *s)
{
    bool second = s->apart || s->lone || s->grows;

    return s->lbs * s->upstreams_per_lb * s->ports <= SIM_NODE_PEERS && (!second || s->upstreams_per_lb == 2) &&
           (!s->two_services || s->nodes % 2 == 0) && (!s->apart || s->two_services) && (!s->grows || s->ports == 2) &&
           (s->max_unavailable_percent || s->max_unavailable >= s->ports);
}

static bool breaks(const struct story *s)
{
    found.plays++;
    return !sim_play(&sim, s, &unused) && strcmp(sim.judge.invariant, found.invariant) == 0;
}

static bool try(const struct story *smaller)
{
    if (found.plays >= SHRINK_PLAYS || !is_sound(smaller) || !breaks(smaller))
        return false;
    found.best = *smaller;
    return true;
}

/* As far down as it goes: to the least, else half the way, a quarter ... */
static bool turn_down(const struct knob *k)
{
    bool any = false;

    for (uint32_t least = k->least, value = get(&found.best, k); value > least;) {
        uint32_t down = value - least;
        struct story s;

        do {
            s = found.best;
            set(&s, k, value - down);
        } while (!try(&s) && (down /= 2) > 0);
        if (down == 0)
            break;
        any = true;
        value = get(&found.best, k);
    }
    return any;
}

static bool turn_all_down(const struct knob *knobs, size_t n, size_t at)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct knob k = knobs[i];

        k.at += at;
        any = turn_down(&k) || any;
    }
    return any;
}

static bool drop_process(uint32_t i)
{
    struct story s = found.best;

    if (s.n_processes == 1)
        return false;
    memmove(&s.processes[i], &s.processes[i + 1], (--s.n_processes - i) * sizeof s.processes[0]);
    s.processes[0].overlaps = false;
    return try(&s);
}

static bool drop_event(uint32_t i)
{
    struct story s = found.best;

    memmove(&s.events[i], &s.events[i + 1], (--s.n_events - i) * sizeof s.events[0]);
    return try(&s);
}

/* The n-th of the faults that calls met. */
static bool drop_fault(uint32_t n)
{
    struct story s = found.best;

    if (s.muted >> n & 1)
        return false;
    s.muted |= UINT64_C(1) << n;
    return try(&s);
}

static bool smooth_node(uint8_t i)
{
    const struct knob fates[] = {{offsetof(struct story, fate) + i, 1, 0},
                                 {offsetof(struct story, undo_fate) + i, 1, 0},
                                 {offsetof(struct story, hook_fate) + i, 1, 0},
                                 {offsetof(struct story, gets_healthy_ms) + 2u * i, 2, 0},
                                 {offsetof(struct story, flap_ms) + 2u * i, 2, 0}};

    return turn_all_down(fates, sizeof fates / sizeof *fates, 0);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool once_more(void)
{
    bool any = false;

    for (uint32_t i = found.best.n_processes; i-- > 0;)
        any = drop_process(i) || any;
    for (uint32_t i = found.best.n_events; i-- > 0;)
        any = drop_event(i) || any;
    any = turn_all_down(of_story, COUNT(of_story), 0) || any;
    for (uint32_t i = 0; found.best.call_fault_in > 0 && i < 64 && i < found.best.faults_until; i++)
        any = drop_fault(i) || any;
    for (uint8_t i = 0; i < found.best.nodes; i++)
        any = smooth_node(i) || any;
    for (uint32_t i = 0; i < found.best.n_processes; i++)
        any = turn_all_down(of_process, COUNT(of_process),
                            offsetof(struct story, processes) + i * sizeof(struct story_process)) ||
              any;
    for (uint32_t i = 0; i < found.best.n_events; i++)
        any =
            turn_all_down(of_event, COUNT(of_event), offsetof(struct story, events) + i * sizeof(struct story_event)) ||
            any;
    return any;
}

bool shrink_run(uint64_t seed, FILE *f)
{
    story_draw(&found.best, seed);
    if (sim_play(&sim, &found.best, &unused)) {
        (void)fprintf(f, "seed %llu breaks nothing\n", (unsigned long long)seed);
        return false;
    }
    (void)snprintf(found.invariant, sizeof found.invariant, "%s", sim.judge.invariant);
    found.best.faults_until = sim.n_call_faults;
    while (once_more()) {
    }
    (void)breaks(&found.best);
    story_print(&found.best, f);
    trace_print(&sim.trace, f, TRACE_KEPT);
    (void)fprintf(f, "%u stories played; the smallest that breaks %s: %s\n", found.plays, found.invariant,
                  sim.judge.breach);
    return true;
}
