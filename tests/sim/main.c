/* sim [-n SEEDS] [-s FIRST_SEED] [-v SEED]: plays that many stories against the controller's object code. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

static struct sim sim;
static struct tally tally;

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell_breach(const struct story *s, uint32_t last)
{
    story_print(s, stdout);
    trace_print(&sim.trace, stdout, last);
    (void)printf("seed %llu breaks %s: %s\n", (unsigned long long)s->seed, sim.judge.invariant, sim.judge.breach);
}

int main(int argc, char **argv)
{
    uint64_t first = 1, n = 1000, hash = 0, breaches = 0, most = 1;
    bool loud = false;
    double began, took;
    int c;

    while ((c = getopt(argc, argv, "n:s:v:m:")) != -1) {
        if (c == 'n')
            n = strtoull(optarg, NULL, 10);
        else if (c == 's')
            first = strtoull(optarg, NULL, 10);
        else if (c == 'm')
            most = strtoull(optarg, NULL, 10);
        else if (c == 'v') {
            first = strtoull(optarg, NULL, 10);
            n = 1;
            loud = true;
        } else
            return 64;
    }
    began = now_s();
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct story story;

        story_draw(&story, seed);
        bool good = sim_play(&sim, &story, &tally);
        hash = (hash ^ sim.trace.hash) * UINT64_C(0x100000001b3);
        if (!good)
            tell_breach(&story, loud ? TRACE_KEPT : most > 1 ? 0 : 60);
        else if (loud)
            trace_print(&sim.trace, stdout, TRACE_KEPT);
        if (!good && ++breaches >= most)
            break;
    }
    took = now_s() - began;
    if (!loud)
        (void)tally_print(&tally, stdout);
    (void)printf("%llu stories, %llu controllers, %llu turns in %.2f s: %.0f a second; hash %016llx; %llu breaches\n",
                 (unsigned long long)tally.stories, (unsigned long long)tally.processes,
                 (unsigned long long)tally.turns, took, (double)tally.stories / took, (unsigned long long)hash,
                 (unsigned long long)breaches);
    return breaches > 0;
}
