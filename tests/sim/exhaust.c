#include "exhaust.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define SET_BITS 22 /* of the hash set of states */

static struct sim sim;
static struct tally tally;
static struct {
    uint64_t *slots; /* 0 = free */
    uint64_t n;
} states;

static void put(uint64_t hash)
{
    uint64_t i = hash & ((UINT64_C(1) << SET_BITS) - 1);

    hash |= 1;
    while (states.slots[i] != 0 && states.slots[i] != hash)
        i = (i + 1) & ((UINT64_C(1) << SET_BITS) - 1);
    if (states.slots[i] == hash)
        return;
    states.slots[i] = hash;
    if (++states.n > UINT64_C(3) << (SET_BITS - 2)) {
        (void)fprintf(stderr, "more states than the set holds: raise SET_BITS\n");
        exit(1);
    }
}

static uint64_t mixed(uint64_t hash, uint64_t with)
{
    return (hash ^ with) * UINT64_C(0x100000001b3) ^ hash >> 29;
}

static uint64_t hash_truth(const struct sim_truth *t, uint64_t hash)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        hash = mixed(hash, (uint64_t)t->peers[i].gate << 1 | sim_peer_holds(t, i));
    for (uint8_t i = 0; i < t->n_upstreams; i++)
        hash = mixed(hash, t->upstreams[i].lease.who.fence << 1 | (t->upstreams[i].lease.until_ms > t->now_ms));
    for (uint8_t i = 0; i < t->n_nodes; i++) {
        const struct sim_agent *a = &t->agents[i];
        const struct sim_job *job = sim_job_last(a);

        hash = mixed(hash, (uint64_t)a->now.exe << 32 | a->now.pid);
        hash = mixed(hash, a->claim.there ? a->claim.who.fence << 2 | (a->claim.until_ms > t->now_ms ? 3u : 1u) : 0);
        hash = mixed(hash, job == NULL ? 0 : (uint64_t)job->order << 8 | job->state);
    }
    return hash;
}

/* After every event. */
static void seen(const struct sim *s)
{
    uint64_t hash = hash_truth(&s->truth, UINT64_C(0xcbf29ce484222325));

    for (uint32_t i = 0; i < s->n_seats; i++) {
        const struct sim_seat *seat = &s->seats[i];

        hash = mixed(hash, (uint64_t)seat->state << 8 | seat->act);
        for (uint32_t n = 0; seat->view != NULL && seat->state == SEAT_RUNS && n < seat->plan->n_nodes; n++) {
            const struct node *node = &seat->view->nodes[n].state;

            hash = mixed(hash, (uint64_t)node->step << 32 | (uint64_t)node->asked << 24 | node->out_mask << 8 |
                                   (uint64_t)node->failed << 1 | node->stopping);
        }
    }
    put(hash);
}

static struct story base(uint8_t lbs, bool restart, uint32_t at_a_time)
{
    struct story s = {.seed = 1,
                      .nodes = 3,
                      .lbs = lbs,
                      .upstreams_per_lb = 1,
                      .ports = 1,
                      .exact = true,
                      .restart = restart,
                      .n_batches = 1,
                      .max_unavailable = at_a_time,
                      .drain_ms = 8000,
                      .job_ms = 4000,
                      .probe_ms = 250,
                      .threshold = 1,
                      .healthy_ms = 20000,
                      .ttl_ms = 3000,
                      .request_ms = 1000,
                      .poll_ms = 250,
                      .hold_ms = 300,
                      .way_ms = 5,
                      .traffic = 1,
                      .n_processes = 1};

    s.batches[0] = at_a_time;
    s.processes[0] = (struct story_process){.rollout = 1};
    return s;
}

static bool play(struct story *s, FILE *f)
{
    const struct sim_seat *last = &sim.seats[s->n_processes - 1];

    sim.seen = seen;
    if (sim_play(&sim, s, &tally)) {
        bool held = s->n_processes > 1 && s->processes[1].rollout != s->processes[0].rollout;

        if (last->state != SEAT_ENDED || last->code == 0 || (held && last->code == 6)) /* by the dead repair */
            return true;
        judge_breach(&sim.judge, "goal", "nothing but deaths, and the last controller ended with %d", last->code);
    }
    story_print(s, f);
    trace_print(&sim.trace, f, 60);
    (void)fprintf(f, "breaks %s: %s\n", sim.judge.invariant, sim.judge.breach);
    return false;
}

/* In how many places can the i-th controller be killed, when those before it are killed as the story says? */
static bool places(struct story *s, uint32_t i, uint32_t *n, FILE *f)
{
    bool good;

    s->processes[i].crash_at = 0;
    s->n_processes = i + 1;
    good = play(s, f);
    *n = sim.seats[i].points;
    return good;
}

static bool two_deaths(struct story *s, FILE *f)
{
    uint32_t first, second;

    if (!places(s, 0, &first, f))
        return false;
    for (uint32_t a = 1; a <= first; a++) {
        s->processes[0].crash_at = a;
        if (!places(s, 1, &second, f))
            return false;
        for (uint32_t b = 1; b <= second; b++) {
            s->processes[1].crash_at = b;
            s->n_processes = 3;
            if (!play(s, f))
                return false;
        }
    }
    return true;
}

bool exhaust_run(FILE *f)
{
    states.slots = calloc(UINT64_C(1) << SET_BITS, sizeof *states.slots);
    if (states.slots == NULL)
        return false;
    for (uint32_t i = 0; i < 16; i++) {
        struct story s = base(i & 1 ? 2 : 1, (i & 2) != 0, i & 4 ? 2 : 1);
        uint64_t before = tally.stories, known = states.n;

        for (uint32_t k = 1; k < 3; k++)
            s.processes[k] = (struct story_process){.rollout = (uint8_t)(i & 8 && k == 1 ? 3 : 1),
                                                    .act = i & 8 && k == 1 ? STORY_REPAIR : STORY_ROLL,
                                                    .start_ms = 700,
                                                    .empty_disk = k == 1};
        if (!two_deaths(&s, f))
            return false;
        (void)fprintf(f, "3 nodes, %u load balancers, %s, %u at a time, then %s: %llu rollouts, %llu states\n", s.lbs,
                      s.restart ? "restart" : "upgrade", s.batches[0], i & 8 ? "repair, resume" : "resume, resume",
                      (unsigned long long)(tally.stories - before), (unsigned long long)(states.n - known));
    }
    (void)fprintf(f, "%llu rollouts, %llu states, no breach\n", (unsigned long long)tally.stories,
                  (unsigned long long)states.n);
    free(states.slots);
    return true;
}
