/* tally.h - what the network half has counted, and how it tells of it. */
#ifndef AGENT_TALLY_H
#define AGENT_TALLY_H

#include <stddef.h>
#include <stdint.h>

enum refusal {
#define REFUSAL(name, reason) REFUSAL_##name,
#include "tally.def"
#undef REFUSAL
    REFUSAL_COUNT
};

struct tally {
    uint64_t connections, requests, waited; /* waited: for their turn, limit.h */
    uint64_t refused[REFUSAL_COUNT];
    /* now */
    unsigned open, unknown; /* unknown: of those open, with no allowed certificate yet */
    int64_t cert_ends_s;    /* 0: no TLS */
};

/* In Prometheus' text format. Returns a text to free. */
char *tally_metrics(const struct tally *tally);

#endif
