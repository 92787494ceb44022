#include "tests/stage/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stage/state.h"

extern char **environ;

/* ---- start */

/* Set below, or not to be known: a CI system that runs the tests is not the one that a program of them runs in. */
static bool is_ours(const char *variable)
{
    static const char *const names[] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "GITHUB_", "GITLAB_CI=", "CI_"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static char **make_env(struct stage *s, const struct stage_spawn *spawn)
{
    size_t n = 0, extra = 0, at = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    while (spawn->env != NULL && spawn->env[extra] != NULL)
        extra++;
    env = stage_alloc(s, (n + extra + 3) * sizeof *env);
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            env[at++] = environ[i];
    for (size_t i = 0; i < extra; i++)
        env[at++] = (char *)(uintptr_t)spawn->env[i];
    env[at++] = (char *)(uintptr_t)stage_text(s, "ASAN_OPTIONS=exitcode=%d:log_path=%s/san:detect_leaks=%d",
                                              STAGE_SAN_EXIT, s->dir, !spawn->no_leak_check);
    env[at++] = (char *)(uintptr_t)stage_text(s, "UBSAN_OPTIONS=exitcode=%d:log_path=%s/san:print_stacktrace=1",
                                              STAGE_SAN_EXIT, s->dir);
    return env;
}

static void __attribute__((noreturn))
child(struct stage *s, const struct stage_spawn *spawn, struct stage_proc *p, char **env, int tell_fd)
{
    int in = open("/dev/null", O_RDONLY), out = open(p->out_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int err = spawn->split ? open(p->err_path, O_WRONLY | O_CREAT | O_APPEND, 0644) : out;
    sigset_t none;
    int why;

    (void)setpgid(0, s->state->watchdog);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (in >= 0 && out >= 0 && err >= 0 && chdir(spawn->cwd != NULL ? spawn->cwd : s->dir) == 0 && dup2(in, 0) == 0 &&
        dup2(out, 1) == 1 && dup2(err, 2) == 2) {
        (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        execve(spawn->argv[0], (char **)(uintptr_t)spawn->argv, env);
    }
    why = errno;
    (void)!write(tell_fd, &why, sizeof why);
    _exit(127);
}

struct stage_proc *stage_start(struct stage *s, const struct stage_spawn *spawn)
{
    struct stage_proc *p = stage_alloc(s, sizeof *p);
    char **env = make_env(s, spawn);
    int tell[2], why;

    p->name = stage_text(s, "%s", spawn->name);
    p->command = spawn->argv[0];
    for (size_t i = 1; spawn->argv[i] != NULL; i++)
        p->command = stage_text(s, "%s %s", p->command, spawn->argv[i]);
    p->may_end = spawn->may_end;
    p->out_path = stage_text(s, "%s/%s.%s", s->dir, spawn->name, spawn->split ? "out" : "log");
    p->err_path = spawn->split ? stage_text(s, "%s/%s.err", s->dir, spawn->name) : p->out_path;
    if (pipe2(tell, O_CLOEXEC) != 0)
        stage_fail(s, "cannot start %s: %s", spawn->name, strerror(errno));
    p->pid = fork();
    if (p->pid < 0)
        stage_fail(s, "cannot start %s: %s", spawn->name, strerror(errno));
    if (p->pid == 0)
        child(s, spawn, p, env, tell[1]);
    (void)setpgid(p->pid, s->state->watchdog);
    close(tell[1]);
    p->running = true;
    p->next = s->state->procs;
    s->state->procs = p;
    if (read(tell[0], &why, sizeof why) == (ssize_t)sizeof why) {
        p->may_end = true;
        stage_fail(s, "cannot run %s: %s", spawn->argv[0], strerror(why));
    }
    close(tell[0]);
    return p;
}

struct stage_proc *stage_adopt(struct stage *s, const char *name, pid_t pid, const char *log)
{
    struct stage_proc *p = stage_alloc(s, sizeof *p);

    *p = (struct stage_proc){.name = stage_text(s, "%s", name),
                             .command = name,
                             .pid = pid,
                             .running = true,
                             .out_path = log,
                             .err_path = log,
                             .next = s->state->procs};
    p->command = p->name;
    s->state->procs = p;
    return p;
}

/* ---- end */

static bool died_badly(int status)
{
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    return sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGSYS ||
           (WIFEXITED(status) && WEXITSTATUS(status) == STAGE_SAN_EXIT);
}

void stage_reap(struct stage *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct stage_proc *p = s->state->procs;

        while (p != NULL && (p->pid != pid || !p->running))
            p = p->next;
        if (p != NULL) {
            p->running = false;
            p->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (died_badly(status))
            stage_problem(s, "%s (pid %d) died: %s %d", p != NULL ? p->name : "a handed-over process", pid,
                          WIFEXITED(status) ? "exit code" : "signal",
                          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

void stage_proc_check(struct stage *s)
{
    for (struct stage_proc *p = s->state->procs; p != NULL && !s->state->closing; p = p->next) {
        if (p->running || p->may_end)
            continue;
        p->may_end = true; /* said once */
        stage_fail_log(s, p->err_path, "%s (pid %d) ended by itself with exit code %d", p->name, p->pid, p->exit_code);
    }
}

bool stage_proc_ended(struct stage *s, struct stage_proc *p)
{
    stage_reap(s);
    return !p->running;
}

struct look {
    struct stage *s;
    struct stage_proc *p;
    pid_t kin[STAGE_KIN_MAX];
    unsigned n;
};

static bool has_ended(void *ctx)
{
    const struct look *l = ctx;

    return !l->p->running;
}

int stage_proc_wait(struct stage *s, struct stage_proc *p, uint32_t limit_ms)
{
    struct look l = {.s = s, .p = p};

    p->may_end = true;
    if (!stage_comes_true(s, has_ended, &l, limit_ms)) {
        stage_proc_kill_kin(s, p->pid, SIGKILL);
        stage_fail_log(s, p->err_path, "%s (pid %d) had not ended after %u ms", p->name, p->pid,
                       stage_limit_ms(s, limit_ms));
    }
    return p->exit_code;
}

void stage_proc_signal(struct stage *s, struct stage_proc *p, int signal)
{
    stage_reap(s);
    p->may_end = true;
    if (p->running && kill(p->pid, signal) != 0)
        stage_fail(s, "cannot signal %s (pid %d): %s", p->name, p->pid, strerror(errno));
}

static bool all_gone(void *ctx)
{
    struct look *l = ctx;
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(l->s, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < l->n; j++)
            if (kin[i].pid == l->kin[j])
                return false;
    return !l->p->running;
}

void stage_proc_stop(struct stage *s, struct stage_proc *p, int signal, uint32_t limit_ms)
{
    struct look l = {.s = s, .p = p};
    struct stage_kin kin[STAGE_KIN_MAX];

    stage_reap(s);
    p->may_end = true;
    if (!p->running)
        return;
    l.n = stage_kin_of(s, p->pid, kin, STAGE_KIN_MAX);
    for (unsigned i = 0; i < l.n; i++)
        l.kin[i] = kin[i].pid;
    if (signal == SIGKILL)
        stage_proc_kill_kin(s, p->pid, SIGKILL);
    else
        stage_proc_signal(s, p, signal);
    if (!stage_comes_true(s, all_gone, &l, limit_ms))
        stage_fail_log(s, p->err_path, "%s (pid %d) or a child of it was still there %u ms after signal %d", p->name,
                       p->pid, stage_limit_ms(s, limit_ms), signal);
}

struct stage_run stage_run(struct stage *s, uint32_t limit_ms, const char *const *argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = stage_text(s, "run-%u-%s", ++s->state->n_runs, slash != NULL ? slash + 1 : argv[0]);
    struct stage_proc *p =
        stage_start(s, &(struct stage_spawn){.name = name, .argv = argv, .split = true, .may_end = true});
    int exit_code = stage_proc_wait(s, p, limit_ms);

    return (struct stage_run){exit_code, stage_read(s, p->out_path), stage_read(s, p->err_path)};
}

/* ---- the end of all: SIGTERM to each child of ours, registered or handed over; their own children are theirs to end
 */

struct ending {
    struct stage *stage;
    pid_t asked[STAGE_KIN_MAX];
    unsigned n_asked;
};

static bool was_asked(const struct ending *e, pid_t pid)
{
    for (unsigned i = 0; i < e->n_asked; i++)
        if (e->asked[i] == pid)
            return true;
    return false;
}

/* Each once. A successor becomes our child, and is asked, when the process before it has ended. */
static bool nobody_left(void *ctx)
{
    struct ending *e = ctx;
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(e->stage, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++) {
        if (kin[i].ppid != getpid() || was_asked(e, kin[i].pid) || e->n_asked == STAGE_KIN_MAX)
            continue;
        e->asked[e->n_asked++] = kin[i].pid;
        (void)kill(kin[i].pid, SIGTERM);
    }
    return n == 0;
}

static void expect_all_ends(struct stage *s)
{
    for (struct stage_proc *p = s->state->procs; p != NULL; p = p->next) {
        if (!p->running && !p->may_end)
            stage_problem(s, "%s (pid %d) had ended by itself with exit code %d, see %s", p->name, p->pid, p->exit_code,
                          p->err_path);
        p->may_end = true;
    }
}

bool stage_proc_end_all(struct stage *s)
{
    struct ending ending = {.stage = s};
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n;

    if (s->state->watchdog <= 0)
        return true;
    stage_reap(s);
    expect_all_ends(s);
    if (stage_comes_true(s, nobody_left, &ending, STAGE_CLOSE_MS))
        return true;
    n = stage_kin(s, kin, STAGE_KIN_MAX);
    for (unsigned i = 0; i < n; i++) {
        stage_problem(s, "pid %d (%s) was still there after SIGTERM and %u ms", kin[i].pid, kin[i].exe,
                      stage_limit_ms(s, STAGE_CLOSE_MS));
        (void)kill(kin[i].pid, SIGKILL);
    }
    (void)stage_comes_true(s, nobody_left, &ending, STAGE_CLOSE_MS);
    return false;
}
