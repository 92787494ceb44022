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

#define SIZE_S 5400 /* of CPU, for one size */

/* What a size says, in this order; what it does not say is as in reach_one. */
enum {
    NODES,
    LBS,
    AT_A_TIME,
    RESTART,
    FORGETFUL,
    DEATHS,
    FAULTS,
    RELOADS,
    PROMPT,
    MOST,
    WITHOUT,
    CHECK,

    FIELDS
};

static struct reach reach_of(const char *text)
{
    unsigned long n[FIELDS] = {[NODES] = 3, [LBS] = 1, [AT_A_TIME] = 1, [PROMPT] = 1};

    for (unsigned i = 0; i < FIELDS && *text != '\0'; i++) {
        char *end;

        n[i] = strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return (struct reach){.nodes = (uint8_t)n[NODES],
                          .lbs = (uint8_t)n[LBS],
                          .at_a_time = (uint8_t)n[AT_A_TIME],
                          .restart = n[RESTART] != 0,
                          .forgetful = n[FORGETFUL] != 0,
                          .deaths = (uint8_t)n[DEATHS],
                          .faults = (uint8_t)n[FAULTS],
                          .reloads = (uint8_t)n[RELOADS],
                          .prompt = n[PROMPT] != 0,
                          .most = n[MOST],
                          .most_s = SIZE_S,
                          .without = (uint8_t)n[WITHOUT],
                          .check = n[CHECK] != 0};
}

/* False: a breach, or, with `whole`, its end was not seen. */
static bool reach_one(const char *text, bool whole)
{
    struct reach r = reach_of(text);
    bool good = reach_run(&r, stdout);

    if (good)
        reach_print(&r, stdout);
    (void)fflush(stdout);
    return good && (r.through || !whole);
}

/* The largest last. */
static bool reach_all(void)
{
    static const char *const sizes[] = {
        "2,1,1,0,0,1,0,0,1,0,0,1", /* with the check of what is left out */
        "2,2,1,0,0,0,0,0,1,0,0,1",
        "2,1,1,0,0,0,0,0,0", /* renewals at any time */
        "3,1,2",
        "3,1,1,0,0,0,1",
        "2,1,1,0,0,1,1",
        "2,1,1,0,0,0,0,1", /* reloads, and an nginx that has forgotten */
        "2,1,1,0,1,1,0,1",
        "3,1,1,1,0,1",
        "3,1,1,1,0,2",
        "3,1,1,0,0,2",
        "2,2,1,0,0,1",
        "3,2,1",
        "3,2,1,0,0,1",
        "3,2,1,0,0,2",
    };
    bool good = true;

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes && good; i++)
        good = reach_one(sizes[i], true);
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
            return reach_one(optarg, false) ? 0 : 1;
        else
            return 64;
    }
    campaign_run(&c, stdout);
    all = campaign_print(&c, stdout);
    if (c.breaches > 0)
        (void)printf("%llu breaches\n", (unsigned long long)c.breaches);
    return c.breaches > 0 || (!all && c.seeds >= SEEDS_ENOUGH);
}
