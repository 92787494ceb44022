#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "timer.h"

#define TOLD_MAX   10
#define AGE_MAX_NS 1050000000 /* 1 s, and the way of the request that came in time */

struct book_peer {
    bool out, down, busy;
    uint32_t told;
    int64_t told_ns;
};

struct book_node {
    uint32_t jobs, ends;
    bool healthy; /* was shown so after the end of its latest job */
    bool claimed;
};

static struct judge_rules rules;
static struct book_peer *peers; /* a load balancer after another */
static struct book_node *nodes;
static uint32_t *serving; /* by load balancer */
static uint32_t breaches;

static struct book_peer *peer(uint32_t lb, uint32_t node)
{
    return &peers[(size_t)lb * rules.n_nodes + node];
}

__attribute__((format(printf, 2, 3))) static void convict(uint32_t node, const char *format, ...)
{
    va_list list;

    if (breaches++ >= TOLD_MAX)
        return;
    va_start(list, format);
    (void)fprintf(stderr, "judge: node %u: ", node + 1);
    (void)vfprintf(stderr, format, list);
    (void)fputc('\n', stderr);
    va_end(list);
}

void judge_begin(const struct judge_rules *r)
{
    rules = *r;
    breaches = 0;
    peers = mem_zero((size_t)r->n_lbs * r->n_nodes, sizeof *peers);
    nodes = mem_zero(r->n_nodes, sizeof *nodes);
    serving = mem_zero(r->n_lbs, sizeof *serving);
    for (uint32_t i = 0; i < r->n_lbs; i++)
        serving[i] = r->n_nodes;
}

void judge_taken_out(uint32_t lb, uint32_t node)
{
    struct book_peer *p = peer(lb, node);

    if (p->out)
        return;
    *p = (struct book_peer){.out = true, .busy = true};
    if (--serving[lb] < rules.floor)
        convict(node, "I1: taken out at load balancer %u, which leaves %u serving; the floor is %u", lb + 1,
                serving[lb], rules.floor);
}

void judge_down(uint32_t lb, uint32_t node)
{
    judge_taken_out(lb, node);
    peer(lb, node)->down = true;
}

void judge_silent(uint32_t lb, uint32_t node)
{
    peer(lb, node)->busy = false;
}

void judge_told(uint32_t lb, uint32_t node)
{
    struct book_peer *p = peer(lb, node);

    if (!p->down || p->busy)
        convict(node, "the fake fleet told that it is quiet, and it is not");
    p->told++;
    p->told_ns = timer_now_ns();
}

void judge_job(uint32_t node)
{
    nodes[node].jobs++;
    nodes[node].healthy = false;
    for (uint32_t lb = 0; lb < rules.n_lbs; lb++) {
        const struct book_peer *p = peer(lb, node);

        if (!p->out || !p->down)
            convict(node, "I2: a job while load balancer %u may give it requests", lb + 1);
        else if (p->busy)
            convict(node, "I2: a job while it holds requests of load balancer %u", lb + 1);
        else if (rules.told_twice && (p->told < 2 || timer_now_ns() - p->told_ns > AGE_MAX_NS))
            convict(node, "I2: a job after load balancer %u showed it quiet %u times, the last %lld ms ago", lb + 1,
                    p->told, p->told == 0 ? -1LL : (long long)((timer_now_ns() - p->told_ns) / 1000000));
    }
}

void judge_job_end(uint32_t node)
{
    nodes[node].ends++;
    nodes[node].healthy = false;
}

void judge_health(uint32_t node, bool good)
{
    nodes[node].healthy = good && nodes[node].ends == nodes[node].jobs;
}

void judge_put_back(uint32_t lb, uint32_t node)
{
    struct book_peer *p = peer(lb, node);
    const struct book_node *n = &nodes[node];

    if (!p->out)
        return;
    *p = (struct book_peer){.out = false};
    serving[lb]++;
    if (n->jobs != n->ends)
        convict(node, "I3: put back at load balancer %u while its job runs", lb + 1);
    else if (n->jobs > 0 && !n->healthy)
        convict(node, "I3: put back at load balancer %u without a good health check after its job", lb + 1);
}

void judge_claim(uint32_t node, bool there)
{
    nodes[node].claimed = there;
}

uint32_t judge_end(void)
{
    for (uint32_t i = 0; i < rules.n_nodes; i++) {
        if (nodes[i].jobs != 1 || nodes[i].ends != 1)
            convict(i, "I4: %u jobs, %u of them ended; one each was wanted", nodes[i].jobs, nodes[i].ends);
        if (nodes[i].claimed)
            convict(i, "I4: its claim is still there");
        for (uint32_t lb = 0; lb < rules.n_lbs; lb++)
            if (peer(lb, i)->out)
                convict(i, "I4: left out at load balancer %u", lb + 1);
    }
    if (breaches > TOLD_MAX)
        (void)fprintf(stderr, "judge: and %u more\n", breaches - TOLD_MAX);
    free(peers);
    free(nodes);
    free(serving);
    return breaches;
}
