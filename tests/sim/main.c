/* sim [-n SEEDS] [-s FIRST_SEED] [-m BREACHES] | -v SEED | --shrink SEED | -x | -r SIZE: plays stories against the
 * controller's object code; -v tells one whole, --shrink the smallest that breaks as it does; -x is exhaust.h's and
 * reach.h's, -r one size of the latter. Exit 1: a breach, or with 100,000 seeds and more something that can happen
 * never did. */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "campaign.h"
#include "exhaust.h"
#include "reach.h"
#include "shrink.h"

#define SEEDS_ENOUGH 100000 /* for everything to have happened */

static bool reach(struct reach r)
{
    bool good = reach_run(&r, stdout);

    if (good)
        reach_print(&r, stdout);
    (void)fflush(stdout);
    return good;
}

/* "nodes,lbs,at a time,restart,forgetful,deaths,faults,reloads,prompt,most" */
static bool reach_one(const char *text)
{
    unsigned long n[10] = {3, 1, 1, 0, 0, 0, 0, 0, 1, 0};

    for (unsigned i = 0; i < 10 && *text != '\0'; i++) {
        char *end;

        n[i] = strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return reach((struct reach){.nodes = (uint8_t)n[0],
                                .lbs = (uint8_t)n[1],
                                .at_a_time = (uint8_t)n[2],
                                .restart = n[3] != 0,
                                .forgetful = n[4] != 0,
                                .deaths = (uint8_t)n[5],
                                .faults = (uint8_t)n[6],
                                .reloads = (uint8_t)n[7],
                                .prompt = n[8] != 0,
                                .most = n[9]});
}

/* What finishes in some minutes. */
static bool reach_all(void)
{
    static const char *const sizes[] = {
        "2,1,1,0,0,0,0,0,0", /* renewals at any time */
        "3,1,1",
        "3,1,2", /* 4.7 million states */
        "2,2,1", /* 1.8 million */
        "3,1,1,0,0,0,1",
        "3,1,1,1,0,1",
        "3,1,1,0,0,1",
        "2,1,1,1,0,2",
        "2,1,1,0,0,2",
        "3,1,1,0,0,2", /* 23 million: 71 s of CPU, some 700 MB */
        "3,2,1",       /* 24 million: 100 s; of 3 nodes and 2 load balancers with a death nobody has seen the end */
    };
    bool good = true;

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes && good; i++)
        good = reach_one(sizes[i]);
    return good;
}

int main(int argc, char **argv)
{
    static const struct option words[] = {{"shrink", required_argument, NULL, 'S'}, {0}};
    static struct campaign c = {.first = 1, .seeds = SEEDS_ENOUGH, .most = 1};
    bool all;
    int o;

    while ((o = getopt_long(argc, argv, "n:s:m:v:xr:", words, NULL)) != -1) {
        if (o == 'n')
            c.seeds = strtoull(optarg, NULL, 10);
        else if (o == 's')
            c.first = strtoull(optarg, NULL, 10);
        else if (o == 'm')
            c.most = strtoull(optarg, NULL, 10);
        else if (o == 'v')
            return campaign_tell(strtoull(optarg, NULL, 10), stdout) ? 0 : 1;
        else if (o == 'S')
            return shrink_run(strtoull(optarg, NULL, 10), stdout) ? 1 : 0;
        else if (o == 'x')
            return exhaust_run(stdout) && reach_all() ? 0 : 1;
        else if (o == 'r')
            return reach_one(optarg) ? 0 : 1;
        else
            return 64;
    }
    campaign_run(&c, stdout);
    all = campaign_print(&c, stdout);
    if (c.breaches > 0)
        (void)printf("%llu breaches\n", (unsigned long long)c.breaches);
    return c.breaches > 0 || (!all && c.seeds >= SEEDS_ENOUGH);
}
