#include "reach.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scene.h"

static struct sim sim;
static struct scene scene;

/* ---- states that were there before: their hashes, open addressing. The lowest bit: it is on the way to here */

static struct {
    uint64_t *slots; /* 0 = free */
    uint64_t n;
    unsigned bits;
} known;

static uint64_t *slot_of(uint64_t hash)
{
    uint64_t mask = (UINT64_C(1) << known.bits) - 1, i = (hash >> 8) & mask;

    while (known.slots[i] != 0 && (known.slots[i] | 1) != (hash | 1))
        i = (i + 1) & mask;
    return &known.slots[i];
}

static void make_slots(unsigned bits)
{
    known.bits = bits;
    known.slots = calloc(UINT64_C(1) << bits, sizeof *known.slots);
    if (known.slots == NULL) {
        (void)fprintf(stderr, "no memory for %llu states\n", 1ULL << bits);
        exit(1);
    }
}

static void make_room(void)
{
    uint64_t *old = known.slots, n = UINT64_C(1) << known.bits;

    if (known.n < n / 4 * 3)
        return;
    make_slots(known.bits + 1);
    for (uint64_t i = 0; i < n; i++)
        if (old[i] != 0)
            *slot_of(old[i]) = old[i];
    free(old);
}

/* ---- the way to here: what was kept of each state, and which of its moves is next */

struct stop {
    size_t kept; /* where */
    uint64_t hash;
    uint32_t n_moves, next;
    struct scene_move moves[SCENE_MOVES_MAX];
};

static struct {
    struct stop *stops;
    uint32_t n, capacity;
    char *kept;
    size_t used, room;
} way;

static void *grown(void *old, size_t size)
{
    void *p = realloc(old, size);

    if (p == NULL)
        abort();
    return p;
}

/* The scene is new: onto the way with it. */
static void enter(uint64_t hash)
{
    struct stop *s;

    if (way.n == way.capacity) {
        way.capacity = 2 * way.capacity + 256;
        way.stops = grown(way.stops, way.capacity * sizeof *way.stops);
    }
    if (way.room - way.used < SCENE_KEPT_MAX) {
        way.room = 2 * way.room + 16 * SCENE_KEPT_MAX;
        way.kept = grown(way.kept, way.room);
    }
    s = &way.stops[way.n++];
    s->kept = way.used;
    s->hash = hash;
    s->next = 0;
    s->n_moves = scene_moves(&scene, s->moves);
    way.used += scene_keep(&scene, way.kept + way.used);
}

static void tell(const struct reach *r, FILE *f)
{
    struct judge breach = sim.judge;

    reach_print(r, f);
    for (uint32_t i = 0; i < way.n; i++) {
        scene_take_up(&scene, way.kept + way.stops[i].kept);
        (void)fprintf(f, "%4u  ", i);
        scene_tell(&scene, &way.stops[i].moves[way.stops[i].next - 1], f);
    }
    (void)fprintf(f, "this way breaks %s: %s\n", breach.invariant, breach.breach);
}

/* False: a breach. */
static bool look_at(struct reach *r)
{
    uint64_t hash, *slot;

    if (sim.judge.breach[0] != '\0')
        return false;
    scene_settle(&scene);
    hash = scene_hash(&scene) & ~UINT64_C(1);
    hash = hash == 0 ? 2 : hash;
    slot = slot_of(hash);
    if (*slot != 0) {
        r->circles += *slot & 1;
        return true;
    }
    *slot = hash | 1;
    known.n++;
    make_room();
    r->states++;
    enter(hash);
    r->ends += way.stops[way.n - 1].n_moves == 0 ? 1 : 0;
    r->depth = way.n > r->depth ? way.n : r->depth;
    return true;
}

static bool search(struct reach *r)
{
    if (!look_at(r))
        return false;
    while (way.n > 0 && (r->most == 0 || r->states < r->most)) {
        struct stop *s = &way.stops[way.n - 1];

        if (s->next == s->n_moves) {
            *slot_of(s->hash) &= ~UINT64_C(1);
            way.used = s->kept;
            way.n--;
            continue;
        }
        scene_take_up(&scene, way.kept + s->kept);
        r->moves++;
        scene_move(&scene, &s->moves[s->next++]);
        if (!look_at(r))
            return false;
    }
    r->through = way.n == 0;
    return true;
}

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool reach_run(struct reach *r, FILE *f)
{
    double began_s = cpu_s();
    bool good;

    r->states = r->moves = r->ends = r->circles = 0;
    r->depth = 0;
    r->through = false;
    known.n = 0;
    way.n = 0;
    way.used = 0;
    make_slots(20);
    scene_begin(&scene, &sim, r);
    good = search(r);
    r->took_s = cpu_s() - began_s;
    if (!good)
        tell(r, f);
    free(known.slots);
    return good;
}

void reach_print(const struct reach *r, FILE *f)
{
    (void)fprintf(
        f,
        "%u nodes, %u load balancers%s, %s, %u at a time, %u deaths, %u faults, %u reloads: %llu states, %llu "
        "transitions, %llu ends, depth %u, %llu circles, %s, %.1f s\n",
        r->nodes, r->lbs, r->forgetful ? " that forget" : "", r->restart ? "restart" : "upgrade", r->at_a_time,
        r->deaths, r->faults, r->reloads, (unsigned long long)r->states, (unsigned long long)r->moves,
        (unsigned long long)r->ends, r->depth, (unsigned long long)r->circles, r->through ? "all" : "NOT all",
        r->took_s);
}
