/* hammer.h - as many requests as a server answers, over a fixed number of connections, every failure counted; and what
 * the server spends on them. Loopback only. */
#ifndef BENCH_HAMMER_H
#define BENCH_HAMMER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct hammer_options {
    uint16_t port;
    unsigned connections;
    bool close; /* one connection a request */
    uint32_t duration_ms, think_ms;
    uint64_t requests_min; /* go on until so many were sent, twice the duration at most */
    pid_t cpu_pid;         /* whose CPU time is counted; 0: nobody's */
    /* Every so often a signal: to the process whose id the answers tell ("... from pid N."), or to signal_pid. 0: never
     */
    uint32_t signal_every_ms;
    pid_t signal_pid;
    int signal;
};

#define HAMMER_BUCKETS 2048 /* of latency, 32 a power of two, so to 3 % */

struct hammer_result {
    uint64_t answered, failed, signals, generations; /* pids seen beside the first */
    uint64_t refused, reset, cut, odd; /* kinds of failure: connect; no byte came; in mid-answer; not 200 */
    double seconds, cpu_seconds;
    uint64_t max_ns, buckets[HAMMER_BUCKETS];
    pid_t last_pid;
};

bool hammer_run(const struct hammer_options *, struct hammer_result *, struct err *);
uint64_t hammer_quantile_ns(const struct hammer_result *, double q);

/* ---- single measurements */
uint64_t bench_now_ns(void);
double bench_cpu_seconds(pid_t pid);   /* user and system; 0 where it is gone */
unsigned long bench_rss_kb(pid_t pid); /* 0 where it is gone */
int bench_connect(uint16_t port);      /* blocking; -1 */
/* The pid that a fresh connection's answer tells; 0: no answer. */
pid_t bench_ask_pid(uint16_t port);

#endif
