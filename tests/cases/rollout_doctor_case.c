/* rollout_doctor_case.c - `rollout doctor`: what stands in a rollout's way is told before the first one, each with what
 * mends it, and nothing is changed. */
#include <signal.h>

#include "tests/cases/agent_client.h"

#include "resume_steps.h"

#define LIMIT_MS 30000

struct office {
    struct stage_fleet *f;
    struct stage_nginx_conf conf;
    const char *peers[4];
    struct stage_upstream upstreams[2];
};

/* Two nodes and a load balancer that keeps its state; `foreign`: one more server of the upstream, or NULL. */
static struct office *office(struct stage *s, const char *foreign, const char *http_extra, const char *api_args)
{
    struct office *o = stage_alloc(s, sizeof *o);

    o->f = stage_fleet(s, 2, 1);
    o->peers[0] = o->f->node[0].server->peer;
    o->peers[1] = o->f->node[1].server->peer;
    o->peers[2] = foreign;
    o->upstreams[0] = (struct stage_upstream){.name = "app", .peers = o->peers};
    o->conf = (struct stage_nginx_conf){
        .upstreams = o->upstreams, .workers = 1, .http_extra = http_extra, .api_args = api_args};
    stage_nginx_write(o->f->lb[0], &o->conf);
    stage_nginx_reload(o->f->lb[0]);
    return o;
}

static const char *kept(struct stage *s)
{
    return stage_text(s, "api_state %s/kept;", s->dir);
}

static struct stage_rollout *ask(struct office *o, const char *more)
{
    return stage_fleet_run(o->f, LIMIT_MS, (const char *const[]){"doctor", more, NULL});
}

/* The line of this result and check, and the one below it. */
static void expect_line(struct stage *s, const struct stage_rollout *r, const char *head, const char *detail,
                        const char *mend)
{
    const char *at = strstr(r->out, head), *next;

    if (at == NULL || (next = strchr(at, '\n')) == NULL ||
        memmem(at, (size_t)(next - at), detail, strlen(detail)) == NULL)
        stage_fail(s, "no line \"%s\" with \"%s\" in:\n%s%s", head, detail, r->out, r->err);
    if (mend != NULL && (strncmp(next, "\n      mend: ", 13) != 0 || strstr(next, mend) == NULL))
        stage_fail(s, "\"%s\" is not mended by \"%s\":\n%s", head, mend, r->out);
}

static void a_good_fleet_is_all_ok_and_stays_as_it_is(struct stage *s)
{
    struct office *o = office(s, NULL, kept(s), NULL);
    const char *before = stage_fleet_picture(o->f);
    struct stage_rollout *r = ask(o, NULL);

    stage_rollout_expect(s, r, 0, STAGE_SAYS("ok    agents"));
    if (strstr(r->out, "warn") != NULL || strstr(r->out, "FAIL") != NULL || strstr(r->out, "mend:") != NULL)
        stage_fail(s, "not all is ok:\n%s", r->out);
    expect_line(s, r, "ok    load balancers", "1 answers, API version 9", NULL);
    expect_line(s, r, "ok    state kept", "1 keeps", NULL);
    expect_line(s, r, "ok    certificates", "the first ends in ", NULL);
    expect_line(s, r, "ok    plan", "2 of 2 nodes to restart", NULL);
    assert_string_equal(stage_fleet_picture(o->f), before);
}

static void an_api_that_only_reads_is_told(struct stage *s)
{
    struct stage_rollout *r = ask(office(s, NULL, kept(s), ""), NULL);

    assert_int_equal(r->exit_code, 5);
    expect_line(s, r, "FAIL  changes", "lb1: ", "api write=on");
}

static bool has_run_out(void *ctx)
{
    struct stage_fleet *f = ctx;

    return stage_json_int(f->stage, stage_fleet_claim(f, 1), "left") == 0;
}

static void an_agent_that_is_down_is_told_and_a_node_that_is_out_is_worse(struct stage *s)
{
    struct office *o = office(s, NULL, kept(s), NULL);
    struct stage_rollout *r;
    json_t *all;

    stage_agent_stop(o->f->node[0].agent, SIGTERM);
    r = ask(o, NULL);
    assert_int_equal(r->exit_code, 4);
    expect_line(s, r, "FAIL  agents", "node1: ", "rollout-agent runs there");
    expect_line(s, r, "ok    peers without an agent", "not looked at", NULL);
    assert_status(put_claim(o->f->node[1].agent, "r-17", 3, 0, 1), 200);
    stage_wait_until(s, has_run_out, o->f, LIMIT_MS, "the claim to run out");
    r = ask(o, "--output=json");
    assert_int_equal(r->exit_code, 3);
    all = stage_keep(s, json_loads(r->out, 0, NULL), (void (*)(void *))json_decref);
    assert_int_equal(stage_json_int(s, all, "exit_code"), 3);
    assert_true(json_array_size(stage_json(s, all, "findings")) >= 14);
    assert_non_null(strstr(r->out, "rollout repair --hosts"));
}

static void a_peer_that_no_node_has_is_told(struct stage *s)
{
    struct stage_rollout *r = ask(office(s, "127.0.0.9:9", kept(s), NULL), NULL);

    assert_int_equal(r->exit_code, 0);
    expect_line(s, r, "warn  peers without an agent", "127.0.0.9:9 of upstream app at lb1", "hosts file");
}

static void state_that_a_restart_forgets_is_told(struct stage *s)
{
    struct stage_rollout *r = ask(office(s, NULL, NULL, NULL), NULL);

    assert_int_equal(r->exit_code, 0);
    expect_line(s, r, "warn  state kept", "lb1: what is drained is forgotten", "api_state FILE;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_good_fleet_is_all_ok_and_stays_as_it_is),
        stage_test(an_api_that_only_reads_is_told),
        stage_test(an_agent_that_is_down_is_told_and_a_node_that_is_out_is_worse),
        stage_test(a_peer_that_no_node_has_is_told),
        stage_test(state_that_a_restart_forgets_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
