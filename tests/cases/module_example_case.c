/* module_example_case.c - the example deploy/nginx/nginx.conf works with our modules, and is one for NGINX Plus, too.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/ca.h"
#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define LIMIT_MS 10000
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The example with its paths and addresses replaced by the stage's own, and the folders that it includes filled as its
 * comments say. */
struct example {
    struct stage *stage;
    uint16_t web, api, tcp; /* its listeners */
    const struct stage_tls *cert;
    const char *conf;
    struct stage_proc *proc;
};

/* Every place where it stands; none is a failure, since the example is not what this test takes it for. */
static const char *replace(struct stage *s, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from), *made = "";

    if (at == NULL)
        stage_fail(s, "the example has no \"%s\"", from);
    for (; at != NULL; text = at + strlen(from), at = strstr(text, from))
        made = stage_text(s, "%s%.*s%s", made, (int)(at - text), text, to);
    return stage_text(s, "%s%s", made, text);
}

static const char *shipped(struct stage *s, const char *name)
{
    return stage_read(s, stage_text(s, "%s/deploy/nginx/%s", s->root, name));
}

static void fill_folders(struct stage *s)
{
    static const char *const modules[] = {"mod-http-upstream-api.conf", "mod-stream-upstream-api.conf"};
    const char *temps = "";

    (void)stage_mkdir(s, "enabled");
    (void)stage_mkdir(s, "upstream_api");
    (void)stage_mkdir(s, "keep");
    (void)stage_write(s, "enabled/50-mod-stream.conf",
                      stage_read(s, "/usr/share/nginx/modules-available/mod-stream.conf"));
    for (size_t i = 0; i < COUNT(modules); i++)
        (void)stage_write(s, stage_text(s, "enabled/70-%s", modules[i]),
                          replace(s, shipped(s, modules[i]), "modules/", stage_text(s, "%s/nginx-module/", s->build)));
    (void)stage_write(s, "upstream_api/upstream_api_state.conf",
                      replace(s, shipped(s, "upstream_api_state.conf"), "/var/lib/nginx/upstream_api",
                              stage_text(s, "%s/keep", s->dir)));
    for (const char *const *t = (const char *const[]){"client_body", "proxy", "fastcgi", "uwsgi", "scgi", NULL}; *t;
         t++)
        temps = stage_text(s, "%s%s_temp_path %s/%s;\n", temps, *t, s->dir, *t);
    (void)stage_write(s, "upstream_api/temps.conf", temps); /* else those of the machine get another owner */
}

static struct example *prepare(struct stage *s)
{
    struct example *e = stage_alloc(s, sizeof *e);
    uint16_t node[2];

    stage_nginx_nodes(s, node);
    *e = (struct example){s, stage_port(s), stage_port(s), stage_port(s), stage_cert(s, "lb"), NULL, NULL};
    const struct {
        const char *from, *to;
    } rows[] = {
        {"/etc/nginx/modules-enabled/", stage_text(s, "%s/enabled/", s->dir)},
        {"/etc/nginx/upstream_api/", stage_text(s, "%s/upstream_api/", s->dir)},
        {"/etc/nginx/api/server.pem", e->cert->cert},
        {"/etc/nginx/api/server.key", e->cert->key},
        {"/etc/nginx/api/ca.pem", e->cert->ca},
        {"/var/log/nginx/", stage_text(s, "%s/", s->dir)},
        {"/run/nginx.pid", stage_text(s, "%s/nginx.pid", s->dir)},
        {"listen 80;", stage_text(s, "listen 127.0.0.1:%u;", e->web)},
        {"listen 8443 ", stage_text(s, "listen 127.0.0.1:%u ", e->api)},
        {"listen 5432;", stage_text(s, "listen 127.0.0.1:%u;", e->tcp)},
        {"10.0.0.11:8080", stage_text(s, "127.0.0.1:%u", node[0])},
        {"10.0.0.12:8080", stage_text(s, "127.0.0.1:%u", node[1])},
        {"10.0.0.21:5432", stage_text(s, "127.0.0.1:%u", node[0])},
        {"10.0.0.22:5432", stage_text(s, "127.0.0.1:%u", node[1])},
    };
    const char *text = shipped(s, "nginx.conf");

    for (size_t i = 0; i < COUNT(rows); i++)
        text = replace(s, text, rows[i].from, rows[i].to);
    e->conf = stage_write(s, "example.conf", text);
    fill_folders(s);
    return e;
}

static struct stage_proc *run(struct example *e, const char *name, const char *option)
{
    struct stage *s = e->stage;
    const char *log = stage_text(s, "%s/early.log", s->dir);
    const char *globals = geteuid() == 0 ? "daemon off; user root root;" : "daemon off;"; /* it may write here */
    const char *const argv[] = {"/usr/sbin/nginx", "-e", log, "-c", e->conf, "-g", globals, option, NULL};
    const char *const env[] = {stage_nginx_preload(s), NULL};

    return stage_start(s,
                       &(struct stage_spawn){
                           .name = name, .argv = argv, .env = env, .may_end = option != NULL, .no_leak_check = true});
}

static struct stage_answer *ask(struct example *e, const char *method, const char *path, const char *body)
{
    return stage_https(e->stage, e->cert, stage_text(e->stage, "127.0.0.1:%u", e->api), method,
                       stage_text(e->stage, "https://lb/api%s", path), NULL, body, body != NULL ? strlen(body) : 0);
}

static bool answers(void *ctx)
{
    return ask(ctx, "GET", "/", NULL)->status == 200;
}

static void start(struct example *e, const char *name)
{
    e->proc = run(e, name, NULL);
    stage_wait_until(e->stage, answers, e, LIMIT_MS, "the example to answer");
}

static void check_served(struct example *e, const char *letter)
{
    for (int i = 0; i < 4; i++) {
        int fd = stage_raw_open(e->stage, e->tcp);

        assert_string_equal(
            stage_http(e->stage, "GET", stage_text(e->stage, "http://127.0.0.1:%u/", e->web), NULL, NULL)->body,
            letter);
        stage_raw_send(e->stage, fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_non_null(strstr(stage_raw_answer(e->stage, fd, LIMIT_MS), stage_text(e->stage, "\r\n\r\n%s", letter)));
    }
}

static void the_example_passes_nginx_t(struct stage *s)
{
    struct example *e = prepare(s);
    struct stage_proc *test = run(e, "test", "-t");

    if (stage_proc_wait(s, test, LIMIT_MS) != 0)
        stage_fail(s, "nginx -t: %s", stage_read(s, test->out_path));
    assert_int_equal(access(stage_text(s, "%s/keep/state", s->dir), F_OK), -1);
}

static void the_example_serves_takes_out_and_remembers(struct stage *s)
{
    struct example *e = prepare(s);
    const struct stage_tls none = {.ca = e->cert->ca};

    start(e, "first");
    assert_int_equal(ask(e, "PATCH", "/9/http/upstreams/app/servers/0", "{\"down\":true}")->status, 200);
    assert_int_equal(ask(e, "PATCH", "/9/stream/upstreams/db/servers/0", "{\"down\":true}")->status, 200);
    check_served(e, "b");
    assert_int_equal(
        stage_https(s, &none, stage_text(s, "127.0.0.1:%u", e->api), "GET", "https://lb/api/", NULL, NULL, 0)->status,
        400);
    stage_proc_stop(s, e->proc, SIGQUIT, LIMIT_MS);
    start(e, "second");
    check_served(e, "b");
    assert_int_equal(ask(e, "PATCH", "/9/http/upstreams/app/servers/0", "{\"down\":false}")->status, 200);
    assert_int_equal(ask(e, "PATCH", "/9/http/upstreams/app/servers/1", "{\"down\":true}")->status, 200);
    assert_int_equal(ask(e, "PATCH", "/9/stream/upstreams/db/servers/0", "{\"down\":false}")->status, 200);
    assert_int_equal(ask(e, "PATCH", "/9/stream/upstreams/db/servers/1", "{\"down\":true}")->status, 200);
    check_served(e, "a");
}

/* ---- what NGINX Plus knows */

/* Directives as the manual of nginx and NGINX Plus has them: how many arguments are values of one's own, and which
 * other words there may be. */
static const struct directive {
    const char *name;
    int values;
    const char *words; /* each with a space before and behind it */
} known[] = {
    {"access_log", 1, ""},
    {"api", 0, " write=on write=off "},
    {"error_log", 1, ""},
    {"events", 0, ""},
    {"http", 0, ""},
    {"include", 1, ""},
    {"keepalive", 1, ""},
    {"least_conn", 0, ""},
    {"listen", 1, " ssl "},
    {"location", 1, ""},
    {"pid", 1, ""},
    {"proxy_http_version", 1, ""},
    {"proxy_pass", 1, ""},
    {"proxy_set_header", 2, ""},
    {"server", 1, ""},
    {"ssl_certificate", 1, ""},
    {"ssl_certificate_key", 1, ""},
    {"ssl_client_certificate", 1, ""},
    {"ssl_verify_client", 0, " on "},
    {"stream", 0, ""},
    {"upstream", 1, ""},
    {"worker_connections", 1, ""},
    {"worker_processes", 0, " auto "},
    {"zone", 2, ""},
};

static void check_words(struct stage *s, char *text)
{
    const struct directive *d = NULL;
    const char *name = strsep(&text, " "), *word;
    int values = 0;

    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            d = &known[i];
    if (d == NULL)
        stage_fail(s, "NGINX Plus may not know the directive \"%s\"", name);
    while ((word = strsep(&text, " ")) != NULL)
        if (strstr(d->words, stage_text(s, " %s ", word)) == NULL && ++values > d->values)
            stage_fail(s, "NGINX Plus may not know \"%s\" of the directive \"%s\"", word, name);
}

/* Comments away, white space to one space; each piece that ends with ; { or } is a directive. The example has no quoted
 * text with any of these in it. */
static unsigned check_directives(struct stage *s, const char *text)
{
    char *piece = stage_alloc(s, strlen(text) + 1);
    size_t size = 0;
    unsigned found = 0;

    for (; *text != '\0'; text++) {
        if (*text == '#')
            text += strcspn(text, "\n");
        if (strchr(";{}", *text) == NULL) {
            bool is_space = strchr(" \t\n", *text) != NULL;

            if (!is_space || (size > 0 && piece[size - 1] != ' '))
                piece[size++] = is_space ? ' ' : *text;
            continue;
        }
        size -= size > 0 && piece[size - 1] == ' ';
        piece[size] = '\0';
        if (size > 0)
            check_words(s, piece);
        found += size > 0;
        size = 0;
    }
    return found;
}

static void the_example_has_nothing_that_nginx_plus_does_not_know(struct stage *s)
{
    const char *text = shipped(s, "nginx.conf");

    assert_in_range(check_directives(s, text), 30, 100);
    assert_non_null(strstr(text, "include /etc/nginx/modules-enabled/*.conf;")); /* a pattern may fit no file */
    assert_non_null(strstr(text, "include /etc/nginx/upstream_api/*.conf;"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_example_passes_nginx_t),
        stage_test(the_example_serves_takes_out_and_remembers),
        stage_test(the_example_has_nothing_that_nginx_plus_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
