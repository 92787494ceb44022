#include "tests/stage/fleet.h"

#include <string.h>

#include "tests/stage/state.h"

#define FLEET_ARGS_MAX 48

static void start_node(struct stage_fleet *f, unsigned i)
{
    struct stage_node *node = &f->node[i];

    node->server = stage_server_start(f->stage, node->name, "v1");
    node->agent = stage_agent_start(f->stage, node->name, node->server, false,
                                    f->stage->asan ? "ready-timeout = 15s\n" : "ready-timeout = 4s\n");
}

static void start_lbs(struct stage_fleet *f)
{
    const char *peers[STAGE_NODES_MAX + 1] = {NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};

    for (unsigned i = 0; i < f->n_nodes; i++)
        peers[i] = stage_text(f->stage, "%s fail_timeout=1s", f->node[i].server->peer);
    for (unsigned i = 0; i < f->n_lbs; i++) {
        f->lb[i] = stage_nginx_start(f->stage, stage_text(f->stage, "lb%u", i + 1),
                                     &(struct stage_nginx_conf){.upstreams = upstreams});
        f->api[i] = f->lb[i]->api;
    }
}

const char *stage_fleet_hosts(struct stage_fleet *f, const char *vars)
{
    struct stage *s = f->stage;
    const char *text = "[lb]\n";

    for (unsigned i = 0; i < f->n_lbs; i++)
        text = stage_text(s, "%s%s rollout_api=%s\n", text, f->lb[i]->name, f->api[i]);
    text = stage_text(s, "%s\n[web]\n", text);
    for (unsigned i = 0; i < f->n_nodes; i++)
        text = stage_text(s, "%s%s ansible_host=127.0.0.1 rollout_agent=https://{host}:%u\n", text, f->node[i].name,
                          f->node[i].agent->port);
    text = stage_text(s, "%s\n[web:vars]\nrollout_service=app\n%s", text, vars != NULL ? vars : "");
    f->hosts = stage_write(s, stage_text(s, "hosts-%u", ++s->state->n_runs), text);
    return f->hosts;
}

struct stage_fleet *stage_fleet(struct stage *s, unsigned n_nodes, unsigned n_lbs)
{
    return stage_fleet_of(s, n_nodes, n_lbs, start_node);
}

struct stage_fleet *stage_fleet_of(struct stage *s, unsigned n_nodes, unsigned n_lbs, stage_node_fn *start)
{
    struct stage_fleet *f = stage_alloc(s, sizeof *f);

    if (n_nodes > STAGE_NODES_MAX || n_lbs > STAGE_LBS_MAX)
        stage_fail(s, "a fleet of %u nodes and %u load balancers is too large for a stage", n_nodes, n_lbs);
    f->stage = s;
    f->n_nodes = n_nodes;
    f->n_lbs = n_lbs;
    f->controller = stage_cert(s, "controller");
    for (unsigned i = 0; i < n_nodes; i++) {
        f->node[i].name = stage_text(s, "node%u", i + 1);
        start(f, i);
    }
    start_lbs(f);
    (void)stage_fleet_hosts(f, NULL);
    return f;
}

struct stage_rollout *stage_fleet_start(struct stage_fleet *f, const char *const *args)
{
    const char *all[FLEET_ARGS_MAX + 16];
    size_t n = 0;
    const char *const ours[] = {
        "--hosts",          f->hosts,   "--cert",          f->controller->cert,        "--key",
        f->controller->key, "--cacert", f->controller->ca, "--min-healthy-time=100ms", "--health-interval=50ms",
        "--lb-poll=50ms"};

    if (args != NULL && args[0] != NULL && args[0][0] != '-')
        all[n++] = *args++;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        all[n++] = ours[i];
    for (; args != NULL && *args != NULL; args++) {
        if (n == FLEET_ARGS_MAX)
            stage_fail(f->stage, "too many arguments for rollout");
        all[n++] = *args;
    }
    all[n] = NULL;
    return stage_rollout_start(f->stage, NULL, all);
}

struct stage_rollout *stage_fleet_run(struct stage_fleet *f, uint32_t limit_ms, const char *const *args)
{
    struct stage_rollout *r = stage_fleet_start(f, args);

    stage_rollout_end(f->stage, r, limit_ms);
    return r;
}

/* ---- how nginx and the nodes see it */

json_t *stage_fleet_peer(struct stage_fleet *f, unsigned lb, unsigned node)
{
    struct stage *s = f->stage;
    struct stage_answer *a = stage_http(s, "GET", stage_text(s, "%s/9/http/upstreams/app", f->lb[lb]->api), NULL, NULL);
    json_t *peer;
    size_t i;

    if (a->status != 200)
        stage_fail(s, "%s answered %d to a GET of the upstream: %s%s", f->lb[lb]->name, a->status, a->error, a->body);
    json_array_foreach(stage_json(s, a->json, "peers"), i, peer)
    {
        if (strcmp(stage_json_string(s, peer, "server"), f->node[node].server->peer) == 0)
            return peer;
    }
    stage_fail(s, "%s lists no peer %s", f->lb[lb]->name, f->node[node].server->peer);
}

const char *stage_fleet_peer_state(struct stage_fleet *f, unsigned lb, unsigned node)
{
    return stage_json_string(f->stage, stage_fleet_peer(f, lb, node), "state");
}

bool stage_fleet_all_up(struct stage_fleet *f)
{
    for (unsigned lb = 0; lb < f->n_lbs; lb++)
        for (unsigned node = 0; node < f->n_nodes; node++)
            if (strcmp(stage_fleet_peer_state(f, lb, node), "up") != 0)
                return false;
    return true;
}

unsigned stage_fleet_at_version(struct stage_fleet *f, const char *version)
{
    unsigned n = 0;

    for (unsigned i = 0; i < f->n_nodes; i++)
        n += strcmp(stage_server_version(f->node[i].server), version) == 0;
    return n;
}

void stage_fleet_expect_versions(struct stage_fleet *f, const char *versions)
{
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const char wanted[] = {versions[i], '\0'};

        if (strcmp(stage_server_version(f->node[i].server), wanted) != 0)
            stage_fail(f->stage, "%s is at version \"%s\", not %s", f->node[i].name,
                       stage_server_version(f->node[i].server), wanted);
    }
}
