#include "reach.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reach_check.h"
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
static void enter(uint64_t hash, const struct scene_move *moves, uint32_t n_moves)
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
    s->n_moves = n_moves;
    memcpy(s->moves, moves, n_moves * sizeof *moves);
    way.used += scene_keep(&scene, way.kept + way.used);
}

/* How many moves are next; 0 where it was a breach. */
static uint32_t go(struct reach *r, const struct scene_move *move, struct scene_move *moves)
{
    r->moves++;
    scene_move(&scene, move);
    if (sim.judge.breach[0] != '\0')
        return 0;
    if (r->check)
        reach_check_keep(&scene);
    scene_settle(&scene);
    return scene_moves(&scene, moves);
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

/* ---- ends: few */

#define ENDS_BITS 18
static uint64_t ends[1 << ENDS_BITS];

static void note_end(struct reach *r, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> (64 - ENDS_BITS));

    while (ends[i] != 0 && ends[i] != hash)
        i = (i + 1) & ((1 << ENDS_BITS) - 1);
    if (ends[i] == hash || r->ends == (1 << ENDS_BITS) - 1)
        return;
    ends[i] = hash;
    r->ends++;
    r->ends_sum += hash;
}

/* The scene has these moves. False: a breach. */
static bool look_at(struct reach *r, const struct scene_move *moves, uint32_t n_moves)
{
    uint64_t hash, *slot;

    if (n_moves == 0 && scene.book.phase != SCENE_OVER && sim.judge.breach[0] == '\0')
        judge_breach(&sim.judge, "end", "nothing can happen any more");
    if (sim.judge.breach[0] != '\0')
        return false;
    if (r->check && way.n > 0 && !reach_check(&scene, moves, n_moves, stdout))
        judge_breach(&sim.judge, "check", "the search leaves out what it may not");
    if (sim.judge.breach[0] != '\0')
        return false;
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
    enter(hash, moves, n_moves);
    if (n_moves == 0) {
        note_end(r, scene_end_hash(&scene));
    }
    r->depth = way.n > r->depth ? way.n : r->depth;
    return true;
}

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* It is to go on no longer. */
static bool is_over(const struct reach *r, double began_s)
{
    if (r->most > 0 && r->states >= r->most)
        return true;
    return r->most_s > 0 && r->moves % 65536 == 0 && cpu_s() - began_s > r->most_s;
}

static bool search(struct reach *r, double began_s)
{
    static struct scene_move moves[SCENE_MOVES_MAX];

    scene_settle(&scene);
    if (!look_at(r, moves, scene_moves(&scene, moves)))
        return false;
    while (way.n > 0 && !is_over(r, began_s)) {
        struct stop *s = &way.stops[way.n - 1];

        if (s->next == s->n_moves) {
            *slot_of(s->hash) &= ~UINT64_C(1);
            way.used = s->kept;
            way.n--;
            continue;
        }
        scene_take_up(&scene, way.kept + s->kept);
        if (!look_at(r, moves, go(r, &s->moves[s->next++], moves)))
            return false;
    }
    r->through = way.n == 0;
    return true;
}

bool reach_run(struct reach *r, FILE *f)
{
    double began_s = cpu_s();
    bool good;

    r->states = r->moves = r->ends = r->circles = r->ends_sum = 0;
    r->depth = 0;
    r->through = false;
    known.n = 0;
    way.n = 0;
    way.used = 0;
    make_slots(20);
    memset(ends, 0, sizeof ends);
    scene_begin(&scene, &sim, r);
    good = search(r, began_s);
    r->took_s = cpu_s() - began_s;
    r->took_mb = ((double)(UINT64_C(8) << known.bits) + (double)way.room) / 1e6;
    if (!good)
        tell(r, f);
    free(known.slots);
    turn_free(&scene.turn);
    return good;
}

void reach_print(const struct reach *r, FILE *f)
{
    (void)fprintf(f, "%u nodes, %u load balancers%s, %s, %u at a time, %u deaths, %u faults, %u reloads", r->nodes,
                  r->lbs, r->forgetful ? " that forget" : "", r->restart ? "restart" : "upgrade", r->at_a_time,
                  r->deaths, r->faults, r->reloads);
    if (!r->prompt)
        (void)fprintf(f, ", renewals at any time");
    (void)fprintf(f,
                  ": %llu states, %llu transitions, %llu ends (%016llx), depth %u, %llu circles, %s, %.1f s, %.0f MB\n",
                  (unsigned long long)r->states, (unsigned long long)r->moves, (unsigned long long)r->ends,
                  (unsigned long long)r->ends_sum, r->depth, (unsigned long long)r->circles,
                  r->through ? "all" : "NOT all", r->took_s, r->took_mb);
}
