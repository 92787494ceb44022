#include "tests/stage/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/state.h"

#define SERVER_READY_MS 10000
#define SERVER_STOP_MS  15000

const char *stage_server_variant(struct stage *s, const char *variant)
{
    const char *path = strcmp(variant, "v1") == 0 ? stage_text(s, "%s/demo-server", s->build)
                                                  : stage_text(s, "%s/demo-server-%s", s->build, variant);

    if (access(path, X_OK) != 0)
        stage_fail(s, "%s is not there: make %s", path, path + strlen(s->root) + 1);
    return path;
}

void stage_server_install(struct stage_server *v, const char *variant)
{
    (void)stage_copy(v->stage, stage_server_variant(v->stage, variant), v->exe);
}

static bool is_ready(void *ctx)
{
    struct stage_server *v = ctx;

    if (!v->proc->running)
        stage_fail_log(v->stage, v->log, "demo-server %s ended with exit code %d at its start", v->name,
                       v->proc->exit_code);
    return stage_server_pid(v) == v->proc->pid &&
           stage_http(v->stage, "GET", stage_text(v->stage, "%s/healthz", v->url), NULL, NULL)->status != 0;
}

void stage_server_again(struct stage_server *v)
{
    struct stage *s = v->stage;
    const char *argv[] = {v->exe,
                          "-a0",
                          stage_text(s, "127.0.0.1:%u", v->port[0]),
                          "-a1",
                          stage_text(s, "127.0.0.1:%u", v->port[1]),
                          "-a2",
                          stage_text(s, "127.0.0.1:%u", v->port[2]),
                          "--pidfile",
                          v->pidfile,
                          NULL};

    (void)unlink(v->pidfile);
    v->proc =
        stage_start(s, &(struct stage_spawn){
                           .name = stage_text(s, "server-%s", v->name), .argv = argv, .cwd = v->dir, .may_end = true});
    v->log = v->proc->out_path;
    stage_wait_until(s, is_ready, v, SERVER_READY_MS, stage_text(s, "demo-server %s to be ready", v->name));
}

struct stage_server *stage_server_start(struct stage *s, const char *name, const char *variant)
{
    struct stage_server *v = stage_alloc(s, sizeof *v);

    v->stage = s;
    v->name = stage_text(s, "%s", name);
    v->dir = stage_mkdir(s, name);
    v->exe = stage_text(s, "%s/demo-server", v->dir);
    v->pidfile = stage_text(s, "%s/demo-server.pid", v->dir);
    for (int i = 0; i < 3; i++)
        v->port[i] = stage_port(s);
    v->peer = stage_text(s, "127.0.0.1:%u", v->port[0]);
    v->url = stage_text(s, "http://%s", v->peer);
    stage_server_install(v, variant);
    stage_server_again(v);
    return v;
}

pid_t stage_server_pid(struct stage_server *v)
{
    FILE *f = fopen(v->pidfile, "re");
    int pid = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%d", &pid) != 1)
        pid = 0;
    (void)fclose(f);
    return pid > 0 && stage_pid_is_kin(v->stage, pid) ? pid : 0;
}

/* By working directory: a successor inherits it, while the path of a swapped executable is no longer the old one's. */
unsigned stage_server_count(struct stage_server *v)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n, count = 0;

    stage_reap(v->stage);
    n = stage_kin(v->stage, kin, STAGE_KIN_MAX);
    for (unsigned i = 0; i < n; i++) {
        char path[64], cwd[4096];
        ssize_t size;

        (void)snprintf(path, sizeof path, "/proc/%d/cwd", kin[i].pid);
        size = readlink(path, cwd, sizeof cwd - 1);
        cwd[size > 0 ? size : 0] = '\0';
        count += !kin[i].zombie && strcmp(cwd, v->dir) == 0;
    }
    return count;
}

const char *stage_server_version(struct stage_server *v)
{
    struct stage_answer *a = stage_http(v->stage, "GET", stage_text(v->stage, "%s/version", v->url), NULL, NULL);

    return a->status == 200 ? stage_text(v->stage, "%.*s", (int)strcspn(a->body, "\r\n"), a->body) : "";
}

struct gone {
    struct stage_server *server;
    pid_t pid;
};

static bool is_gone(void *ctx)
{
    const struct gone *g = ctx;

    return !stage_pid_is_kin(g->server->stage, g->pid);
}

void stage_server_kill(struct stage_server *v, int signal)
{
    struct gone g = {v, stage_server_pid(v)};

    if (g.pid == 0)
        return;
    if (kill(g.pid, signal) != 0)
        stage_fail(v->stage, "cannot signal demo-server %s (pid %d): %s", v->name, g.pid, strerror(errno));
    stage_wait_until(v->stage, is_gone, &g, SERVER_STOP_MS,
                     stage_text(v->stage, "demo-server %s (pid %d) to end after signal %d", v->name, g.pid, signal));
}

uint64_t stage_server_answered(struct stage_server *v)
{
    static const char key[] = " answered_sleep=";
    uint64_t sum = 0;

    for (const char *p = stage_read(v->stage, v->log); (p = strstr(p, key)) != NULL; p += sizeof key)
        sum += strtoull(p + sizeof key - 1, NULL, 10);
    return sum;
}
