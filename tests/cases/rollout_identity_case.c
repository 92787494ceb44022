/* rollout_identity_case.c - who answers must be who the inventory means, and what nginx shows must be enough: all of it
 * is refused before anything changes. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000

/* A hosts file with these lines instead of the fleet's. */
static void use_hosts(struct stage_fleet *f, const char *lbs, const char *nodes)
{
    struct stage *s = f->stage;

    f->hosts =
        stage_write(s, "hosts", stage_text(s, "[lb]\n%s\n[web]\n%s\n[web:vars]\nrollout_service=app\n", lbs, nodes));
}

static const char *lb_line(struct stage_fleet *f)
{
    return stage_text(f->stage, "lb1 rollout_api=%s", f->lb[0]->api);
}

static const char *node_line(struct stage *s, const char *name, const struct stage_agent *agent)
{
    return stage_text(s, "%s ansible_host=127.0.0.1 rollout_agent=https://{host}:%u\n", name, agent->port);
}

static void expect_refusal(struct stage_fleet *f, int exit_code, const char *const *texts)
{
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, NULL);

    stage_rollout_expect(f->stage, r, exit_code, texts);
    stage_rollout_expect(f->stage, r, exit_code, STAGE_SAYS("nothing was changed"));
    assert_string_equal(stage_fleet_picture(f), before);
}

static void an_agent_with_a_certificate_for_another_name_is_not_believed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const struct stage_agent *other = stage_agent_start(s, "node9", f->node[0].server, false, NULL);

    use_hosts(f, lb_line(f),
              stage_text(s, "%s%s", node_line(s, "node1", other), node_line(s, "node2", f->node[1].agent)));
    expect_refusal(f, 4, STAGE_SAYS("node node1", "certificate"));
}

static void an_agent_that_calls_itself_otherwise_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_agent *a = f->node[0].agent;
    const char *conf = stage_read(s, a->conf_path), *at = strstr(conf, "node = node1\n");

    assert_non_null(at);
    stage_agent_stop(a, SIGTERM);
    (void)stage_write(s, strrchr(a->conf_path, '/') + 1,
                      stage_text(s, "%.*snode = node9\n%s", (int)(at - conf), conf, at + strlen("node = node1\n")));
    stage_agent_again(a);
    expect_refusal(f, 5, STAGE_SAYS("node1: the agent there calls itself node9"));
}

static void an_agent_knows_only_its_own_services(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--service=other", NULL});

    stage_rollout_expect(s, r, 5, STAGE_SAYS("node node1", "other", "nothing was changed"));
}

static void a_peer_that_two_nodes_match_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const struct stage_agent *other = stage_agent_start(s, "node9", f->node[0].server, false, NULL);

    use_hosts(f, lb_line(f),
              stage_text(s, "%s%s", node_line(s, "node1", f->node[0].agent), node_line(s, "node9", other)));
    expect_refusal(f, 5, STAGE_SAYS(f->node[0].server->peer, "both node1 and node9"));
}

static void a_node_without_a_peer_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_server *server = stage_server_start(s, "node9", "v1");
    const struct stage_agent *other = stage_agent_start(s, "node9", server, false, NULL);

    use_hosts(f, lb_line(f),
              stage_text(s, "%s%s", node_line(s, "node1", f->node[0].agent), node_line(s, "node9", other)));
    expect_refusal(f, 5, STAGE_SAYS("node9: no load balancer has a peer", "rollout_peer="));
}

static void an_upstream_of_one_peer_has_none_to_spare(struct stage *s)
{
    expect_refusal(stage_fleet(s, 1, 1), 5, STAGE_SAYS("upstream app at lb1", "the floor is 1"));
}

static void a_fleet_at_its_floor_has_none_to_spare(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_answer *a = stage_http(s, "PATCH", stage_text(s, "%s/9/http/upstreams/app/servers/1", f->lb[0]->api),
                                        "Content-Type: application/json", "{\"down\":true}");

    assert_int_equal(a->status, 200);
    expect_refusal(f, 5, STAGE_SAYS("upstream app at lb1", "1 of 2 peers are up"));
}

static void an_nginx_without_the_module_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *nodes =
        stage_text(s, "%s%s", node_line(s, "node1", f->node[0].agent), node_line(s, "node2", f->node[1].agent));

    use_hosts(f, stage_text(s, "lb1 rollout_api=%s/api", f->lb[0]->url), nodes); /* goes to a node, which has none */
    expect_refusal(f, 5, STAGE_SAYS("load balancer lb1", "404"));
    use_hosts(f, stage_text(s, "lb1 rollout_api=http://127.0.0.1:%u/api", stage_port(s)), nodes);
    expect_refusal(f, 4, STAGE_SAYS("load balancer lb1"));
}

static void an_api_that_takes_no_changes_is_refused(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *const peers[] = {f->node[0].server->peer, f->node[1].server->peer, NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};
    struct stage_rollout *r;
    const char *before;

    stage_nginx_stop(f->lb[0], SIGTERM);
    stage_nginx_write(f->lb[0], &(struct stage_nginx_conf){.upstreams = upstreams, .api_args = "write=off"});
    stage_nginx_again(f->lb[0]);
    before = stage_fleet_picture(f);
    r = stage_fleet_run(f, RUN_LIMIT_MS, NULL);
    stage_rollout_expect(s, r, 5, STAGE_SAYS("lb1"));
    assert_string_equal(stage_fleet_picture(f), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(an_agent_with_a_certificate_for_another_name_is_not_believed),
        stage_test(an_agent_that_calls_itself_otherwise_is_refused),
        stage_test(an_agent_knows_only_its_own_services),
        stage_test(a_peer_that_two_nodes_match_is_refused),
        stage_test(a_node_without_a_peer_is_refused),
        stage_test(an_upstream_of_one_peer_has_none_to_spare),
        stage_test(a_fleet_at_its_floor_has_none_to_spare),
        stage_test(an_nginx_without_the_module_is_refused),
        stage_test(an_api_that_takes_no_changes_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
