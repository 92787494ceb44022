#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    struct loop *loop;
    struct loop_slot slot; /* fd: a pidfd */
    pid_t pid;
    child_fn *fn;
    void *ctx;
};

/* What kept it from running the program: an errno, and the path that it is about, one of its spawn's; 0: it runs. */
struct failure {
    long why;
    const char *what;
};

/* ---- in the new process: nothing but system calls, up to exec */

static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &plain, NULL); /* refused for some, which are as they were */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool set_output(const char *log)
{
    /* O_NONBLOCK: a pipe that nobody reads must not hold up the agent, which waits for exec. */
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);

    return in >= 0 && out >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
           dup2(out, STDERR_FILENO) >= 0;
}

static _Noreturn void become(const struct child_spawn *spawn, int to_parent)
{
    struct failure failure = {.what = spawn->log};

    (void)setsid();
    (void)umask(022);
    reset_signals();
    if (set_output(spawn->log)) {
        failure.what = spawn->dir;
        if (chdir(spawn->dir) == 0) {
            (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
            (void)execve(spawn->path, spawn->argv, spawn->env);
            failure.what = spawn->path;
        }
    }
    failure.why = errno;
    while (write(to_parent, &failure, sizeof failure) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* ---- in the agent */

static void let_go(struct child *child)
{
    loop_remove(child->loop, &child->slot);
    (void)close(child->slot.fd);
    free(child);
}

static void on_end(void *ctx)
{
    struct child *child = ctx;
    child_fn *fn = child->fn;
    void *fn_ctx = child->ctx;
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)child->slot.fd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
        return; /* not yet */
    let_go(child);
    if (fn != NULL)
        fn(fn_ctx, info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
}

/* The pipe closes when it runs the program. */
static struct failure failure_of(int from_child)
{
    struct failure failure = {0};
    ssize_t n;

    do
        n = read(from_child, &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failure ? failure : (struct failure){0};
}

static struct child *watch(struct loop *loop, const struct child_spawn *spawn, pid_t pid)
{
    struct child *child = calloc(1, sizeof *child);

    if (child == NULL)
        abort();
    *child = (struct child){.loop = loop, .pid = pid, .fn = spawn->fn, .ctx = spawn->ctx};
    child->slot = (struct loop_slot){.fn = on_end, .ctx = child};
    child->slot.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (child->slot.fd >= 0 && loop_add(loop, &child->slot, EPOLLIN))
        return child;
    if (child->slot.fd >= 0)
        (void)close(child->slot.fd);
    free(child);
    return NULL;
}

static struct child *refuse(pid_t pid, const struct failure *failure, const char *path, struct err *err)
{
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    if (failure->what != path)
        (void)err_set(err, "cannot start %s: cannot use %s: %s", path, failure->what, strerror((int)failure->why));
    else
        (void)err_set(err, "cannot start %s: %s", path, strerror((int)failure->why));
    return NULL;
}

struct child *child_start(struct loop *loop, const struct child_spawn *spawn, struct err *err)
{
    struct failure failure = {.what = spawn->path};
    struct child *child;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        failure.why = errno;
        return refuse(0, &failure, spawn->path, err);
    }
    pid = fork();
    if (pid == 0)
        become(spawn, ends[1]);
    failure.why = pid < 0 ? errno : 0;
    (void)close(ends[1]);
    if (pid > 0)
        failure = failure_of(ends[0]);
    (void)close(ends[0]);
    if (failure.why != 0)
        return refuse(pid, &failure, spawn->path, err);
    child = watch(loop, spawn, pid);
    if (child != NULL)
        return child;
    failure = (struct failure){.why = errno, .what = spawn->path};
    return refuse(pid, &failure, spawn->path, err);
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

void child_signal(struct child *child, int signal)
{
    (void)syscall(SYS_pidfd_send_signal, child->slot.fd, signal, NULL, 0);
}

void child_forget(struct child **child)
{
    if (*child != NULL)
        (*child)->fn = NULL;
    *child = NULL;
}

void child_leave(struct child **child)
{
    if (*child != NULL)
        let_go(*child);
    *child = NULL;
}
