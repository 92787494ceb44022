/* gate.h - does a node serve as well as the others? Pure: the rule of a bake on nginx's own counters.
 *
 * What a node's peers served since it is back is held against what the other peers of the same upstreams (not backup,
 * up) served in the same time, summed over its upstreams and load balancers:
 *
 *   5xx     its share of answers with a 5xx may be the others' and `max_5xx` more
 *   fails   likewise the share of requests that nginx counts as failed, `max_fails`
 *   slower  its mean response time may be the others' and `max_slower` of it more, and GATE_SLOW_MS more in any case
 *
 * Errors count as soon as there are enough requests; slowness at the end alone, since what has just been started is
 * slow. Fewer than `min_requests`, at the node or at all others together: no verdict, which is not a good one. */
#ifndef CONTROLLER_GATE_H
#define CONTROLLER_GATE_H

#include <stddef.h>

#include "ask.h"
#include "plan.h"

#define GATE_SLOW_MS 10

/* GATE(NAME, "in the outcome") */
#define GATES(X)                                                                                                       \
    X(NONE, "")                                                                                                        \
    X(THIN, "its bake was inconclusive")                                                                               \
    X(GOOD, "")                                                                                                        \
    X(SLOW, "slower than the others") /* fails the bake if it ended now */                                             \
    X(BAD, "more errors than the others")
enum gate {
#define X(name, text) GATE_##name,
    GATES(X)
#undef X
        GATE_COUNT
};
const char *gate_phrase(enum gate);

/* text: the figures, for people. */
enum gate gate_judge(const struct plan_gate *, const struct served *own, const struct served *others, char *text,
                     size_t size);

/* What came on top of `before`. */
struct served served_since(const struct served *now, const struct served *before);
void served_add(struct served *sum, const struct served *);

#endif
