#include "tally.h"

/* Ways that a row cannot be left in, and why. */
#define ANY_WAY UINT32_MAX
static const struct {
    enum step step;
    uint32_t way; /* enum tally_way, or ANY_WAY */
} never[] = {
    {STEP_WAIT, WAY_FAILURE},
    {STEP_YIELD, WAY_FAILURE}, /* one request of a run that another took over: too rare to count on */
    {STEP_YIELD, WAY_RESUME},
    {STEP_WAIT, WAY_LIMIT}, /* it has none, */
    {STEP_WAIT, WAY_STOP},  /* and a stop leaves it there */
    {STEP_JOB, WAY_STOP},   /* on_stop is the step itself: it is finished first; so in the next ones */
    {STEP_AWAIT, WAY_STOP},
    {STEP_VERIFY, WAY_STOP},
    {STEP_HEALTH, WAY_STOP},
    {STEP_BACK, WAY_STOP},
    {STEP_SEEN, WAY_STOP},
    {STEP_BAKE, WAY_STOP},
    {STEP_UNCLAIM, WAY_STOP},
    {STEP_RETURN, WAY_STOP},
    {STEP_SETTLE, WAY_STOP},
    {STEP_UNDO, WAY_STOP},
    {STEP_UNDOING, WAY_STOP},
    {STEP_REVERIFY, WAY_STOP},
    {STEP_REHEALTH, WAY_STOP},
    {STEP_UNCLAIM, WAY_FAILURE}, /* refused is as good as done */
    {STEP_BAKE, WAY_LIMIT},      /* is its success */
    {STEP_SEEN, WAY_FAILURE},    /* again, until the limit */
    {STEP_MEND, WAY_STOP},
    {STEP_RECLAIM, WAY_STOP},
    {STEP_REVIEW, WAY_STOP},
    {STEP_RESUME, WAY_STOP},
    {STEP_REVIEW, WAY_FAILURE},
    {STEP_YIELD, WAY_STOP},
    {STEP_UNCLAIM, WAY_FAILURE},
    {STEP_AFTER, WAY_STOP},
    {STEP_CONFIRM, WAY_STOP},
    {STEP_READDED, WAY_STOP},
    {STEP_MEND, WAY_FAILURE},
    /* another took the node between the survey and the leases, and died since */ {STEP_DONE, ANY_WAY},
    {STEP_OUT, ANY_WAY}, /* nothing leaves them */
};

static const char *const way_names[WAYS] = {"success", "failure", "limit", "stop", "resume"};

static bool impossible(enum step step, enum tally_way way)
{
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (never[i].step == step && (never[i].way == ANY_WAY || never[i].way == (uint32_t)way))
            return true;
    return false;
}

static const char *const fact_words[JUDGE_FACTS] = {
#define FACT(name, words) words,
#include "facts.def"
#undef FACT
};

static bool print_counts(const uint64_t *counts, const char *const *words, uint32_t n, FILE *f)
{
    bool all = true;

    for (uint32_t i = 0; i < n; i++) {
        (void)fprintf(f, "%10llu  %s%s\n", (unsigned long long)counts[i], words[i], counts[i] == 0 ? "  NEVER" : "");
        all = all && counts[i] > 0;
    }
    return all;
}

bool tally_print(const struct tally *t, FILE *f)
{
    bool all = print_counts(t->faults, sim_fault_words, SIM_FAULTS, f);

    all = print_counts(t->facts, fact_words, JUDGE_FACTS, f) && all;

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
