/* rollout_drift_case.c - others change things while a rollout is under way: an operator at a load balancer, an nginx
 * that is started anew, an agent that lost its disk, a new configuration. Noticed before the next effect: what is ours
 * is repaired, what is not stops the rollout, and no node that is in use is restarted. */
#include <signal.h>
#include <string.h>

#include "agent_client.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      0 /* once released */
#define SHORT_WAITS  "--request-timeout=1s", "--lease-ttl=60s", "--healthy-deadline=20s"

/* An operator: without a fence. */
static void patch(struct stage_fleet *f, unsigned lb, unsigned node, const char *body)
{
    struct stage *s = f->stage;
    struct stage_answer *a =
        stage_http(s, "PATCH", stage_text(s, "%s/9/http/upstreams/app/servers/%u", f->lb[lb]->api, node), NULL, body);

    assert_int_equal(a->status, 200);
}

static struct stage_rollout *roll_until(struct stage_fleet *f, const char *step, const char *const *more)
{
    const char *args[16] = {SHORT_WAITS};
    struct stage_rollout *r;
    size_t n = 3;

    for (; more != NULL && *more != NULL && n < 15; more++)
        args[n++] = *more;
    r = stage_fleet_start(f, args);
    stage_rollout_until(f->stage, r, stage_text(f->stage, "node1     %s", step), RUN_LIMIT_MS);
    return r;
}
#define ROLL_UNTIL(f, step, ...) roll_until(f, step, (const char *const[]){__VA_ARGS__, NULL})

static void expect_well(struct stage_fleet *f)
{
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* ---- an operator */

static void a_draining_node_that_an_operator_puts_back_is_not_restarted(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_hold *hold = stage_hold_start(f, 1, 0, HOLD_MS);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=50s", "--on-drain-timeout=proceed");

    stage_fleet_wait_state(f, 0, 0, "draining", RUN_LIMIT_MS);
    patch(f, 0, 0, "{\"drain\":false}");
    stage_rollout_end(s, r, 20000); /* long before the drain's limit */
    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS(stage_text(s, "stopped: node1: somebody else put %s back at lb1 while it was out",
                                               f->node[0].server->peer),
                                    "1 stopped, in rotation", "1 not begun"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    expect_well(f);
}

static void a_node_that_an_operator_puts_back_while_it_restarts_is_the_last(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "health", "--min-healthy-time=3s");

    patch(f, 0, 0, "{\"down\":false}");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("stopped: node1: somebody else put", "1 restarted", "1 not begun"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    expect_well(f);
}

static void a_node_that_an_operator_takes_out_counts_for_the_floor(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "health", "--healthy-deadline=3s");

    patch(f, 1, 2, "{\"down\":true}");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("1 restarted", "node2: failed, in rotation; in step floor"));
    assert_int_equal(stage_server_pid(f->node[1].server), before.pid[1]);
    assert_string_equal(stage_fleet_peer_state(f, 1, 2), "down"); /* and stays as he wants it */
    patch(f, 1, 2, "{\"down\":false}");
    expect_well(f);
}

/* ---- an nginx that is stopped and started, without a state file */

static void restart_nginx(struct stage_fleet *f, unsigned lb)
{
    stage_nginx_stop(f->lb[lb], SIGTERM);
    stage_nginx_again(f->lb[lb]);
}

static bool leased(void *ctx)
{
    struct stage_fleet *f = ctx;

    return strcmp(stage_json_string(f->stage, stage_fleet_lease(f, 1), "id"), "drift") == 0;
}

static void an_nginx_that_forgot_takes_the_node_out_again(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r = ROLL_UNTIL(f, "health", "--min-healthy-time=4s", "--rollout-id=drift", "--limit=node1");

    restart_nginx(f, 1);
    stage_fleet_wait_state(f, 1, 0, "down", 5000);
    stage_wait_until(s, leased, f, 5000, "the lease to be taken again"); /* a third of its ttl is 20 s */
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 0, STAGE_SAYS("1 restarted", stage_text(s, "lb2 has forgotten that %s is out", f->node[0].server->peer)));
    expect_well(f);
}

static void a_node_is_quiet_at_an_nginx_that_forgot_before_it_is_restarted(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=50s");

    restart_nginx(f, 1);
    stage_fleet_wait_state(f, 1, 0, "down", 5000);
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted", "lb2 has forgotten that"));
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    expect_well(f);
}

/* ---- an agent whose state folder is gone */

static void wipe_agent(struct stage_agent *a)
{
    struct stage_run gone;

    stage_agent_stop(a, SIGKILL);
    gone = stage_run(a->stage, 5000, (const char *const[]){"/bin/rm", "-r", a->state_dir, NULL});
    assert_int_equal(gone.exit_code, 0);
    (void)stage_mkdir(a->stage, strrchr(a->state_dir, '/') + 1);
    stage_agent_again(a);
}

static void a_claim_that_its_agent_lost_is_put_again(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=50s", "--rollout-id=drift");

    wipe_agent(f->node[0].agent);
    assert_true(json_is_null(stage_fleet_claim(f, 0)));
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted", "its agent had lost our claim, and has it again"));
    expect_well(f);
}

static void a_claim_that_another_rollout_has_by_now_stops_this_one(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=50s", "--rollout-id=drift");

    wipe_agent(f->node[0].agent);
    assert_int_equal(put_claim(f->node[0].agent, "other", 99, 0, 60)->status, 200);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    /* it is that one's to put back by now, and it does not */
    stage_rollout_expect(s, r, 3,
                         STAGE_SAYS("the claim of node1 is no longer ours", "node1: OUT OF ROTATION", "1 not begun"));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_string_equal(stage_json_string(s, stage_fleet_claim(f, 0), "rollout"), "other");
}

/* ---- a new configuration of nginx */

/* `app` without its first `skip` servers; and one more upstream of `extra` alone, where it is not NULL. */
static void reload(struct stage_fleet *f, unsigned skip, const char *extra)
{
    struct stage *s = f->stage;
    const char *app[STAGE_NODES_MAX + 1] = {NULL}, *alone[] = {extra, NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "app", .peers = app}, {.name = extra != NULL ? "extra" : NULL, .peers = alone}, {.name = NULL}};

    for (unsigned i = skip; i < f->n_nodes; i++)
        app[i - skip] = stage_text(s, "%s fail_timeout=1s", f->node[i].server->peer);
    stage_nginx_write(f->lb[0], &(struct stage_nginx_conf){.upstreams = upstreams});
    stage_nginx_reload(f->lb[0]);
}

/* While node1 drains, lb1 lists `server`, another place where it is in use. */
static void is_not_restarted(struct stage_fleet *f, const char *server, const char *said)
{
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=50s");

    reload(f, 0, server);
    stage_rollout_end(f->stage, r, 20000);
    stage_rollout_expect(f->stage, r, 1, STAGE_SAYS("node1: failed, in rotation; in step quiet", said));
    assert_int_equal(stage_fleet_same_pids(f, &before), 2);
    assert_non_null(strstr(stage_hold_end(hold), " slept for "));
    expect_well(f);
}

static void a_node_in_one_more_upstream_is_not_restarted(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *server = f->node[0].server->peer;

    is_not_restarted(f, server, stage_text(s, "lb1 lists %s in another upstream", server));
}

static void a_node_with_one_more_port_in_use_is_not_restarted(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    is_not_restarted(f, stage_text(s, "127.0.0.1:%u", f->node[0].server->port[1]),
                     "lb1 lists another address of its service");
}

static void a_node_that_is_no_peer_any_more_is_named(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_pids before = stage_fleet_pids(f);
    struct stage_rollout *r = ROLL_UNTIL(f, "quiet", "--drain-timeout=2s");

    reload(f, 1, NULL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 3, STAGE_SAYS("node1: OUT OF ROTATION", "does not list", f->node[0].server->peer));
    assert_int_equal(stage_fleet_same_pids(f, &before), 3);
    (void)stage_hold_end(hold);
}

/* A reload that leaves everything as it was is none of our business: nginx keeps what was changed. */
static void a_reload_that_changes_nothing_is_no_drift(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r = ROLL_UNTIL(f, "health", "--min-healthy-time=2500ms", "--limit=node1");

    stage_nginx_reload(f->lb[0]);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 restarted"));
    if (strstr(r->out, "forgotten") != NULL || strstr(r->out, "somebody") != NULL)
        stage_fail(s, "nothing was forgotten:\n%s", r->out);
    expect_well(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_draining_node_that_an_operator_puts_back_is_not_restarted),
        stage_test(a_node_that_an_operator_puts_back_while_it_restarts_is_the_last),
        stage_test(a_node_that_an_operator_takes_out_counts_for_the_floor),
        stage_test(an_nginx_that_forgot_takes_the_node_out_again),
        stage_test(a_node_is_quiet_at_an_nginx_that_forgot_before_it_is_restarted),
        stage_test(a_claim_that_its_agent_lost_is_put_again),
        stage_test(a_claim_that_another_rollout_has_by_now_stops_this_one),
        stage_test(a_node_in_one_more_upstream_is_not_restarted),
        stage_test(a_node_with_one_more_port_in_use_is_not_restarted),
        stage_test(a_node_that_is_no_peer_any_more_is_named),
        stage_test(a_reload_that_changes_nothing_is_no_drift),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
