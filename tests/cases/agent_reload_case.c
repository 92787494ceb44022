/* agent_reload_case.c - SIGHUP: another config and other certificates under a running agent, and nobody notices. */
#include <signal.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/fleet.h"
#include "tests/stage/prom.h"
#include "tests/stage/raw.h"
#include "tests/stage/witness.h"

#define LOG_MS 10000

/* The agent's config with one text in place of another. */
static void change(struct stage_agent *a, const char *from, const char *to)
{
    struct stage *s = a->stage;
    const char *conf = stage_read(s, a->conf_path), *at = strstr(conf, from);

    if (at == NULL)
        stage_fail(s, "%s is not in the config", from);
    (void)stage_write(s, strrchr(a->conf_path, '/') + 1,
                      stage_text(s, "%.*s%s%s", (int)(at - conf), conf, to, at + strlen(from)));
}

struct lines {
    struct stage_agent *agent;
    const char *event;
    unsigned count;
};

static unsigned count_lines(struct stage_agent *a, const char *event)
{
    const char *at = stage_read(a->stage, a->proc->out_path);
    unsigned count = 0;

    for (; (at = strstr(at, event)) != NULL; at++)
        count++;
    return count;
}

static bool has_lines(void *ctx)
{
    const struct lines *l = ctx;

    return count_lines(l->agent, l->event) >= l->count;
}

/* SIGHUP, and so many more lines of this event: both halves tell. */
static void hup(struct stage_agent *a, const char *event, unsigned lines)
{
    struct lines l = {a, stage_text(a->stage, " event=%s ", event), 0};

    l.count = count_lines(a, l.event) + lines;
    if (kill(a->proc->pid, SIGHUP) != 0)
        stage_fail(a->stage, "cannot signal the agent");
    stage_wait_until(a->stage, has_lines, &l, LOG_MS, stage_text(a->stage, "%s in the agent's log", event));
}

static struct stage_answer *ask_as(struct stage_agent *a, const struct stage_tls *tls)
{
    return stage_agent_http_as(a, tls, "GET", APP, NULL, NULL, 0);
}

static void other_authorities_and_names_hold_from_then_on(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), false, NULL);
    const struct stage_tls *foreign = stage_cert_foreign(s, "controller2"), *own = stage_cert(s, "controller");

    assert_status(ask_as(a, own), 200);
    assert_int_not_equal(ask_as(a, foreign)->status, 200);
    change(a, "/ca/stage-ca.pem", "/ca/foreign-ca.pem");
    change(a, "allow = controller\n", "allow = controller2\n");
    hup(a, "reloaded", 2);
    assert_status(ask_as(a, foreign), 200);
    assert_int_not_equal(ask_as(a, own)->status, 200);
}

static long long certificate_ends(struct stage_agent *a)
{
    return prom_value(stage_agent_http(a, "GET", "/metrics", NULL)->body,
                      "rollout_agent_certificate_expiry_timestamp_seconds");
}

static void a_renewed_certificate_is_shown_to_new_connections(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), false, NULL);
    const struct stage_tls *tls = stage_cert(s, "n1");
    const char *days = "100", *ext = stage_write(s, "ext", "subjectAltName=DNS:n1\n");
    long long before = certificate_ends(a);
    struct stage_run r;

    r = stage_run(s, 20000,
                  (const char *const[]){"/usr/bin/openssl", "req", "-new", "-key", tls->key, "-subj", "/CN=n1", "-out",
                                        "csr", NULL});
    assert_int_equal(r.exit_code, 0);
    r = stage_run(s, 20000,
                  (const char *const[]){"/usr/bin/openssl", "x509", "-req", "-in", "csr", "-CA", tls->ca, "-CAkey",
                                        stage_text(s, "%s/ca/stage-ca.key", s->dir), "-set_serial", "77", "-days", days,
                                        "-extfile", ext, "-out", tls->cert, NULL});
    assert_int_equal(r.exit_code, 0);
    hup(a, "reloaded", 2);
    assert_true(certificate_ends(a) > before + 30 * 86400);
    assert_status(get_status(a), 200); /* libcurl checks what is shown */
}

static void a_bad_config_is_refused_and_the_old_one_stays(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), false, NULL);
    const char *good = stage_read(s, a->conf_path), *log;
    static const struct {
        const char *from, *to, *why;
    } rows[] = {
        {"allow = controller\n", "alow = controller\n", "did you mean"},
        {"allow = controller\n", "", "allow must name"},
        {"tls-key = ", "tls-key = /nowhere", "tls-key"},
        {"/ca/stage-ca.pem", "/ca/stage-ca.key", "holds no certificate"},
        {"node = n1\n", "node = n2\n", "node has changed"},
        {"[service app]", "[service other]", "the name or the order of the services"},
        {"state = /", "state = /tmp/", "state has changed"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        change(a, rows[i].from, rows[i].to);
        hup(a, "reload_refused", 1);
        log = stage_read(s, a->proc->out_path);
        for (const char *at = log; (at = strstr(at, "event=reload_refused")) != NULL; at++)
            log = at; /* the latest */
        if (strstr(log, rows[i].why) == NULL)
            fail_msg("no \"%s\" in the log", rows[i].why);
        assert_status(get_status(a), 200);
        (void)stage_write(s, strrchr(a->conf_path, '/') + 1, good);
    }
    assert_int_equal(count_lines(a, " event=reloaded "), 0);
    hup(a, "reloaded", 2);
}

static void no_job_and_no_connection_ends(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, "ready-timeout = 2s\n");
    const char *hang = stage_server_variant(s, "hang"), *hex, *answer;
    int waits, idle;

    hex = stage_sha256(s, hang); /* a job that takes all of its ready-timeout */
    assert_status(put_release(a, hex, hang), 201);
    assert_status(put_claim(a, "r", 1, 0, 60), 200);
    assert_status(post_job(a, "r/n1/job/1", "r", 1, "upgrade", hex), 202);
    idle = stage_raw_open(s, a->port);
    stage_raw_send(s, idle, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, idle, 5000), " 200 "));
    waits = stage_raw_open(s, a->port);
    stage_raw_send(s, waits, "GET " APP "/jobs/r/n1/job/1?wait=25s HTTP/1.1\r\nHost: a\r\n\r\n");
    change(a, "ready-timeout = 2s", "ready-timeout = 3s");
    hup(a, "reloaded", 1); /* the network half; the other one waits for the job's end */
    stage_wait_until(s, has_lines, &(struct lines){a, " event=reload_waits ", 1}, LOG_MS, "the helper half to wait");
    assert_int_equal(count_lines(a, " event=reloaded "), 1);
    stage_raw_send(s, idle, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, idle, 5000), " 200 "));
    answer = stage_raw_answer(s, waits, 20000);
    assert_non_null(strstr(answer, "no_successor"));
    stage_wait_until(s, has_lines, &(struct lines){a, " event=reloaded ", 2}, LOG_MS,
                     "the helper half to have read it");
}

static void another_health_url_is_asked_from_then_on(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);

    assert_true(json_is_true(stage_json_find(stage_agent_http(a, "GET", APP "/health", NULL)->json, "healthy")));
    change(a, "/healthz\n", "/nothing-there\n");
    hup(a, "reloaded", 2);
    assert_true(json_is_false(stage_json_find(stage_agent_http(a, "GET", APP "/health", NULL)->json, "healthy")));
}

static bool is_healthy(struct stage_agent *a)
{
    return json_is_true(stage_json_find(stage_agent_http(a, "GET", APP "/health", NULL)->json, "healthy"));
}

static void each_half_has_its_own_signal_where_each_has_its_own_start(struct stage *s)
{
    struct stage_agent *a = stage_agent_start_halves(s, "n1", stage_server_start(s, "n1", "v1"), "", NULL);
    struct stage_agent helper = {.stage = s, .proc = a->helper};

    change(a, "/healthz\n", "/nothing-there\n");
    hup(a, "reloaded", 1);
    assert_true(is_healthy(a)); /* the helper half has not been told */
    hup(&helper, "reloaded", 1);
    assert_false(is_healthy(a));
}

static bool has_ended(void *ctx)
{
    struct stage_fleet *f = ((void **)ctx)[0];
    struct stage_rollout *r = ((void **)ctx)[1];

    for (unsigned i = 0; i < f->n_nodes; i++)
        (void)kill(f->node[i].agent->proc->pid, SIGHUP);
    return stage_proc_ended(f->stage, r->proc);
}

static void a_rollout_does_not_notice(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_text(s, "%s/demo-server-v2", s->build), NULL});

    stage_wait_until(s, has_ended, (void *[]){f, r}, 60000, "the rollout to end"); /* SIGHUP every 10 ms */
    stage_rollout_end(s, r, 1000);
    stage_rollout_expect(s, r, 0, STAGE_SAYS(""));
    stage_fleet_expect_versions(f, "22");
    assert_true(count_lines(f->node[0].agent, " event=reloaded ") > 10);
}

/* What --check would say, for whoever asks from elsewhere. */
static void the_status_warns_of_a_unit_that_no_handover_survives_until_it_is_mended(struct stage *s)
{
    const char *unit = stage_write(s, "app.service", "[Service]\nType=simple\nExecStart=/bin/true\n");
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, stage_text(s, "unit = app\nunit-file = %s\n", unit));

    assert_non_null(strstr(stage_json_string(s, get_status(a)->json, "warnings.0"), "app.service has Type=simple"));
    (void)stage_mkdir(s, "app.service.d");
    (void)stage_write(s, "app.service.d/handover.conf", "[Service]\nType=notify\nNotifyAccess=all\n");
    hup(a, "reloaded", 2);
    assert_int_equal(json_array_size(stage_json(s, get_status(a)->json, "warnings")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_status_warns_of_a_unit_that_no_handover_survives_until_it_is_mended),
        stage_test(other_authorities_and_names_hold_from_then_on),
        stage_test(a_renewed_certificate_is_shown_to_new_connections),
        stage_test(a_bad_config_is_refused_and_the_old_one_stays),
        stage_test(no_job_and_no_connection_ends),
        stage_test(another_health_url_is_asked_from_then_on),
        stage_test(a_rollout_does_not_notice),
        stage_test(each_half_has_its_own_signal_where_each_has_its_own_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
