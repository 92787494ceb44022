/* trace.h - what happened in a story: a hash over everything, and the last part of it in words. */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdint.h>
#include <stdio.h>

#define TRACE_KEPT 512

enum traced {                 /* with what its numbers are */
              TRACE_START,    /* seat, act, rollout */
              TRACE_PLAN,     /* seat, nodes, fence */
              TRACE_NO_PLAN,  /* seat, exit code */
              TRACE_SENT,     /* seat, action, node or lb or upstream, mask */
              TRACE_FAULT,    /* enum sim_fault */
              TRACE_EFFECT,   /* seat, action, node or lb or upstream, answer kind */
              TRACE_TOLD,     /* likewise */
              TRACE_STEP,     /* seat, node, from, to */
              TRACE_STOPPING, /* seat */
              TRACE_EVENT,    /* enum sim_fault, of whom, it is over */
              TRACE_JOB_END,  /* node, state, executable, pid */
              TRACE_CRASH,    /* seat, enum sim_fault */
              TRACE_PAUSE,    /* seat, ms */
              TRACE_SIGNAL,   /* seat, number */
              TRACE_END,      /* seat, exit code */
              TRACE_CALM,
              TRACE_HOOK /* seat, node, point, which */
};

struct trace_row {
    int64_t ms, a, b, c, d;
    enum traced kind;
};

struct trace {
    uint64_t hash, n;
    struct trace_row rows[TRACE_KEPT];
};

void trace_begin(struct trace *);
static inline void trace_put(struct trace *t, enum traced kind, int64_t ms, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const uint64_t m = UINT64_C(0x9e3779b97f4a7c15);

    t->hash = (t->hash ^ (uint64_t)ms ^ (uint64_t)kind << 56) * m;
    t->hash = (t->hash ^ t->hash >> 29 ^ (uint64_t)a ^ (uint64_t)b << 16 ^ (uint64_t)c << 32 ^ (uint64_t)d << 48) * m;
    t->rows[t->n++ % TRACE_KEPT] = (struct trace_row){ms, a, b, c, d, kind};
}
void trace_print(const struct trace *, FILE *, uint32_t last);

#endif
