/* metrics.h - the helper half's part of /metrics, in Prometheus' text format. Pure. */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code.h"

struct metrics_service {
    const char *name;
    uint64_t out_s, claim_left_s, fence;
    bool claimed, busy;
    const uint64_t *ends; /* of jobs, by code; CODE_COUNT of them */
};

/* A text to free. */
char *metrics_text(const struct metrics_service *services, size_t count, const char *version);

#endif
