/* rollout_agents_case.c - `rollout agents`: every agent's state in one table, and an exit code that a script can use.
 */
#include <signal.h>
#include <time.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/fleet.h"
#include "tests/stage/test.h"

#define LIMIT_MS 30000

/* NULL-terminated further arguments. */
static struct stage_rollout *ask(struct stage_fleet *f, const char *const *more)
{
    const char *args[16] = {"agents", "--hosts",          f->hosts,   "--cert",         f->controller->cert,
                            "--key",  f->controller->key, "--cacert", f->controller->ca};
    size_t n = 9;

    for (; more != NULL && *more != NULL; more++)
        args[n++] = *more;
    return stage_rollout(f->stage, LIMIT_MS, args);
}

/* Nodes and their agents alone: a hosts file without a load balancer will do. */
static struct stage_fleet *nodes(struct stage *s, unsigned n)
{
    return stage_fleet(s, n, 0);
}

/* The line that begins with this word. */
static const char *line_of(struct stage *s, const struct stage_rollout *r, const char *word)
{
    const char *at = r->out;
    size_t length = strlen(word);

    while (strncmp(at, word, length) != 0 || at[length] != ' ') {
        at = strchr(at, '\n');
        if (at == NULL)
            stage_fail(s, "no line of %s in:\n%s%s", word, r->out, r->err);
        at++;
    }
    return stage_text(s, "%.*s", (int)strcspn(at, "\n"), at);
}

static void every_agent_has_a_line_and_all_is_well(struct stage *s)
{
    struct stage_fleet *f = nodes(s, 2);
    const char *hash = stage_sha256(s, f->node[0].server->exe), *line;
    struct stage_rollout *r;

    wait_version(f->node[0].agent, "1");
    r = ask(f, NULL);
    assert_int_equal(r->exit_code, 0);
    line = line_of(s, r, "node1");
    assert_non_null(strstr(line, " app "));
    assert_non_null(strstr(line, stage_text(s, "%.8s  %.8s", hash, hash)));
    assert_non_null(strstr(line, stage_text(s, " %d ", (int)stage_server_pid(f->node[0].server))));
    assert_non_null(strstr(line, "d left")); /* the certificate */
    (void)line_of(s, r, "node2");

    r = ask(f, (const char *const[]){"--limit=node2", NULL});
    assert_null(strstr(r->out, "node1"));
    r = ask(f, (const char *const[]){"--service=other", NULL});
    assert_non_null(strstr(line_of(s, r, "node1"), "no such service"));
}

static void an_agent_that_cannot_be_asked_is_told_with_the_reason(struct stage *s)
{
    struct stage_fleet *f = nodes(s, 3);
    const struct stage_agent *other;
    struct stage_rollout *r;

    stage_agent_stop(f->node[0].agent, SIGTERM);
    other = stage_agent_start(s, "node9", f->node[1].server, false, NULL); /* the certificate of another name */
    f->node[1].agent->port = other->port;
    (void)stage_fleet_hosts(f, NULL);
    r = ask(f, NULL);
    assert_int_equal(r->exit_code, 4);
    assert_non_null(strstr(line_of(s, r, "node1"), "node1 ("));
    assert_non_null(strstr(line_of(s, r, "node2"), "certificate"));
    assert_non_null(strstr(line_of(s, r, "node3"), " app "));

    f->controller = stage_cert(s, "stranger");
    r = ask(f, NULL);
    assert_int_equal(r->exit_code, 4);
    assert_non_null(strstr(line_of(s, r, "node3"), "forbidden"));
}

static void a_node_that_is_out_is_the_worst(struct stage *s)
{
    struct stage_fleet *f = nodes(s, 2);
    struct stage_rollout *r;

    assert_status(put_claim(f->node[1].agent, "r-17", 3, 0, 600), 200);
    stage_agent_stop(f->node[0].agent, SIGTERM); /* which comes first, and is less */
    r = ask(f, NULL);
    assert_int_equal(r->exit_code, 3);
    assert_non_null(strstr(line_of(s, r, "node2"), "OUT, r-17 "));
}

static void programs_get_json(struct stage *s)
{
    struct stage_fleet *f = nodes(s, 2);
    struct stage_rollout *r;
    const char *ends;
    json_t *all, *row;

    stage_agent_stop(f->node[1].agent, SIGTERM);
    r = ask(f, (const char *const[]){"--output=json", NULL});
    assert_int_equal(r->exit_code, 4);
    all = stage_keep(s, json_loads(r->out, 0, NULL), (void (*)(void *))json_decref);
    row = json_array_get(stage_json(s, all, "agents"), 0);
    assert_string_equal(stage_json_string(s, row, "node"), "node1");
    assert_true(json_is_true(stage_json(s, row, "reachable")));
    ends = stage_json_string(s, row, "certificate_ends");
    assert_true(strlen(ends) == strlen("2026-11-25T18:40:02.123Z") && strncmp(ends, "20", 2) == 0);
    row = json_array_get(stage_json(s, row, "services"), 0);
    assert_string_equal(stage_json_string(s, row, "running_sha256"), stage_sha256(s, f->node[0].server->exe));
    row = json_array_get(stage_json(s, all, "agents"), 1);
    assert_true(json_is_false(stage_json(s, row, "reachable")));
    assert_true(json_is_string(stage_json(s, row, "why")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(every_agent_has_a_line_and_all_is_well),
        stage_test(an_agent_that_cannot_be_asked_is_told_with_the_reason),
        stage_test(a_node_that_is_out_is_the_worst),
        stage_test(programs_get_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
