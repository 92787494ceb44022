/* sim [-n SEEDS] [-s FIRST_SEED] [-m BREACHES] | -v SEED | -x: plays stories against the controller's object code; -v
 * tells one whole; -x is exhaust.h's. Exit 1: a breach, or with 100,000 seeds and more something that can happen never
 * did. */
#include <stdlib.h>
#include <unistd.h>

#include "campaign.h"
#include "exhaust.h"

#define SEEDS_ENOUGH 100000 /* for everything to have happened */

int main(int argc, char **argv)
{
    static struct campaign c = {.first = 1, .seeds = SEEDS_ENOUGH, .most = 1};
    bool all;
    int o;

    while ((o = getopt(argc, argv, "n:s:m:v:x")) != -1) {
        if (o == 'n')
            c.seeds = strtoull(optarg, NULL, 10);
        else if (o == 's')
            c.first = strtoull(optarg, NULL, 10);
        else if (o == 'm')
            c.most = strtoull(optarg, NULL, 10);
        else if (o == 'v')
            return campaign_tell(strtoull(optarg, NULL, 10), stdout) ? 0 : 1;
        else if (o == 'x')
            return exhaust_run(stdout) ? 0 : 1;
        else
            return 64;
    }
    campaign_run(&c, stdout);
    all = campaign_print(&c, stdout);
    if (c.breaches > 0)
        (void)printf("%llu breaches\n", (unsigned long long)c.breaches);
    return c.breaches > 0 || (!all && c.seeds >= SEEDS_ENOUGH);
}
