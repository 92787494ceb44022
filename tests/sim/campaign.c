#include "campaign.h"

#include <time.h>

#include "sim.h"

#define TOLD_ROWS 60 /* of the trace of a breach */

static struct sim sim;

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const struct story *s, uint32_t rows, FILE *f)
{
    story_print(s, f);
    trace_print(&sim.trace, f, rows);
    if (sim.judge.breach[0] != '\0')
        (void)fprintf(f, "seed %llu breaks %s: %s\n", (unsigned long long)s->seed, sim.judge.invariant,
                      sim.judge.breach);
}

void campaign_run(struct campaign *c, FILE *f)
{
    double began_s = cpu_s();

    for (uint64_t seed = c->first; seed < c->first + c->seeds && c->breaches < c->most; seed++) {
        struct story story;

        story_draw(&story, seed);
        if (!sim_play(&sim, &story, &c->tally)) {
            c->breaches++;
            tell(&story, c->most > 1 ? 0 : TOLD_ROWS, f);
        }
        c->hash = (c->hash ^ sim.trace.hash) * UINT64_C(0x100000001b3);
    }
    c->took_s = cpu_s() - began_s;
}

bool campaign_print(const struct campaign *c, FILE *f)
{
    const struct tally *t = &c->tally;
    bool all = tally_print(t, f);

    (void)fprintf(
        f, "%llu rollouts, %llu controllers, %llu turns in %.2f s of CPU: %.0f rollouts a second; trace %016llx\n",
        (unsigned long long)t->stories, (unsigned long long)t->processes, (unsigned long long)t->turns, c->took_s,
        (double)t->stories / (c->took_s > 0 ? c->took_s : 1), (unsigned long long)c->hash);
    return all;
}

bool campaign_tell(uint64_t seed, FILE *f)
{
    static struct tally unused;
    struct story story;
    bool good;

    story_draw(&story, seed);
    good = sim_play(&sim, &story, &unused);
    tell(&story, TRACE_KEPT, f);
    return good;
}
