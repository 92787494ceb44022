/* module_min_up_case.c - a PATCH that would leave fewer servers up than min_up says is refused, whoever asks at the
 * same time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS 8000
#define WORKERS 4

/* Upstream app: three servers and a backup, where nobody listens. */
static struct stage_nginx_conf *conf_of(struct stage *s, const char *api_args)
{
    struct stage_nginx_conf *conf = stage_alloc(s, sizeof *conf);
    struct stage_upstream *upstreams = stage_alloc(s, 3 * sizeof *upstreams);
    const char **peers = stage_alloc(s, 5 * sizeof *peers);

    for (int i = 0; i < 4; i++)
        peers[i] = stage_text(s, "127.0.0.1:%u%s", stage_port(s), i == 3 ? " backup" : " max_fails=1");
    upstreams[0] = (struct stage_upstream){.name = "fixed", .peers = peers, .no_zone = true}; /* the stage tries it */
    upstreams[1] = (struct stage_upstream){.name = "app", .peers = peers};
    *conf = (struct stage_nginx_conf){.upstreams = upstreams, .api_args = api_args, .workers = WORKERS};
    return conf;
}

static struct stage_answer *patch(struct stage_nginx *n, const char *server, const char *headers, const char *body)
{
    return stage_http(n->stage, "PATCH", stage_text(n->stage, "%s/9/http/upstreams/app/servers/%s", n->api, server),
                      headers, body);
}

static const json_t *app_of(struct stage_nginx *n)
{
    return stage_http(n->stage, "GET", stage_text(n->stage, "%s/9/http/upstreams/app", n->api), NULL, NULL)->json;
}

static const char *states(struct stage_nginx *n)
{
    const json_t *app = app_of(n);
    const char *text = "";

    for (unsigned i = 0; i < 4; i++)
        text = stage_text(n->stage, "%s %s", text,
                          stage_json_string(n->stage, app, stage_text(n->stage, "peers.%u.state", i)));
    return text;
}

struct row {
    const char *server, *body;
    int status;
    const char *states;
};

static void play(struct stage_nginx *n, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct stage_answer *a = patch(n, rows[i].server, NULL, rows[i].body);
        const char *now = states(n);

        if (a->status != rows[i].status || strcmp(now, rows[i].states) != 0)
            stage_fail(n->stage, "row %zu: %d %s;%s", i, a->status, a->body, now);
        if (a->status == 409)
            assert_string_equal(stage_json_string(n->stage, a->json, "error.code"), "TooFewServersUp");
    }
}

/* A story each. */
static void a_patch_that_leaves_too_few_up_is_refused_and_others_are_not(struct stage *s)
{
    static const struct row rows[] = {
        {"0", "{\"drain\":true}", 200, " draining up up up"},
        {"1", "{\"down\":true}", 409, " draining up up up"},
        {"1", "{\"drain\":true}", 409, " draining up up up"},
        {"1", "{\"down\":true,\"weight\":5}", 409, " draining up up up"},
        {"0", "{\"down\":true}", 200, " down up up up"},
        {"0", "{\"down\":false,\"drain\":true}", 200, " draining up up up"},
        {"0", "{\"drain\":true}", 200, " draining up up up"},
        {"1", "{\"weight\":7,\"max_conns\":3,\"down\":false,\"drain\":false}", 200, " draining up up up"},
        {"3", "{\"down\":true}", 200, " draining up up down"}, /* a backup serves nobody yet */
        {"1?min_up=1", "{\"down\":true}", 409, " draining up up down"},
        {"0", "{\"down\":false}", 200, " up up up down"},
        {"1?min_up=3", "{\"down\":true}", 409, " up up up down"},
        {"1?x=y&min_up=2&min_up=1", "{\"down\":true}", 200, " up down up down"},
    };

    play(stage_nginx_start(s, "lb", conf_of(s, "write=on min_up=2")), rows, sizeof rows / sizeof *rows);
}

static void the_argument_alone_is_enough_and_holds_for_its_request_only(struct stage *s)
{
    static const struct row rows[] = {
        {"0?min_up=3", "{\"drain\":true}", 409, " up up up up"},
        {"0?min_up=2", "{\"drain\":true}", 200, " draining up up up"},
        {"1?min_up=2", "{\"drain\":true}", 409, " draining up up up"},
        {"1?min_up=0", "{\"down\":true}", 200, " draining down up up"},
        {"2?min_up=65535", "{\"max_fails\":3}", 200, " draining down up up"},
        {"2", "{\"down\":true}", 200, " draining down down up"},
    };

    play(stage_nginx_start(s, "lb", conf_of(s, NULL)), rows, sizeof rows / sizeof *rows);
}

static void a_server_that_nginx_has_given_up_does_not_count(struct stage *s)
{
    struct stage_nginx *n = stage_nginx_start(s, "lb", conf_of(s, "min_up=2 write=on"));

    for (int i = 0; i < 3; i++) /* one of the three fails each time, and the backup is asked never */
        (void)stage_http(s, "GET", stage_text(s, "%s/app/", n->url), NULL, NULL);
    assert_string_equal(states(n), " unavail unavail unavail up");
    assert_int_equal(patch(n, "0", NULL, "{\"down\":true}")->status, 409);
    (void)patch(n, "1", NULL, "{\"max_fails\":0}");
    assert_int_equal(patch(n, "0", NULL, "{\"down\":true}")->status, 409);
    (void)patch(n, "2", NULL, "{\"max_fails\":0}");
    assert_int_equal(patch(n, "0", NULL, "{\"down\":true}")->status, 200);
}

static void a_refusal_says_the_numbers_and_takes_no_lease(struct stage *s)
{
    struct stage_nginx *n = stage_nginx_start(s, "lb", conf_of(s, "write=on min_up=3"));
    const char *headers = "Rollout-Fence: 7\nRollout-Id: a\nRollout-Ttl: 60";
    struct stage_answer *a = patch(n, "1", headers, "{\"drain\":true}");

    assert_int_equal(a->status, 409);
    assert_string_equal(stage_json_string(s, a->json, "error.text"),
                        "server \"1\" is not taken out: it would leave 2 serving in upstream \"app\", and min_up is 3; "
                        "put another one back first, or lower min_up");
    assert_int_equal(stage_json_int(s, app_of(n), "rollout.fence"), 0);
    assert_int_equal(patch(n, "1", headers, "{\"drain\":false}")->status, 200);
    assert_int_equal(stage_json_int(s, app_of(n), "rollout.fence"), 7);
    a = patch(n, "1", "Rollout-Fence: 6\nRollout-Id: b\nRollout-Ttl: 60", "{\"drain\":true}");
    assert_int_equal(a->status, 412); /* whose turn it is comes first */
}

static void a_bad_min_up_is_refused(struct stage *s)
{
    static const char *const arguments[] = {
        "min_up=",   "min_up",     "min_up=-1",         "min_up=65536",
        "min_up=1x", "min_up=%31", "min_up=1&min_up=x", "min_up=99999999999999999999"};
    static const char *const args[] = {"min_up=",    "min_up=-1", "min_up=65536",
                                       "min_up=one", "min_up",    "min_up=1 min_up=x"};
    struct stage_nginx *n = stage_nginx_start(s, "lb", conf_of(s, NULL));

    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        struct stage_answer *a = patch(n, stage_text(s, "0?%s", arguments[i]), NULL, "{\"down\":true}");

        if (a->status != 400 || strcmp(stage_json_string(s, a->json, "error.code"), "MinUpError") != 0)
            stage_fail(s, "%s: %d %s", arguments[i], a->status, a->body);
    }
    assert_string_equal(states(n), " up up up up");
    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        const char *const test[] = {
            "/usr/sbin/nginx", "-t", "-e", stage_text(s, "%s/test.log", n->dir), "-p", n->dir, "-c",
            n->conf_path,      NULL};

        stage_nginx_write(n, conf_of(s, args[i]));
        if (stage_nginx_run(s, WAIT_MS, test).exit_code == 0)
            stage_fail(s, "api %s; is taken", args[i]);
    }
}

/* ---- two at once */

#define SERVERS 8
#define LEFT    2
#define ROUNDS  100

struct race {
    struct stage_nginx *lb;
    int fd[SERVERS]; /* a connection for each server's PATCH; each worker has as many */
    char answer[4096];
};

static const char *answer_of(struct race *race, int fd)
{
    return stage_raw_read(race->lb->stage, fd, WAIT_MS, race->answer, sizeof race->answer);
}

static long pid_of(struct race *race, int fd)
{
    const char *at;

    stage_raw_send(race->lb->stage, fd, "GET /api/9/nginx HTTP/1.1\r\nHost: a\r\n\r\n");
    at = strstr(answer_of(race, fd), "\"pid\":");
    return at != NULL ? strtol(at + strlen("\"pid\":"), NULL, 10) : 0;
}

static void connect_to_all_workers(struct race *race)
{
    long pids[SERVERS];
    unsigned n = 0;

    for (int i = 0; i < 500 && n < SERVERS; i++) {
        int fd = stage_raw_open(race->lb->stage, race->lb->api_port);
        unsigned same = 0;

        pids[n] = pid_of(race, fd);
        for (unsigned k = 0; k < n; k++)
            same += pids[k] == pids[n];
        if (same < SERVERS / WORKERS)
            race->fd[n++] = fd;
    }
    if (n < SERVERS)
        stage_fail(race->lb->stage, "not all workers took a connection");
}

static int status_of(struct race *race, unsigned server)
{
    const char *answer = answer_of(race, race->fd[server]);

    return strlen(answer) > 12 ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

/* All are sent before the first answer is read. Returns how many got that status. */
static unsigned patch_all(struct race *race, const char *body, int status)
{
    const char *request[SERVERS];
    unsigned n = 0;

    for (unsigned i = 0; i < SERVERS; i++)
        request[i] = stage_text(race->lb->stage,
                                "PATCH /api/9/http/upstreams/app/servers/%u HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                "%zu\r\n\r\n%s",
                                i, strlen(body), body);
    for (unsigned i = 0; i < SERVERS; i++)
        stage_raw_send(race->lb->stage, race->fd[i], request[i]);
    for (unsigned i = 0; i < SERVERS; i++)
        n += status_of(race, i) == status;
    return n;
}

static unsigned count_up(struct race *race)
{
    const json_t *app = app_of(race->lb);
    unsigned n = 0;

    for (unsigned i = 0; i < SERVERS; i++)
        n += strcmp(stage_json_string(race->lb->stage, app, stage_text(race->lb->stage, "peers.%u.state", i)), "up") ==
             0;
    return n;
}

static void of_many_at_once_as_many_are_refused_as_must_stay(struct stage *s)
{
    const char *peers[SERVERS + 1] = {NULL};
    const struct stage_upstream upstreams[] = {{.name = "fixed", .peers = peers, .no_zone = true},
                                               {.name = "app", .peers = peers, .extra = "random;"},
                                               {.name = NULL}};
    struct race race;

    for (int i = 0; i < SERVERS; i++)
        peers[i] = stage_text(s, "127.0.0.1:%u", stage_port(s));
    race.lb = stage_nginx_start(s, "lb",
                                &(struct stage_nginx_conf){.upstreams = upstreams,
                                                           .workers = 4,
                                                           .api_args = stage_text(s, "write=on min_up=%d", LEFT)});
    connect_to_all_workers(&race);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned refused = patch_all(&race, "{\"drain\":true}", 409), up = count_up(&race);

        if (refused != LEFT || up != LEFT)
            stage_fail(s, "round %d: %u were refused, %u are up", round, refused, up);
        assert_int_equal(patch_all(&race, "{\"down\":false}", 200), SERVERS);
        assert_int_equal(count_up(&race), SERVERS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_patch_that_leaves_too_few_up_is_refused_and_others_are_not),
        stage_test(the_argument_alone_is_enough_and_holds_for_its_request_only),
        stage_test(a_server_that_nginx_has_given_up_does_not_count),
        stage_test(a_refusal_says_the_numbers_and_takes_no_lease),
        stage_test(a_bad_min_up_is_refused),
        stage_test(of_many_at_once_as_many_are_refused_as_must_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
