/* handover_steps.h - what the cases of the handover do and wait for. Included by one case each. */
#ifndef CASES_HANDOVER_STEPS_H
#define CASES_HANDOVER_STEPS_H

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/raw.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static inline bool is_serving(void *ctx)
{
    return stage_server_pid(ctx) != 0;
}

/* A server with further flags and further variables in its environment (NULL-terminated; env may be NULL), and with at
 * most so many open files (0: as many as the test). */
static inline struct stage_server *start_limited(struct stage *s, unsigned files, const char *const *flags,
                                                 const char *const *env)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *argv[24];
    unsigned n = 0;

    stage_server_kill(v, SIGTERM); /* the same ports and folder, started anew */
    if (files != 0) {
        argv[n++] = "/usr/bin/prlimit";
        argv[n++] = stage_text(s, "--nofile=%u", files);
    }
    argv[n++] = v->exe;
    argv[n++] = "--pidfile";
    argv[n++] = v->pidfile;
    for (int i = 0; i < 3; i++) {
        argv[n++] = stage_text(s, "-a%d", i);
        argv[n++] = stage_text(s, "127.0.0.1:%u", v->port[i]);
    }
    for (; *flags != NULL; flags++)
        argv[n++] = *flags;
    argv[n] = NULL;
    v->proc = stage_start(
        s, &(struct stage_spawn){.name = "server-one", .argv = argv, .cwd = v->dir, .may_end = true, .env = env});
    v->log = v->proc->out_path;
    stage_wait_until(s, is_serving, v, 10000, "the server");
    return v;
}

static inline struct stage_server *start_with(struct stage *s, const char *const *flags, const char *const *env)
{
    return start_limited(s, 0, flags, env);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

struct want {
    struct stage_server *server;
    pid_t old;        /* not this one any more */
    const char *text; /* in the log */
    unsigned times;
};

static inline bool another_serves(void *ctx)
{
    const struct want *w = ctx;
    pid_t pid = stage_server_pid(w->server);

    return pid != 0 && pid != w->old;
}

static inline unsigned log_count(struct stage_server *v, const char *text)
{
    unsigned n = 0;

    for (const char *at = stage_read(v->stage, v->log); (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

static inline bool log_says(void *ctx)
{
    const struct want *w = ctx;

    return log_count(w->server, w->text) >= w->times;
}

static inline void wait_for_log(struct stage_server *v, const char *text, unsigned times)
{
    struct want w = {.server = v, .text = text, .times = times};

    stage_wait_until(v->stage, log_says, &w, 10000, stage_text(v->stage, "\"%s\" in the log", text));
}

static inline bool one_is_left(void *ctx)
{
    return stage_server_count(ctx) == 1;
}

static inline bool none_is_left(void *ctx)
{
    return stage_server_count(ctx) == 0;
}

static inline void wait_for_one(struct stage_server *v)
{
    stage_wait_until(v->stage, one_is_left, v, 10000, "the old process to be gone");
}

struct process {
    struct stage *s;
    pid_t pid;
};

static inline bool is_gone(void *ctx)
{
    const struct process *p = ctx;

    stage_reap(p->s);
    return kill(p->pid, 0) != 0;
}

static inline void install_script(struct stage_server *v, const char *script)
{
    const char *aside = stage_write(v->stage, stage_text(v->stage, "%s.new", v->exe), script);

    assert_int_equal(chmod(aside, 0755), 0);
    assert_int_equal(rename(aside, v->exe), 0);
}

/* SIGUSR2, and wait until the pid file names another process; its pid. */
static inline pid_t pid_file_changes(struct stage_server *v)
{
    struct want w = {.server = v, .old = stage_server_pid(v)};

    assert_int_equal(kill(w.old, SIGUSR2), 0);
    stage_wait_until(v->stage, another_serves, &w, 10000, "another process to serve");
    return stage_server_pid(v);
}

/* The pid file comes first, the word to the old process second: in between both answer. */
static inline pid_t hand_over(struct stage_server *v)
{
    pid_t old = stage_server_pid(v), new = pid_file_changes(v);

    wait_for_log(v, stage_text(v->stage, "event=draining pid=%d", (int)old), 1);
    return new;
}

#endif
