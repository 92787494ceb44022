/* rollout_services_case.c - two services on each node, one agent for both: each is drained, restarted and put back by
 * itself. */
#include <string.h>

#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 90000
#define NODES        2

/* node1, node2 with the services `app` and `jobs`, each in an upstream of its own name at lb1. */
struct pair {
    struct stage *stage;
    struct stage_server *server[NODES][2];
    struct stage_agent *agent[NODES];
    struct stage_nginx *lb;
    const struct stage_tls *controller;
    const char *hosts;
};

static void start_node(struct pair *f, unsigned i)
{
    struct stage *s = f->stage;
    const char *name = stage_text(s, "node%u", i + 1);
    struct stage_server *jobs;

    f->server[i][0] = stage_server_start(s, stage_text(s, "%s-app", name), "v1");
    jobs = f->server[i][1] = stage_server_start(s, stage_text(s, "%s-jobs", name), "v1");
    f->agent[i] = stage_agent_start(
        s, name, f->server[i][0], false,
        stage_text(s,
                   "ready-timeout = 15s\n\n[service jobs]\nexecutable = %s\npidfile = %s\nhealth = %s/healthz\n"
                   "version-url = %s/version\nready-timeout = 15s\nrequire-signature = off\n",
                   jobs->exe, jobs->pidfile, jobs->url, jobs->url));
}

static struct pair *start(struct stage *s)
{
    struct pair *f = stage_alloc(s, sizeof *f);
    const char *peers[2][NODES + 1] = {{NULL}};
    const struct stage_upstream upstreams[] = {
        {.name = "app", .peers = peers[0]}, {.name = "jobs", .peers = peers[1]}, {.name = NULL}};
    const char *hosts;

    f->stage = s;
    f->controller = stage_cert(s, "controller");
    for (unsigned i = 0; i < NODES; i++) {
        start_node(f, i);
        for (unsigned k = 0; k < 2; k++)
            peers[k][i] = f->server[i][k]->peer;
    }
    f->lb = stage_nginx_start(s, "lb1", &(struct stage_nginx_conf){.upstreams = upstreams});
    hosts = stage_text(s, "[lb]\nlb1 rollout_api=%s\n[web]\n", f->lb->api);
    for (unsigned i = 0; i < NODES; i++)
        hosts = stage_text(s, "%snode%u ansible_host=127.0.0.1 rollout_agent=https://{host}:%u\n", hosts, i + 1,
                           f->agent[i]->port);
    f->hosts = stage_write(s, "hosts", stage_text(s, "%s[web:vars]\nrollout_service=app,jobs\n", hosts));
    return f;
}

static struct stage_rollout *run(struct pair *f, const char *command, const char *const *more)
{
    const char *args[32] = {command,
                            "--hosts",
                            f->hosts,
                            "--cert",
                            f->controller->cert,
                            "--key",
                            f->controller->key,
                            "--cacert",
                            f->controller->ca,
                            "--min-healthy-time=100ms",
                            "--health-interval=50ms",
                            "--lb-poll=50ms"};
    size_t n = 12;

    for (; more != NULL && *more != NULL; more++)
        args[n++] = *more;
    return stage_rollout(f->stage, RUN_LIMIT_MS, args);
}

static void expect_versions(struct pair *f, const char *version)
{
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned k = 0; k < 2; k++)
            assert_string_equal(stage_server_version(f->server[i][k]), version);
}

static void each_service_of_each_node_goes_by_itself(struct stage *s)
{
    struct pair *f = start(s);
    struct stage_load *load = stage_load_start(s, (const char *const[]){f->lb->url, NULL});
    struct stage_rollout *r =
        run(f, "roll", (const char *const[]){"--release", stage_server_variant(s, "v2"), "--batch=2", NULL});

    stage_rollout_expect(
        s, r, 0,
        STAGE_SAYS("service app,jobs, 4 nodes", "node1/app", "node1/jobs", "node2/app", "node2/jobs", "4 upgraded"));
    stage_load_end_whole(s, load);
    expect_versions(f, "2");
    r = run(f, "rollback", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("node2/jobs: back ", "4 taken back"));
    expect_versions(f, "1");
    r = run(f, "repair", NULL);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("no agent has a claim of a rollout"));
}

/* This program asks each of them itself, where it listens: what is sick is the one service, and the other goes on. */
static void each_service_is_asked_at_its_own_place(struct stage *s)
{
    struct pair *f = start(s);
    const char *urls = stage_text(s, "--health-url=app=http://{address}:%u/healthz,jobs=http://{address}:%u/healthz",
                                  f->server[0][0]->port[0], f->server[0][1]->port[0]);
    struct stage_rollout *r;

    r = run(f, "roll", (const char *const[]){"--limit=node1", "--health-from=controller", urls, NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS("node1/app", "node1/jobs", "2 restarted"));
    urls = stage_text(s, "--health-url=jobs=http://{address}:%u/healthz,app=http://{address}:%u/healthz",
                      f->server[0][0]->port[0], f->server[0][1]->port[0]);
    r = run(f, "roll", (const char *const[]){"--limit=node1", "--health-from=controller", urls, NULL});
    stage_rollout_expect(s, r, 5, STAGE_SAYS("node1/app: its service does not listen on", "nothing was changed"));
}

/* One of them alone is as it was before there were several. */
static void one_of_them_alone_leaves_the_other(struct stage *s)
{
    struct pair *f = start(s);
    pid_t jobs = stage_server_pid(f->server[0][1]);
    struct stage_rollout *r = run(f, "roll", (const char *const[]){"--service=app", "--limit=node1", NULL});

    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 restarted", "node1     drain"));
    assert_int_equal(stage_server_pid(f->server[0][1]), jobs);
    r = run(f, "roll", (const char *const[]){"--service=app,nothing", NULL});
    stage_rollout_expect(s, r, 5, STAGE_SAYS("node node1/nothing: ", "nothing was changed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(each_service_of_each_node_goes_by_itself),
        stage_test(each_service_is_asked_at_its_own_place),
        stage_test(one_of_them_alone_leaves_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
