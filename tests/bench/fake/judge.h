/* judge.h - holds what was done to the fake fleet against the invariants of DESIGN section 5, from what the fleet
 * itself did and told. It keeps books of its own and shares no code with the controller, nor with the fleet's model.
 *
 *   I1  a server is taken out only while enough others of its upstream serve
 *   I2  a job only on a node that is down and without requests at every load balancer; `told_twice`: and that was
 *       shown so at least twice since, the last time at most 1 s ago
 *   I3  a node is put back only after its job ended and a health check after that end was good
 *   I4  at the end each node has had one job, serves everywhere, and has no claim left */
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct judge_rules {
    uint32_t n_nodes, n_lbs;
    uint32_t floor; /* servers of an upstream that must serve */
    bool told_twice;
};
void judge_begin(const struct judge_rules *);

void judge_taken_out(uint32_t lb, uint32_t node); /* it served, and does no more */
void judge_down(uint32_t lb, uint32_t node);      /* it gets not even sticky sessions now */
void judge_silent(uint32_t lb, uint32_t node);    /* the last request to it has ended */
void judge_told(uint32_t lb, uint32_t node);      /* somebody was told: down, active 0 */
void judge_put_back(uint32_t lb, uint32_t node);
void judge_job(uint32_t node);
void judge_job_end(uint32_t node);
void judge_health(uint32_t node, bool good);
void judge_claim(uint32_t node, bool there);

/* How many breaches there were; the first ten were told on stderr. */
uint32_t judge_end(void);

#endif
