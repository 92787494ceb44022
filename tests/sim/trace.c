#include "trace.h"

#include <string.h>

#include "controller/hook.h"
#include "controller/node.h"
#include "faults.h"

const char *const sim_fault_words[SIM_FAULTS] = {
#define FAULT(name, words) [SIM_##name] = words,
#include "faults.def"
#undef FAULT
};

void trace_begin(struct trace *t)
{
    t->hash = UINT64_C(0xcbf29ce484222325);
    t->n = 0;
}

static const char *const asks[] = {
#define X(name, text) text,
    ASKS(X)
#undef X
};

/* An action's kind and ask, as wire.c has them in one number. */
static const char *action(int64_t kind)
{
    static const char *const kinds[] = {
        "",     "read of a load balancer", "lease", "renewal of a claim",  "look at its servers",
        "wish", "down once more",          "vote",  "what runs, once more"};

    size_t i = (size_t)kind >> 8;

    if (i > 0)
        return i < sizeof kinds / sizeof *kinds ? kinds[i] : "?";
    return kind < ASK_COUNT ? asks[kind] : "?";
}

static const char *reply(int64_t kind)
{
    static const char *const replies[] = {"ok", "refused", "fenced", "lost", "timeout", "bad"};

    return kind >= 0 && kind < 6 ? replies[kind] : "?";
}

static void row_print(const struct trace_row *r, FILE *f)
{
    long long a = r->a, b = r->b, c = r->c, d = r->d;

    (void)fprintf(f, "%9.3f  ", (double)r->ms / 1000);
    switch (r->kind) {
    case TRACE_START:
        (void)fprintf(f, "seat %lld starts: %s, rollout %lld", a, b == 0 ? "roll" : b == 1 ? "repair" : "rollback", c);
        break;
    case TRACE_PLAN:
        (void)fprintf(f, "seat %lld has a plan of %lld nodes, fence %lld", a, b, c);
        break;
    case TRACE_NO_PLAN:
        (void)fprintf(f, "seat %lld changes nothing: exit code %lld", a, b);
        break;
    case TRACE_SENT:
        (void)fprintf(f, "seat %lld sends   %s (%lld) mask %llx", a, action(b), c, d);
        break;
    case TRACE_FAULT:
        (void)fprintf(f, "    fault: %s", sim_fault_words[a]);
        break;
    case TRACE_EFFECT:
        (void)fprintf(f, "seat %lld arrives %s (%lld): %s", a, action(b), c, reply(d));
        break;
    case TRACE_TOLD:
        (void)fprintf(f, "seat %lld is told %s (%lld): %s", a, action(b), c, reply(d));
        break;
    case TRACE_STEP:
        (void)fprintf(f, "seat %lld: node %lld %s -> %s", a, b, step_row((enum step)c)->name,
                      step_row((enum step)d)->name);
        break;
    case TRACE_STOPPING:
        (void)fprintf(f, "seat %lld: nothing new starts", a);
        break;
    case TRACE_EVENT:
        (void)fprintf(f, "EVENT: %s: %lld%s", sim_fault_words[a], b, c ? " is over" : "");
        break;
    case TRACE_JOB_END:
        (void)fprintf(f, "node %lld: its job ends in state %lld, runs %c pid %lld", a, b, c ? (char)c : '-', d);
        break;
    case TRACE_CRASH:
        (void)fprintf(f, "seat %lld: %s", a, sim_fault_words[b]);
        break;
    case TRACE_PAUSE:
        (void)fprintf(f, "seat %lld stands still for %lld ms", a, b);
        break;
    case TRACE_SIGNAL:
        (void)fprintf(f, "seat %lld gets a signal, the %lld.", a, b);
        break;
    case TRACE_END:
        (void)fprintf(f, "seat %lld ends with exit code %lld", a, b);
        break;
    case TRACE_HOOK:
        (void)fprintf(f, "seat %lld runs %s, the %lld., of node %lld", a, hook_point_words[c], d + 1, b);
        break;
    case TRACE_CALM:
        (void)fprintf(f, "the storm is over");
        break;
    }
    (void)fputc('\n', f);
}

void trace_print(const struct trace *t, FILE *f, uint32_t last)
{
    uint64_t n = t->n < TRACE_KEPT ? t->n : TRACE_KEPT;

    n = n < last ? n : last;
    for (uint64_t i = t->n - n; i < t->n; i++)
        row_print(&t->rows[i % TRACE_KEPT], f);
}
