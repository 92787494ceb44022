#include "tally.h"

/* Ways that a row cannot be left in, and why. */
static const struct {
    enum step step;
    enum tally_way way;
} never[] = {
    {STEP_WAIT, WAY_FAILURE},
};

static const char *const way_names[WAYS] = {"success", "failure", "limit", "stop", "crash"};

static bool impossible(enum step step, enum tally_way way)
{
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (never[i].step == step && never[i].way == way)
            return true;
    return false;
}

static bool print_faults(const struct tally *t, FILE *f)
{
    bool all = true;

    for (uint32_t i = 0; i < SIM_FAULTS; i++) {
        (void)fprintf(f, "%10llu  %s%s\n", (unsigned long long)t->faults[i], sim_fault_words[i],
                      t->faults[i] == 0 ? "  NEVER" : "");
        all = all && t->faults[i] > 0;
    }
    return all;
}

bool tally_print(const struct tally *t, FILE *f)
{
    bool all = print_faults(t, f);

    (void)fprintf(f, "%-10s", "left by");
    for (uint32_t w = 0; w < WAYS; w++)
        (void)fprintf(f, "%10s", way_names[w]);
    (void)fputc('\n', f);
    for (uint32_t i = 0; i < STEP_COUNT; i++) {
        (void)fprintf(f, "%-10s", step_row((enum step)i)->name);
        for (uint32_t w = 0; w < WAYS; w++) {
            bool zero = t->ways[i][w] == 0 && !impossible((enum step)i, (enum tally_way)w);

            (void)fprintf(f, "%10llu%s", (unsigned long long)t->ways[i][w], zero ? "!" : " ");
            all = all && !zero;
        }
        (void)fputc('\n', f);
    }
    (void)fprintf(f, "exit codes:");
    for (uint32_t i = 0; i < 16; i++)
        if (t->exits[i] > 0)
            (void)fprintf(f, " %s%u: %llu", i == 15 ? ">=" : "", i, (unsigned long long)t->exits[i]);
    (void)fputc('\n', f);
    return all;
}
