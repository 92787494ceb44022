#include "gate.h"

#include <inttypes.h>
#include <stdio.h>

const char *gate_phrase(enum gate gate)
{
    static const char *const phrases[GATE_COUNT] = {
#define X(name, text) [GATE_##name] = text,
        GATES(X)
#undef X
    };

    return phrases[gate];
}

struct served served_since(const struct served *now, const struct served *before)
{
    return (struct served){.time_ms = now->time_ms - before->time_ms,
                           .timed = now->timed - before->timed,
                           .answers = now->answers - before->answers,
                           .errors = now->errors - before->errors,
                           .fails = now->fails - before->fails};
}

void served_add(struct served *sum, const struct served *more)
{
    sum->time_ms += more->time_ms;
    sum->timed += more->timed;
    sum->answers += more->answers;
    sum->errors += more->errors;
    sum->fails += more->fails;
}

/* Requests that ended: with an answer's head, or by a failure. */
static uint64_t ended(const struct served *s)
{
    return (uint64_t)s->answers + s->fails;
}

static double mean_ms(const struct served *s)
{
    return s->timed > 0 ? (double)s->time_ms / s->timed : 0;
}

/* own / own_n > others / others_n + max, without a rounding. */
static bool exceeds(uint32_t own, uint64_t own_n, uint32_t others, uint64_t others_n, uint32_t max_bp)
{
    unsigned __int128 may = (unsigned __int128)others * 10000 + (unsigned __int128)max_bp * others_n;

    return (unsigned __int128)own * 10000 * others_n > may * own_n;
}

static bool slower(const struct plan_gate *g, const struct served *own, const struct served *others)
{
    double mine = mean_ms(own), theirs = mean_ms(others);

    return own->timed > 0 && others->timed > 0 && mine > theirs * (1 + g->max_slower_bp / 10000.0) &&
           mine > theirs + GATE_SLOW_MS;
}

static void tell(const struct served *own, const struct served *others, char *text, size_t size)
{
    (void)snprintf(text, size,
                   "of its %" PRIu64 " requests %u got a 5xx and %u failed, %.0f ms on average; "
                   "of %" PRIu64 " at the other peers %u and %u, %.0f ms",
                   ended(own), own->errors, own->fails, mean_ms(own), ended(others), others->errors, others->fails,
                   mean_ms(others));
}

enum gate gate_judge(const struct plan_gate *g, const struct served *own, const struct served *others, char *text,
                     size_t size)
{
    uint64_t mine = ended(own), theirs = ended(others);

    if (mine < g->min_requests || theirs < g->min_requests) {
        (void)snprintf(text, size,
                       "inconclusive: %" PRIu64 " requests came to it and %" PRIu64
                       " to the other peers, a verdict needs %u",
                       mine, theirs, g->min_requests);
        return GATE_THIN;
    }
    tell(own, others, text, size);
    if (exceeds(own->errors, mine, others->errors, theirs, g->max_5xx_bp) ||
        exceeds(own->fails, mine, others->fails, theirs, g->max_fails_bp))
        return GATE_BAD;
    return slower(g, own, others) ? GATE_SLOW : GATE_GOOD;
}
