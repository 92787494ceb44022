/* What a healthy answer is, who asks for it, and whose it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/agent_api.h"
#include "controller/fleet.h"
#include "controller/health.h"
#include "controller/options.h"
#include "controller/options_health.h"
#include "controller/plan_make.h"
#include "controller/world_net.h"
#include "small_plan.h"
#include "tiny_server.h"

/* ---- the answer */

static void status_and_body_both_count(void **state)
{
    static const struct {
        uint16_t low, high;
        const char *body;
        int status;
        const char *says;
        bool good;
    } rows[] = {
        {200, 299, "", 200, "", true},
        {200, 299, "", 299, "ill", true},
        {200, 299, "", 199, "ok", false},
        {200, 299, "", 300, "ok", false},
        {503, 503, "", 503, "", true},
        {200, 299, "ok", 200, "ok", true},
        {200, 299, "ok", 200, "look here", true},
        {200, 299, "ok", 200, "o k", false},
        {200, 299, "ok", 503, "ok", false},
        {200, 299, "ok", 200, "", false},
        {200, 299, "OK", 200, "ok", false},
    };
    char text[ANSWER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan_health h = {.status = {rows[i].low, rows[i].high}, .body = rows[i].body};
        struct call_result r = {.failure = CALL_FINE,
                                .status = rows[i].status,
                                .body = (char *)(uintptr_t)rows[i].says,
                                .body_bytes = strlen(rows[i].says)};

        if (health_good(&h, &r, text, sizeof text) != rows[i].good)
            fail_msg("row %zu: %s", i, text);
        assert_int_equal(text[0] == '\0', rows[i].good);
        r.failure = CALL_TIMEOUT;
        assert_false(health_good(&h, &r, (strcpy(r.text, "no answer"), text), sizeof text));
        assert_string_equal(text, "no answer");
    }
}

static void what_is_not_the_default_is_told_to_the_agent(void **state)
{
    static const struct {
        uint16_t low, high;
        const char *body, *url;
    } rows[] = {
        {200, 299, "", "/health"},
        {200, 204, "", "/health?status=200-204"},
        {418, 418, "", "/health?status=418"},
        {200, 299, "all & well?", "/health?body=all%20%26%20well%3F"},
        {200, 200, "+1", "/health?status=200&body=%2B1"},
    };
    const int ports[2] = {1, 2};
    struct small_plan s;

    (void)state;
    small_plan(&s, ports, ports);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *url;

        s.plan.health = (struct plan_health){.status = {rows[i].low, rows[i].high}, .body = rows[i].body};
        url = agent_api_url_health(&s.plan, 0);
        assert_string_equal(strstr(url, "/health"), rows[i].url);
        free(url);
    }
}

/* ---- the options */

static const struct {
    const char *args[4], *hosts, *url, *says; /* url: of web2, NULL: its agent checks */
} CHOICES[] = {
    {{NULL}, "web1\nweb2\n", NULL, NULL},
    {{"--health-from=controller", "--health-url=http://{host}:81/ok/"}, "web1\nweb2\n", "http://web2:81/ok/", NULL},
    {{"--health-from=controller"},
     "web1 rollout_health_url=http://a\nweb2 ansible_host=::2 rollout_health_url=http://{address}/x\n",
     "http://[::2]/x",
     NULL},
    {{NULL}, "web1\nweb2 rollout_health_url=http://b/\n", NULL, NULL},
    {{"--health-from=controller"},
     "web1\nweb2 rollout_health_url=http://b/\n",
     NULL,
     "h: the health URL of web1: there is none"},
    {{"--health-from=controller", "--health-url=ftp://{host}"}, "web1\nweb2\n", NULL, "the health URL of web1: \"ftp"},
    {{"--health-from=controller", "--health-url=http://10.0.0.1"},
     "web1\nweb2\n",
     NULL,
     "the health URL of web2: it is also that of web1"},
    {{"--health-url=http://{host}"}, "web1\nweb2\n", NULL, "it needs --health-from controller"},
    {{"--health-status=2xx"}, "web1\nweb2\n", NULL, "--health-status: \"2xx\" is neither an HTTP status"},
    {{"--health-from=me"}, "web1\nweb2\n", NULL, "--health-from: \"me\" is not one of: agent, controller"},
};

static void an_url_is_needed_where_the_controller_asks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CHOICES / sizeof *CHOICES; i++) {
        char *argv[8] = {"rollout", "--hosts=h", "--service=app"}, *env[] = {"HOME=/", NULL}, *url = NULL;
        const uint32_t nodes[2] = {0, 1};
        struct options o;
        struct err err = {""};
        struct fleet *fleet;
        int argc = 3;
        bool good;

        for (; CHOICES[i].args[argc - 3] != NULL; argc++)
            argv[argc] = (char *)(uintptr_t)CHOICES[i].args[argc - 3];
        assert_true(fleet_parse("h", CHOICES[i].hosts, strlen(CHOICES[i].hosts), &fleet, &err));
        good = options_parse(argc, argv, env, &o, &err) && options_merge_fleet(&o, fleet, nodes, 2, &err);
        if (good != (CHOICES[i].says == NULL) || (!good && strstr(err.text, CHOICES[i].says) == NULL))
            fail_msg("row %zu: %s", i, err.text);
        if (good)
            url = options_health_url(&o, fleet, 1, NULL);
        if (url == NULL || CHOICES[i].url == NULL)
            assert_ptr_equal(url, CHOICES[i].url);
        else
            assert_string_equal(url, CHOICES[i].url);
        free(url);
        fleet_free(&fleet);
        options_free(&o);
    }
}

static void each_service_has_an_url_of_its_own(void **state)
{
#define TWO "app=http://{host}/a,b=c,jobs=https://{address}:81/"
    static const struct {
        const char *service, *url, *app, *jobs, *says; /* of web2; NULL: refused */
    } rows[] = {
        {"app,jobs", TWO, "http://web2/a,b=c", "https://10.0.0.2:81/", NULL},
        {"jobs", TWO, NULL, "https://10.0.0.2:81/", NULL},
        {"app", "app=http://{host}/", "http://web2/", NULL, NULL},
        {"app,jobs", "http://{host}/", NULL, NULL,
         "the health URL of web1/jobs: it is also that of web1/app; name one "},
        {"app,jobs", "app=http://{host}/", NULL, NULL, "the health URL of web1/jobs: there is none"},
        {"app,jobs", "jobs=http://{host}/", NULL, NULL, "the health URL of web1/app: there is none"},
        {"app,jobs", "app=http://{host}/,jobs=http://x/", NULL, NULL,
         "the health URL of web2/jobs: it is also that of web1/jobs; write {host}"},
        {"app,jobs", "app=http://{host}/,jobs=ftp://{host}/", NULL, NULL, "the health URL of web1/jobs: there is none"},
        {"app", "app=ftp://{host}/", NULL, NULL, "is no URL that begins with https:// or http://"},
    };
    static const char hosts[] = "web1 ansible_host=10.0.0.1\nweb2 ansible_host=10.0.0.2\n";

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char service[64], flag[128],
            *argv[] = {"rollout", "--hosts=h", service, "--health-from=controller", flag, NULL};
        char *env[] = {"HOME=/", NULL};
        const uint32_t nodes[2] = {0, 1};
        struct options o;
        struct err err = {""};
        struct fleet *fleet;
        bool good;

        (void)snprintf(service, sizeof service, "--service=%s", rows[i].service);
        (void)snprintf(flag, sizeof flag, "--health-url=%s", rows[i].url);
        assert_true(fleet_parse("h", hosts, strlen(hosts), &fleet, &err));
        good = options_parse(5, argv, env, &o, &err) && options_merge_fleet(&o, fleet, nodes, 2, &err);
        if (good != (rows[i].says == NULL) || (!good && strstr(err.text, rows[i].says) == NULL))
            fail_msg("row %zu: %s", i, err.text);
        for (int k = 0; good && k < 2; k++) {
            char *url = options_health_url(&o, fleet, 1, k == 0 ? "app" : "jobs");
            const char *wanted = k == 0 ? rows[i].app : rows[i].jobs;

            if (wanted != NULL && (url == NULL || strcmp(url, wanted) != 0))
                fail_msg("row %zu: %s", i, url);
            free(url);
        }
        fleet_free(&fleet);
        options_free(&o);
    }
}

static void what_is_asked_must_be_the_nodes_own_service(void **state)
{
    static const struct {
        const char *flag, *url, *hosts, *says; /* NULL: taken */
    } rows[] = {
        {"--health-status=200-299", "", "web1\n", NULL},
        {"--health-status=200", "", "web1\n", "web1: its agent (old) does not know --health-status"},
        {"--health-body=ok", "", "web1\n", "web1: its agent (old) does not know --health-status"},
        {"--health-body=ok", "http://10.0.0.1/x", "web1\n", NULL},
        {"--health-body=ok", "https://[fd00::1]/x", "web1\n", NULL},
        {"--health-body=ok", "http://[fd00::1]:443", "web1\n", NULL},
        {"--health-body=ok", "http://web1:99/x", "web1\n", NULL},
        {"--health-body=ok", "http://10.0.0.1:81/x", "web1\n", "web1: its service does not listen on 10.0.0.1:81"},
        {"--health-body=ok", "http://10.0.0.2/x", "web1\n", "does not listen on 10.0.0.2:80"},
        {"--health-body=ok", "http://[fd00::1]/x", "web1\n", "does not listen on [fd00::1]:80"},
        {"--health-body=ok", "http://1.2.3.4/x", "web1 rollout_peer=1.2.3.4:80\n", NULL},
    };
    const char *listening[] = {"10.0.0.1:80", "[fd00::1]:443"}, *features[] = {"health"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char url[64], *argv[] = {"rollout",
                                 "--hosts=h",
                                 "--service=app",
                                 (char *)(uintptr_t)rows[i].flag,
                                 url,
                                 "--health-from=controller",
                                 NULL};
        char *env[] = {"HOME=/", NULL};
        struct options o;
        struct err err = {""};
        struct fleet *fleet;
        struct survey_node node = {.good = true,
                                   .root = {.agent = "old", .n_features = 1, .features = features},
                                   .status = {.n_listening = 2, .listening = listening}};
        struct survey survey = {.n_nodes = 1, .nodes = &node};
        struct complaints c = {0};

        (void)snprintf(url, sizeof url, "--health-url=%s", rows[i].url);
        if (rows[i].url[0] == '\0')
            argv[4] = NULL;
        assert_true(fleet_parse("h", rows[i].hosts, strlen(rows[i].hosts), &fleet, &err));
        if (!options_parse(rows[i].url[0] != '\0' ? 6 : 4, argv, env, &o, &err))
            fail_msg("%s", err.text);
        plan_check_health(fleet, &o, &survey, &c);
        if ((c.n > 0) != (rows[i].says != NULL) || (c.n > 0 && strstr(c.lines[0], rows[i].says) == NULL))
            fail_msg("row %zu: %s", i, c.n > 0 ? c.lines[0] : "taken");
        assert_int_equal(c.exit_code, c.n > 0 ? EXIT_REFUSED : 0);
        complaints_free(&c);
        fleet_free(&fleet);
        options_free(&o);
    }
}

/* ---- from here: who runs, the check, who runs */

#define IDENT(pid)                                                                                                     \
    "{\"pid\":" pid ",\"start_ticks\":99,\"boot_id\":\"00112233-4455-6677-8899-aabbccddeeff\",\"sha256\":"             \
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"
#define STATUS(ident)                                                                                                  \
    "{\"service\":\"app\",\"node\":\"web1\",\"running\":true,\"ident\":" ident                                         \
    ",\"installed\":null,\"listening\":[],\"connections\":0,\"fence\":1,\"releases\":[],\"claim\":null}"

struct node {
    struct tiny_server *agent, *service;
    const char *idents[2]; /* STATUS before and after the check */
    int n_asked, n_checks, connections[4], service_status, check_after;
    const char *body;
    bool service_hangs;
};

static void agent_answers(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    struct node *n = ctx;

    assert_string_equal(q->path, "/v1/services/app");
    (void)snprintf(a->body, sizeof a->body, "%s", n->idents[n->n_asked++ % 2]);
}

static void service_answers(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    struct node *n = ctx;

    assert_string_equal(q->path, "/healthz");
    n->check_after = n->n_asked;
    n->connections[n->n_checks++ % 4] = q->connection;
    a->status = n->service_status;
    a->hang = n->service_hangs;
    (void)snprintf(a->body, sizeof a->body, "%s", n->body);
}

static struct answer check(struct node *n, const char *wanted, unsigned times)
{
    struct small_plan s;
    char url[64];
    struct calls *calls = calls_open(500, NULL);
    struct world *w;
    struct action a = {.kind = ACT_ASK, .ask = ASK_HEALTH};
    struct input in[2];
    uint32_t ms;
    int ports[2];

    n->agent = tiny_start(agent_answers, n);
    n->service = tiny_start(service_answers, n);
    ports[0] = ports[1] = n->agent->port;
    small_plan(&s, ports, ports);
    (void)snprintf(url, sizeof url, "http://web1:%d/healthz", n->service->port); /* a name that the inventory has */
    s.nodes[0].health = url;
    s.plan.health.body = wanted;
    w = world_net_open(&s.plan, calls);
    for (unsigned i = 0; i < times; i++) {
        w->ops->start(w, &a);
        assert_int_equal(w->ops->collect(w, 10000, in, 2, &ms), 1);
    }
    w->ops->close(w);
    calls_close(&calls);
    tiny_stop(n->agent);
    tiny_stop(n->service);
    return in[0].answer;
}

static void the_agent_says_before_and_after_who_answers(void **state)
{
    struct node n = {.idents = {STATUS(IDENT("7")), STATUS(IDENT("7"))}, .service_status = 200, .body = "all well"};
    struct answer a = check(&n, "well", 2);

    (void)state;
    assert_int_equal(a.kind, ANS_OK);
    assert_true(a.healthy);
    assert_int_equal(a.ident.pid, 7);
    assert_string_equal(a.text, "");
    assert_int_equal(n.n_asked, 4);
    assert_int_equal(n.check_after, 3);
    assert_int_equal(n.n_checks, 2);
    assert_int_not_equal(n.connections[0], n.connections[1]); /* a fresh one each */
}

static void what_is_not_wanted_is_told(void **state)
{
    struct node n = {.idents = {STATUS(IDENT("7")), STATUS(IDENT("7"))}, .service_status = 200, .body = "ill"};
    struct answer a = check(&n, "well", 1);

    (void)state;
    assert_int_equal(a.kind, ANS_OK);
    assert_false(a.healthy);
    assert_int_equal(a.ident.pid, 7);
    assert_non_null(strstr(a.text, "/healthz: it answered 200, but without \"well\""));
}

/* A good answer of a process that is no longer, or not yet, the one. */
static void a_process_that_changed_meanwhile_is_not_healthy(void **state)
{
    struct node n = {.idents = {STATUS(IDENT("7")), STATUS(IDENT("8"))}, .service_status = 200, .body = ""};
    struct answer a = check(&n, "", 1);

    (void)state;
    assert_int_equal(a.kind, ANS_OK);
    assert_false(a.healthy);
    assert_int_equal(a.ident.pid, 8);
    assert_non_null(strstr(a.text, "the process changed"));
}

static void where_nothing_runs_nobody_is_asked(void **state)
{
    struct node n = {.idents = {STATUS("null"), STATUS(IDENT("7"))}, .service_status = 200, .body = ""};
    struct answer a = check(&n, "", 1);

    (void)state;
    assert_int_equal(a.kind, ANS_OK);
    assert_false(a.healthy);
    assert_int_equal(a.ident.pid, 0);
    assert_int_equal(n.n_checks, 0);
}

static void no_answer_is_ill_health_and_an_agents_silence_is_none(void **state)
{
    struct node hangs = {.idents = {STATUS(IDENT("7")), STATUS(IDENT("7"))}, .body = "", .service_hangs = true};
    struct node mad = {.idents = {STATUS(IDENT("7")), "{}"}, .service_status = 200, .body = ""};
    struct answer a = check(&hangs, "", 1);

    (void)state;
    assert_int_equal(a.kind, ANS_OK);
    assert_false(a.healthy);
    assert_true(a.text[0] != '\0');
    a = check(&mad, "", 1);
    assert_int_equal(a.kind, ANS_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_and_body_both_count),
        cmocka_unit_test(what_is_not_the_default_is_told_to_the_agent),
        cmocka_unit_test(an_url_is_needed_where_the_controller_asks),
        cmocka_unit_test(each_service_has_an_url_of_its_own),
        cmocka_unit_test(what_is_asked_must_be_the_nodes_own_service),
        cmocka_unit_test(the_agent_says_before_and_after_who_answers),
        cmocka_unit_test(what_is_not_wanted_is_told),
        cmocka_unit_test(a_process_that_changed_meanwhile_is_not_healthy),
        cmocka_unit_test(where_nothing_runs_nobody_is_asked),
        cmocka_unit_test(no_answer_is_ill_health_and_an_agents_silence_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
