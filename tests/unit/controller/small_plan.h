/* small_plan.h - a plan for unit tests: two load balancers, three upstreams, two nodes; ports are filled in by the
 * test. */
#ifndef TESTS_SMALL_PLAN_H
#define TESTS_SMALL_PLAN_H

#include <stdio.h>

#include "controller/plan.h"

struct small_plan {
    struct plan plan;
    struct plan_lb lbs[2];
    struct plan_upstream upstreams[3];
    struct plan_peer peers[5];
    struct plan_node nodes[2];
    char urls[4][64];
};

/* lb1: app, extra; lb2: app. web1 is in all three, web2 in the two `app`. lb_ports, agent_ports: two each. */
static inline void small_plan(struct small_plan *s, const int *lb_ports, const int *agent_ports)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < 2; i++) {
        snprintf(s->urls[i], sizeof s->urls[i], "http://127.0.0.1:%d/api", lb_ports[i]);
        snprintf(s->urls[i + 2], sizeof s->urls[i + 2], "http://127.0.0.1:%d", agent_ports[i]);
        s->lbs[i] = (struct plan_lb){
            .name = i == 0 ? "lb1" : "lb2", .api = s->urls[i], .address = "127.0.0.1", .api_version = 9};
    }
    s->upstreams[0] = (struct plan_upstream){.lb = 0, .name = "app"};
    s->upstreams[1] = (struct plan_upstream){.lb = 0, .name = "extra"};
    s->upstreams[2] = (struct plan_upstream){.lb = 1, .name = "app"};
    s->peers[0] = (struct plan_peer){.node = 0, .upstream = 0, .server = "10.0.0.1:80"};
    s->peers[1] = (struct plan_peer){.node = 0, .upstream = 1, .server = "[::1]:80"};
    s->peers[2] = (struct plan_peer){.node = 0, .upstream = 2, .server = "10.0.0.1:80"};
    s->peers[3] = (struct plan_peer){.node = 1, .upstream = 0, .server = "10.0.0.2:80"};
    s->peers[4] = (struct plan_peer){.node = 1, .upstream = 2, .server = "10.0.0.2:80"};
    s->nodes[0] = (struct plan_node){.name = "web1",
                                     .agent = s->urls[2],
                                     .address = "127.0.0.1",
                                     .zone = "",
                                     .health = "",
                                     .first_peer = 0,
                                     .n_peers = 3};
    s->nodes[1] = (struct plan_node){.name = "web2",
                                     .agent = s->urls[3],
                                     .address = "127.0.0.1",
                                     .zone = "",
                                     .health = "",
                                     .first_peer = 3,
                                     .n_peers = 2};
    s->plan = (struct plan){.rollout = "r-1",
                            .holder = "ann@ci-7 pid 4711",
                            .service = "app",
                            .version = "2.0",
                            .health = {.status = {200, 299}, .body = ""},
                            .fence = 7,
                            .lease_ttl_ms = 30500,
                            .n_lbs = 2,
                            .n_upstreams = 3,
                            .n_peers = 5,
                            .n_nodes = 2,
                            .lbs = s->lbs,
                            .upstreams = s->upstreams,
                            .peers = s->peers,
                            .nodes = s->nodes};
    s->plan.wait_ms[WAIT_CHANGE] = 3000;
    s->plan.wait_ms[WAIT_STAGE] = 5000;
    s->plan.wait_ms[WAIT_JOB] = 2000;
    memset(s->plan.release_sha256, 0xab, sizeof s->plan.release_sha256);
}

#endif
