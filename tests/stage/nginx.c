#include "tests/stage/nginx.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/state.h"

#define NGINX          "/usr/sbin/nginx"
#define NGINX_READY_MS 10000
#define NGINX_STOP_MS  10000

static void write_upstream(FILE *f, const struct stage_upstream *u)
{
    (void)fprintf(f, "    upstream %s {\n", u->name);
    if (!u->no_zone)
        (void)fprintf(f, "        zone %s 256k;\n", u->name);
    if (u->extra != NULL)
        (void)fprintf(f, "        %s\n", u->extra);
    for (const char *const *peer = u->peers; *peer != NULL; peer++)
        (void)fprintf(f, "        server %s;\n", *peer);
    if (!u->no_keepalive)
        (void)fputs("        keepalive 32;\n        keepalive_requests 1000000;\n        keepalive_timeout 1h;\n", f);
    (void)fputs("    }\n", f);
}

static void write_proxy(FILE *f, const struct stage_nginx *n, const struct stage_nginx_conf *conf)
{
    (void)fprintf(f, "    server {\n        listen 127.0.0.1:%u;\n", n->port);
    if (conf->server_extra != NULL)
        (void)fprintf(f, "        %s\n", conf->server_extra);
    if (conf->upstreams == NULL || conf->upstreams[0].name == NULL)
        (void)fputs("        location / { return 204; }\n", f);
    else
        (void)fprintf(f,
                      "        location / { proxy_pass http://%s; }\n"
                      "        location /hold/ { proxy_pass http://%s/sleep/; proxy_request_buffering off; "
                      "client_body_timeout 1h; }\n", /* see witness.h */
                      conf->upstreams[0].name, conf->upstreams[0].name);
    for (const struct stage_upstream *u = conf->upstreams; u != NULL && u->name != NULL; u++)
        (void)fprintf(f, "        location /%s/ { proxy_pass http://%s/; }\n", u->name, u->name);
    (void)fputs("    }\n", f);
}

static void write_main(FILE *f, const struct stage_nginx *n, const struct stage_nginx_conf *conf)
{
    (void)fprintf(f, "daemon off;\npid %s/nginx.pid;\nerror_log %s notice;\nworker_processes %u;\n", n->dir,
                  n->error_log, conf->workers != 0 ? conf->workers : 2);
    if (geteuid() == 0) /* root: so that workers may write into this folder */
        (void)fprintf(f, "user %s;\n", conf->user != NULL ? conf->user : "root root");
    if (!conf->no_module)
        (void)fprintf(f, "load_module %s/nginx-module/ngx_http_upstream_api_module.so;\n", n->stage->build);
    if (conf->main_extra != NULL)
        (void)fprintf(f, "%s\n", conf->main_extra);
    if (n->stage->asan && conf->upgradable) /* the successor needs the runtimes as well */
        (void)fputs("env LD_PRELOAD;\nenv ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n", f);
    (void)fputs("events { worker_connections 4096; }\n", f);
}

static void write_http(FILE *f, const struct stage_nginx *n, const struct stage_nginx_conf *conf)
{
    static const char *const temps[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};

    (void)fputs("http {\n    access_log off;\n", f);
    for (size_t i = 0; i < sizeof temps / sizeof *temps; i++)
        (void)fprintf(f, "    %s_temp_path %s/%s;\n", temps[i], n->dir, temps[i]);
    (void)fputs("    keepalive_requests 100000000;\n    keepalive_timeout 1h;\n    proxy_http_version 1.1;\n"
                "    proxy_set_header Connection \"\";\n    proxy_next_upstream off;\n",
                f);
    if (conf->http_extra != NULL)
        (void)fprintf(f, "    %s\n", conf->http_extra);
    for (const struct stage_upstream *u = conf->upstreams; u != NULL && u->name != NULL; u++)
        write_upstream(f, u);
    write_proxy(f, n, conf);
    if (!conf->no_module)
        (void)fprintf(f, "    server {\n        listen 127.0.0.1:%u;\n        location /api { api %s; }\n    }\n",
                      n->api_port, conf->api_args != NULL ? conf->api_args : "write=on");
    (void)fputs("}\n", f);
}

void stage_nginx_write(struct stage_nginx *n, const struct stage_nginx_conf *conf)
{
    FILE *f = fopen(n->conf_path, "we");

    if (f == NULL)
        stage_fail(n->stage, "cannot write %s", n->conf_path);
    write_main(f, n, conf);
    write_http(f, n, conf);
    if (fclose(f) != 0)
        stage_fail(n->stage, "cannot write %s", n->conf_path);
}

/* The path of a library that this program has loaded. */
static const char *find_loaded(struct stage *s, const char *library)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[4096];
    const char *found = "";

    while (f != NULL && found[0] == '\0' && fgets(line, sizeof line, f) != NULL) {
        char *path = strchr(line, '/');

        line[strcspn(line, "\n")] = '\0';
        if (path != NULL && strstr(path, library) != NULL)
            found = stage_text(s, "%s", path);
    }
    if (f != NULL)
        (void)fclose(f);
    return found;
}

const char *stage_nginx_preload(struct stage *s)
{
    if (!s->asan)
        return NULL;
    return stage_text(s, "LD_PRELOAD=%s:%s", find_loaded(s, "/libasan.so"),
                      find_loaded(s, "/libubsan.so")); /* ASan's must come first */
}

static bool answers(void *ctx)
{
    struct stage_nginx *n = ctx;

    if (!n->proc->running)
        stage_fail_log(n->stage, access(n->error_log, R_OK) == 0 ? n->error_log : n->proc->out_path,
                       "nginx %s ended with exit code %d, see %s", n->name, n->proc->exit_code, n->proc->out_path);
    return stage_http(n->stage, "GET", n->url, NULL, NULL)->status != 0 && stage_nginx_workers(n, NULL, 0) > 0;
}

static const char *pid_path(struct stage_nginx *n)
{
    return stage_text(n->stage, "%s/nginx.pid", n->dir);
}

pid_t stage_nginx_pid(struct stage_nginx *n)
{
    FILE *f = fopen(pid_path(n), "re");
    char text[32];
    pid_t pid = f != NULL && fgets(text, sizeof text, f) != NULL ? (pid_t)atol(text) : 0;

    if (f != NULL)
        (void)fclose(f);
    return pid;
}

/* nginx ignores SIGUSR2 while the process that started it lives, since it takes itself for a successor then. So a shell
 * starts it and ends when nginx has looked at its parent, which is before it writes its pid. */
static void start_orphan(struct stage_nginx *n, const char *const *argv, const char *const *env)
{
    const char *command = stage_text(
        n->stage, "\"$@\" & n=0; while [ ! -s '%s' ] && [ $n -lt 1000 ]; do sleep 0.01; n=$((n+1)); done", pid_path(n));
    const char *shell[16] = {"/bin/sh", "-c", command, "sh"};
    struct stage_proc *p;

    (void)unlink(pid_path(n));
    for (size_t i = 0; argv[i] != NULL; i++)
        shell[4 + i] = argv[i];
    p = stage_start(n->stage, &(struct stage_spawn){.name = stage_text(n->stage, "nginx-%s", n->name),
                                                    .argv = shell,
                                                    .env = env,
                                                    .may_end = true,
                                                    .no_leak_check = true});
    (void)stage_proc_wait(n->stage, p, NGINX_READY_MS);
    pid_t pid = stage_nginx_pid(n);
    if (pid <= 0 || !stage_pid_is_kin(n->stage, pid))
        stage_fail_log(n->stage, n->error_log, "nginx %s did not start, see %s", n->name, p->out_path);
    n->proc = stage_adopt(n->stage, p->name, pid, p->out_path);
}

void stage_nginx_again(struct stage_nginx *n)
{
    struct stage *s = n->stage;
    const char *argv[] = {NGINX, "-p", n->dir, "-e", n->error_log, "-c", n->conf_path, NULL};
    const char *env[] = {stage_nginx_preload(s), NULL};

    if (n->upgradable)
        start_orphan(n, argv, env);
    else
        n->proc = stage_start(
            s, &(struct stage_spawn){
                   .name = stage_text(s, "nginx-%s", n->name), .argv = argv, .env = env, .no_leak_check = true});
    stage_wait_until(s, answers, n, NGINX_READY_MS, stage_text(s, "nginx %s to answer on port %u", n->name, n->port));
}

struct stage_nginx *stage_nginx_start(struct stage *s, const char *name, const struct stage_nginx_conf *conf)
{
    struct stage_nginx *n = stage_alloc(s, sizeof *n);

    if (access(NGINX, X_OK) != 0)
        stage_fail(s, NGINX " is not there: run make deps");
    n->stage = s;
    n->name = stage_text(s, "%s", name);
    n->dir = stage_mkdir(s, n->name);
    n->conf_path = stage_text(s, "%s/nginx.conf", n->dir);
    n->error_log = stage_text(s, "%s/error.log", n->dir);
    n->port = stage_port(s);
    n->api_port = stage_port(s);
    n->url = stage_text(s, "http://127.0.0.1:%u", n->port);
    n->api = stage_text(s, "http://127.0.0.1:%u/api", n->api_port);
    n->upgradable = conf->upgradable;
    stage_nginx_write(n, conf);
    stage_nginx_again(n);
    return n;
}

void stage_nginx_nodes(struct stage *s, uint16_t port[2])
{
    port[0] = stage_port(s);
    port[1] = stage_port(s);
    (void)stage_nginx_start(
        s, "nodes",
        &(struct stage_nginx_conf){.no_module = true,
                                   .http_extra =
                                       stage_text(s,
                                                  "server { listen 127.0.0.1:%u; location / { return 200 a; } }\n"
                                                  "server { listen 127.0.0.1:%u; location / { return 200 b; } }",
                                                  port[0], port[1])});
}

struct stage_run stage_nginx_run(struct stage *s, uint32_t limit_ms, const char *const *argv)
{
    const char *const env[] = {stage_nginx_preload(s), NULL};
    struct stage_proc *p =
        stage_start(s, &(struct stage_spawn){.name = stage_text(s, "run-%u-nginx", ++s->state->n_runs),
                                             .argv = argv,
                                             .env = env,
                                             .split = true,
                                             .may_end = true,
                                             .no_leak_check = true});
    int exit_code = stage_proc_wait(s, p, limit_ms);

    return (struct stage_run){exit_code, stage_read(s, p->out_path), stage_read(s, p->err_path)};
}

unsigned stage_nginx_workers_of(struct stage_nginx *n, pid_t master, pid_t *pids, unsigned capacity)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned found = 0, all = stage_kin(n->stage, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < all; i++) {
        if (kin[i].ppid != master || kin[i].zombie)
            continue;
        if (found < capacity)
            pids[found] = kin[i].pid;
        found++;
    }
    return found;
}

unsigned stage_nginx_workers(struct stage_nginx *n, pid_t *pids, unsigned capacity)
{
    return stage_nginx_workers_of(n, n->proc->pid, pids, capacity);
}

struct upgrade {
    struct stage_nginx *n;
    pid_t master;
};

/* The pid file is the new master's, and it has workers. */
static bool has_upgraded(void *ctx)
{
    struct upgrade *u = ctx;

    u->master = stage_nginx_pid(u->n);
    return u->master > 0 && u->master != u->n->proc->pid && stage_pid_is_kin(u->n->stage, u->master) &&
           stage_nginx_workers_of(u->n, u->master, NULL, 0) > 0;
}

pid_t stage_nginx_upgrade(struct stage_nginx *n)
{
    struct upgrade u = {.n = n};

    stage_proc_signal(n->stage, n->proc, SIGUSR2);
    if (!stage_comes_true(n->stage, has_upgraded, &u, NGINX_READY_MS))
        stage_fail_log(n->stage, n->error_log, "nginx %s had no successor %u ms after its SIGUSR2", n->name,
                       stage_limit_ms(n->stage, NGINX_READY_MS));
    return u.master;
}

struct reload {
    struct stage_nginx *n;
    pid_t before[64];
    unsigned n_before;
};

/* Of the socket that listens on a port of 127.0.0.1; 0: none. */
static unsigned long listening_inode(uint16_t port)
{
    FILE *f = fopen("/proc/net/tcp", "re"); /* those that listen come first */
    char line[512];
    unsigned at, state;
    unsigned long inode = 0, found = 0;

    while (f != NULL && found == 0 && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, " %*u: %*[0-9A-F]:%4x %*s %2x %*s %*s %*s %*s %*s %lu", &at, &state, &inode) == 3 &&
            at == port && state == TCP_LISTEN)
            found = inode;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

static bool holds_socket(pid_t pid, unsigned long inode)
{
    char path[64], want[64], link[64];
    DIR *dir;
    struct dirent *e;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
    (void)snprintf(want, sizeof want, "socket:[%lu]", inode);
    dir = opendir(path); /* none: it is gone */
    while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);

        link[n > 0 ? n : 0] = '\0';
        found = strcmp(link, want) == 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* A worker that was not there before, no other that still accepts, and the port answers. */
static bool has_reloaded(void *ctx)
{
    struct reload *r = ctx;
    unsigned long web = listening_inode(r->n->port), api = listening_inode(r->n->api_port);
    pid_t now[64];
    unsigned n_now = stage_nginx_workers(r->n, now, 64);
    bool any_new = false;

    for (unsigned i = 0; i < n_now && i < 64; i++) {
        bool old = false;

        for (unsigned j = 0; j < r->n_before; j++)
            old = old || now[i] == r->before[j];
        if (old && (holds_socket(now[i], web) || holds_socket(now[i], api)))
            return false;
        any_new = any_new || !old;
    }
    return any_new && answers(r->n);
}

void stage_nginx_reload(struct stage_nginx *n)
{
    struct reload r = {.n = n};

    r.n_before = stage_nginx_workers(n, r.before, 64);
    if (kill(n->proc->pid, SIGHUP) != 0)
        stage_fail(n->stage, "cannot signal nginx %s", n->name);
    if (!stage_comes_true(n->stage, has_reloaded, &r, NGINX_READY_MS))
        stage_fail_log(n->stage, n->error_log, "nginx %s was not served by new workers alone %u ms after its SIGHUP",
                       n->name, stage_limit_ms(n->stage, NGINX_READY_MS));
}

void stage_nginx_stop(struct stage_nginx *n, int signal)
{
    stage_proc_stop(n->stage, n->proc, signal, NGINX_STOP_MS);
}
