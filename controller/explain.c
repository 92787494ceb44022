#include "explain.h"

#include "common/json.h"
#include "common/mem.h"
#include "node.h"

static const char *const wait_texts[WAIT_COUNT] = {
#define X(name, text) [WAIT_##name] = text,
    PLAN_WAITS(X)
#undef X
};

static const char *const ask_texts[ASK_COUNT] = {
#define X(name, text) [ASK_##name] = text,
    ASKS(X)
#undef X
};

void explain_steps(FILE *f)
{
    (void)fputs("The path of one node. \"!\" marks steps that change the world: they are in the journal before the\n"
                "request leaves. Every step has a limit; \"stop\" is where SIGINT or SIGTERM leads. The last four\n"
                "are passed over where there is no --hook for them.\n\n",
                f);
    for (int i = 0; i < STEP_COUNT; i++) {
        const struct step_row *row = step_row((enum step)i);

        if (row->ask == ASK_NONE)
            continue;
        (void)fprintf(f, "%-9s%c waits for %s\n", row->name, row->effect ? '!' : ' ', row->waits_for);
        (void)fprintf(f, "           asks %s; %s%s; at most: %s\n", ask_texts[row->ask],
                      row->ask == ASK_HOOK ? "no second time" : "again after: ",
                      row->ask == ASK_HOOK ? "" : wait_texts[row->every], wait_texts[row->limit]);
        (void)fprintf(f, "           good: %s  bad: %s  limit: %s  stop: %s  resume: %s\n",
                      step_row(row->on_good)->name, step_row(row->on_bad)->name, step_row(row->on_limit)->name,
                      step_row(row->on_stop)->name, step_row(row->on_resume)->name);
    }
}

json_t *explain_json(void)
{
    json_t *list = mem_must(json_array());

    for (int i = 0; i < STEP_COUNT; i++) {
        const struct step_row *row = step_row((enum step)i);

        if (row->ask == ASK_NONE)
            continue;
        json_append(list, json_pack("{s:s,s:b,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "step", row->name, "effect",
                                    row->effect, "waits_for", row->waits_for, "asks", ask_texts[row->ask],
                                    "again_after", wait_texts[row->every], "at_most", wait_texts[row->limit], "good",
                                    step_row(row->on_good)->name, "bad", step_row(row->on_bad)->name, "limit",
                                    step_row(row->on_limit)->name, "stop", step_row(row->on_stop)->name, "resume",
                                    step_row(row->on_resume)->name));
    }
    return mem_must(json_pack("{s:o}", "steps", list));
}
