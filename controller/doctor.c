/* doctor.c - all checks in their order, and the last of them: whether there is a plan. */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "doctor_look.h"

/* What a FAIL says already is not said again. */
static bool is_told(const struct doctor *d, const char *line)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->rows[i].result == DOCTOR_FAIL && strstr(line, d->rows[i].detail) != NULL)
            return true;
    return false;
}

/* A complaint is "what is wrong; what mends it", or the former alone. */
static void take_complaint(struct look *l, const char *line, int code, const char *other)
{
    char *end_it =
        mem_format("wait for its end, or end it: rollout abort %s --hosts FILE", other != NULL ? other : "ID");
    const char *semicolon = strstr(line, "; ");
    int length = semicolon != NULL ? (int)(semicolon - line) : (int)strlen(line);
    const char *mend = semicolon != NULL          ? semicolon + 2
                       : code == EXIT_UNREACHABLE ? "see that it runs there, and is reached from here"
                       : code == EXIT_HELD        ? end_it
                                                  : "rollout plan tells all that it refuses";

    if (code == EXIT_HELD)
        look_warn(l, mend, "%.*s", length, line);
    else
        look_fail(l, code, mend, "%.*s", length, line);
    free(end_it);
}

void doctor_check_plan(struct look *l)
{
    const struct complaints *c = l->f->complaints;
    size_t before = l->d->n;
    uint32_t n = 0;

    if (l->f->plan != NULL) {
        for (uint32_t i = 0; i < l->f->plan->n_nodes; i++)
            n += l->f->plan->nodes[i].at_target ? 0 : 1;
        look_ok(l, "%u of %u node%s to %s, no upstream below its floor", n, l->f->plan->n_nodes,
                look_plural(l->f->plan->n_nodes), l->f->plan->has_release ? "upgrade" : "restart");
        return;
    }
    for (size_t i = 0; i < c->n; i++)
        if (!is_told(l->d, c->lines[i]))
            take_complaint(l, c->lines[i], c->codes[i], c->others[i]);
    if (l->d->n == before)
        look_warn(l, "mend what is above", "whether capacity is enough is not known yet");
}

void doctor_examine(struct doctor *d, const struct doctor_facts *f)
{
    static const struct {
        const char *what;
        void (*check)(struct look *);
    } checks[] = {
#define CHECK(name, what) {what, doctor_check_##name},
#include "doctor.def"
#undef CHECK
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct look l = {.d = d, .f = f, .s = f->survey, .what = checks[i].what};

        checks[i].check(&l);
    }
}
