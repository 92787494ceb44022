/* any_service.h - services that are not ours, or are not restarted as ours is, each with what an agent's config says of
 * it. As a stage_server each has peer, url, dir, exe and ports. Included by one case each. */
#ifndef CASES_ANY_SERVICE_H
#define CASES_ANY_SERVICE_H

#include <string.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define ANY_READY_MS 10000
#define NGINX        "/usr/sbin/nginx"

static inline struct stage_server *any_server(struct stage *s, const char *name, const char *exe)
{
    struct stage_server *v = stage_alloc(s, sizeof *v);

    v->stage = s;
    v->name = stage_text(s, "%s", name);
    v->dir = stage_mkdir(s, name);
    v->exe = stage_copy(s, exe, stage_text(s, "%s/service", v->dir));
    v->pidfile = stage_text(s, "%s/service.pid", v->dir);
    for (int i = 0; i < 3; i++)
        v->port[i] = stage_port(s);
    v->peer = stage_text(s, "127.0.0.1:%u", v->port[0]);
    v->url = stage_text(s, "http://%s", v->peer);
    return v;
}

static inline bool any_answers(void *ctx)
{
    struct stage_server *v = ctx;

    return stage_http(v->stage, "GET", stage_text(v->stage, "%s/sleep/?duration=0s", v->url), NULL, NULL)->status ==
           200;
}

static inline void any_start(struct stage_server *v, const char *const *argv)
{
    struct stage *s = v->stage;

    v->proc = stage_start(s, &(struct stage_spawn){.name = stage_text(s, "service-%s", v->name),
                                                   .argv = argv,
                                                   .cwd = v->dir,
                                                   .may_end = true,
                                                   .no_leak_check = true});
    v->log = v->proc->out_path;
    stage_wait_until(s, any_answers, v, ANY_READY_MS, stage_text(s, "the service %s to answer", v->name));
}

/* ---- the seed's program: SIGUSR2, no pid file. Skipped where make has not built it, since Go or the library is not
 * installed (make check-client). */
static inline const char *grace_release(struct stage *s, int number)
{
    const char *path = stage_text(s, "%s/tests/client/grace-%d", s->build, number);

    if (access(path, X_OK) != 0)
        skip();
    return path;
}

static inline struct stage_server *grace_start(struct stage *s, const char *name)
{
    struct stage_server *v = any_server(s, name, grace_release(s, 1));
    const char *argv[] = {v->exe,
                          "-a0",
                          v->peer,
                          "-a1",
                          stage_text(s, "127.0.0.1:%u", v->port[1]),
                          "-a2",
                          stage_text(s, "127.0.0.1:%u", v->port[2]),
                          NULL};

    any_start(v, argv);
    return v;
}

static inline const char *grace_config(struct stage_server *v)
{
    return stage_text(v->stage, "executable = %s\nlisten-on = %s\nhealth = %s/sleep/?duration=0s\n", v->exe, v->peer,
                      v->url);
}

/* ---- nginx as a service of its own, in front of a program that an upgrade leaves alone: on SIGUSR2 a new master comes
 * and the old one stays, until it is sent SIGQUIT. */
static inline struct stage_server *proxy_start(struct stage *s, const char *name)
{
    struct stage_server *app = stage_server_start(s, stage_text(s, "%s-app", name), "v1");
    struct stage_server *v = any_server(s, name, NGINX);
    const char *conf =
        stage_write(s, stage_text(s, "%s/service.conf", v->dir),
                    stage_text(s,
                               "pid %s;\nworker_processes 2;\n%serror_log %s/error.log notice;\nevents {}\nhttp {\n"
                               "access_log off;\nclient_body_temp_path %s/body;\nproxy_temp_path %s/proxy;\n"
                               "fastcgi_temp_path %s/fastcgi;\nuwsgi_temp_path %s/uwsgi;\nscgi_temp_path %s/scgi;\n"
                               "server { listen %s; location / { proxy_pass http://%s; proxy_http_version 1.1; } } }\n",
                               v->pidfile, geteuid() == 0 ? "user root root;\n" : "", v->dir, v->dir, v->dir, v->dir,
                               v->dir, v->dir, v->peer, app->peer));
    const char *argv[] = {v->exe, "-c", conf, "-e", stage_text(s, "%s/error.log", v->dir), NULL};

    any_start(v, argv);
    return v;
}

static inline const char *proxy_config(struct stage_server *v)
{
    return stage_text(
        v->stage, "executable = %s\npidfile = %s\nhealth = %s/healthz\nversion-url = %s/version\nretire = SIGQUIT\n",
        v->exe, v->pidfile, v->url, v->url);
}

/* Another build of it: the same program, other bytes. */
static inline const char *proxy_release(struct stage *s, int number)
{
    const char *path = stage_copy(s, NGINX, stage_text(s, "%s/nginx-%d", s->dir, number));
    FILE *file = fopen(path, "ae");

    if (file == NULL || fprintf(file, "\n%d\n", number) < 0 || fclose(file) != 0)
        stage_fail(s, "cannot write %s", path);
    return path;
}

/* ---- a program that cannot hand over, as far as the agent knows: it ends one and starts the next. Ours, but never
 * sent SIGUSR2. */
static inline struct stage_server *plain_start(struct stage *s, const char *name)
{
    return stage_server_start(s, name, "v1");
}

static inline const char *plain_config(struct stage_server *v)
{
    struct stage *s = v->stage;

    return stage_text(s,
                      "executable = %s\npidfile = %s\nhealth = %s/healthz\nversion-url = %s/version\nrestart = exec\n"
                      "exec-args = -a0 %s -a1 127.0.0.1:%u -a2 127.0.0.1:%u --pidfile '%s'\nexec-dir = %s\n"
                      "exec-log = %s\nexec-env = STARTED_BY=agent %s\n",
                      v->exe, v->pidfile, v->url, v->url, v->peer, v->port[1], v->port[2], v->pidfile, v->dir, v->log,
                      s->asan ? "ASAN_OPTIONS=detect_leaks=0" : "");
}

#endif
