/* scene.h - a survey made by hand, and the plan that is made of it: nodes a, b, c, d on 10.0.0.1:80 to 10.0.0.4:80,
 * each in upstream `app` of lb1 and lb2, all well. A test spoils what it is about between scene_open and scene_plan. */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/plan_make.h"

#define SCENE_NODES 4
#define SCENE_LBS   2
#define SCENE_HOSTS                                                                                                    \
    "[lb]\nlb1 rollout_api=http://127.0.0.1:1/api\nlb2 rollout_api=http://127.0.0.1:2/api\n[web]\na\nb\nc\nd\n"

struct scene {
    struct fleet *fleet;
    struct options options;
    struct plan_request request; /* release B; the nodes run A */
    struct survey survey;
    struct survey_lb lbs[SCENE_LBS];
    struct survey_node nodes[SCENE_NODES];
    struct survey_upstream upstreams[SCENE_LBS];
    struct survey_peer peers[SCENE_LBS][SCENE_NODES];
    const char *listening[SCENE_NODES];
    char servers[SCENE_NODES][32];
    struct complaints complaints;
    struct plan *plan;
};

static inline void scene_fill_node(struct scene *s, uint32_t i)
{
    static const char *const features[] = {"claim", "restart", "upgrade", "rollback", "health", "release", "previous"};
    struct survey_node *n = &s->nodes[i];
    char host[2] = {(char)('a' + i), '\0'};

    (void)snprintf(s->servers[i], sizeof s->servers[i], "10.0.0.%u:80", i + 1);
    s->listening[i] = s->servers[i];
    *n = (struct survey_node){.host = (uint32_t)fleet_find_host(s->fleet, host), .call = CALL_FINE, .good = true};
    n->root = (struct agent_root){.version = WIRE_VERSION,
                                  .agent = "rollout-agent 0.1.0",
                                  .node = s->fleet->hosts[n->host].name,
                                  .n_features = sizeof features / sizeof *features,
                                  .features = (const char **)(uintptr_t)features};
    n->status = (struct agent_status){
        .service = "app", .running = true, .fence = 3, .n_listening = 1, .listening = &s->listening[i]};
    n->status.ident = (struct ident){.pid = 100 + i, .start_ticks = 1};
    n->status.ident.sha256[0] = 'A';
}

static inline void scene_fill_lb(struct scene *s, uint32_t i)
{
    s->lbs[i] = (struct survey_lb){.host = (uint32_t)fleet_find_host(s->fleet, i == 0 ? "lb1" : "lb2"),
                                   .call = CALL_FINE,
                                   .good = true,
                                   .api_version = 9,
                                   .n_upstreams = 1,
                                   .upstreams = &s->upstreams[i]};
    s->upstreams[i] = (struct survey_upstream){
        .name = "app", .lease = {.known = true, .fence = 5}, .n_peers = SCENE_NODES, .peers = s->peers[i]};
    for (uint32_t k = 0; k < SCENE_NODES; k++)
        s->peers[i][k] =
            (struct survey_peer){.id = k, .server = s->servers[k], .name = s->servers[k], .state = PEER_UP};
}

/* `args`: what stands behind --hosts and --service on the command line, NULL-terminated (NULL: nothing). */
static inline void scene_open(struct scene *s, const char *const *args)
{
    char *argv[24] = {"rollout", "--hosts", "fleet.ini", "--service", "app"};
    char *env[] = {"HOME=/home/ann", NULL};
    int argc = 5;
    struct err err = {""};

    memset(s, 0, sizeof *s);
    for (; args != NULL && *args != NULL; args++)
        argv[argc++] = (char *)(uintptr_t)*args;
    if (!options_parse(argc, argv, env, &s->options, &err) ||
        !fleet_parse("fleet.ini", SCENE_HOSTS, strlen(SCENE_HOSTS), &s->fleet, &err))
        fail_msg("%s", err.text);
    s->request = (struct plan_request){.rollout = "r1", .holder = "ann@ci", .has_release = true, .release_size = 1};
    s->request.release_sha256[0] = 'B';
    for (uint32_t i = 0; i < SCENE_NODES; i++)
        scene_fill_node(s, i);
    for (uint32_t i = 0; i < SCENE_LBS; i++)
        scene_fill_lb(s, i);
    s->survey = (struct survey){.n_lbs = SCENE_LBS, .n_nodes = SCENE_NODES, .lbs = s->lbs, .nodes = s->nodes};
}

static inline void scene_plan(struct scene *s)
{
    s->plan = plan_make(s->fleet, &s->options, &s->survey, &s->request, &s->complaints);
}

static inline void scene_close(struct scene *s)
{
    plan_free(&s->plan);
    complaints_free(&s->complaints);
    fleet_free(&s->fleet);
    options_free(&s->options);
}

/* Whether one of the complaints holds this text. */
static inline bool scene_complained(const struct scene *s, const char *text)
{
    for (size_t i = 0; i < s->complaints.n; i++)
        if (strstr(s->complaints.lines[i], text) != NULL)
            return true;
    return false;
}

#endif
