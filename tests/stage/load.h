/* load.h - the load client (tests/load/) on a stage. */
#ifndef STAGE_LOAD_H
#define STAGE_LOAD_H

#include <jansson.h>

#include "tests/stage/fleet.h"

struct stage_load {
    struct stage_proc *proc;
    const char *report_path;
    json_t *report; /* after stage_load_end: see tests/load/report.h */
    uint64_t sent, answered, failed;
};

/* Steady mixed load over these base URLs ("http://127.0.0.1:PORT", NULL-terminated): GET and POST, keep-alive and not,
 * some requests sleeping 2 s. Back once the first answers have come. */
struct stage_load *stage_load_start(struct stage *s, const char *const *urls);
struct stage_load *stage_load_start_fleet(struct stage_fleet *f); /* over all its load balancers */
struct stage_load *
stage_load_start_brief(struct stage_fleet *f); /* and no request that keeps a node from being quiet */
struct load_now {
    uint64_t sent, answered, failed;
};
struct load_now stage_load_now(struct stage *s, struct stage_load *l); /* at most a quarter second old */
void stage_load_until(struct stage *s, struct stage_load *l, uint64_t answered, uint32_t limit_ms);

/* Stop it gracefully: what is in flight is finished. Then report, sent, answered and failed are set. */
void stage_load_end(struct stage *s, struct stage_load *l);
/* The same, and the test fails where a request failed (its first failures are told) or was not answered. */
void stage_load_end_whole(struct stage *s, struct stage_load *l);

/* After stage_load_end: its first failures, a line each; whether at least one "post" or "sleep" was in flight at a time
 * (seconds of CLOCK_REALTIME). */
const char *stage_load_failures(struct stage *s, const struct stage_load *l);
bool stage_load_was_in_flight(struct stage *s, const struct stage_load *l, const char *kind, double at);

#endif
