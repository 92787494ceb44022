#include "handover_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_GRACE_MS                                                                                                  \
    1000 /* between the end of the pipe and the end of the process: long enough to learn its status                    \
          */

int64_t handover_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pipe_close(struct handover_child *c)
{
    if (c->pipe_fd >= 0)
        (void)close(c->pipe_fd);
    c->pipe_fd = -1;
}

bool handover_child_start(struct handover_child *c, const struct handover_spawn *spawn, uint32_t limit_ms,
                          struct err *err)
{
    *c = (struct handover_child){.pipe_fd = -1, .deadline_ms = handover_now_ms() + limit_ms};
    if (handover_spawn(spawn, &c->pid, &c->pipe_fd, err))
        return true;
    c->pid = 0;
    return false;
}

void handover_child_end(struct handover_child *c, int signal, const char *why)
{
    if (c->pid == 0)
        return;
    if (!c->doomed)
        (void)snprintf(c->why, sizeof c->why, "%s", why);
    c->doomed = true;
    pipe_close(c);
    (void)kill(c->pid, signal);
}

void handover_child_kill(struct handover_child *c)
{
    if (c->pid == 0)
        return;
    pipe_close(c);
    (void)kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}

/* True where it is reaped. */
static bool reap(struct handover_child *c)
{
    int status;
    pid_t pid = waitpid(c->pid, &status, WNOHANG);
    const char *when = c->deadline_ms == INT64_MAX ? "" : " before it was ready";

    if (pid == 0 || (pid < 0 && errno != ECHILD))
        return false;
    if (!c->doomed && pid > 0 && WIFSIGNALED(status))
        (void)snprintf(c->why, sizeof c->why, "the new process was ended by signal %d (%s)%s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)), when);
    else if (!c->doomed)
        (void)snprintf(c->why, sizeof c->why, "the new process exited with status %d%s",
                       pid > 0 ? WEXITSTATUS(status) : -1, when);
    pipe_close(c);
    c->pid = 0;
    return true;
}

/* True where it says that it serves. */
static bool pipe_look(struct handover_child *c, const char *path)
{
    char word[1 + sizeof(int)];
    ssize_t n = read(c->pipe_fd, word, sizeof word);
    int failed;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    pipe_close(c);
    if (n >= 1 && word[0] == HANDOVER_READY)
        return true;
    if (n == sizeof word && word[0] == HANDOVER_EXEC_FAILED) {
        memcpy(&failed, word + 1, sizeof failed);
        (void)snprintf(c->why, sizeof c->why, "cannot execute %.200s: %s", path, strerror(failed));
        c->doomed = true;
        return false;
    }
    /* It exits, or has closed its pipe without a word: the exit status tells which, a moment later. */
    if (c->deadline_ms > handover_now_ms() + EXIT_GRACE_MS)
        c->deadline_ms = handover_now_ms() + EXIT_GRACE_MS;
    return false;
}

enum handover_child_state handover_child_look(struct handover_child *c, const char *path)
{
    if (c->pid == 0)
        return HANDOVER_CHILD_WAIT;
    if (c->pipe_fd >= 0 && pipe_look(c, path)) {
        c->deadline_ms = INT64_MAX;
        if (reap(c)) /* it said so and died at once */
            return HANDOVER_CHILD_GONE;
        return HANDOVER_CHILD_READY;
    }
    if (reap(c))
        return HANDOVER_CHILD_GONE;
    if (handover_now_ms() >= c->deadline_ms) {
        c->deadline_ms = handover_now_ms() + EXIT_GRACE_MS; /* killed again, should that ever be needed */
        handover_child_end(c, SIGKILL,
                           c->pipe_fd >= 0 ? "the new process was not ready within the upgrade timeout; it was killed"
                                           : "the new process closed its readiness pipe without a word; it was killed");
    }
    return HANDOVER_CHILD_WAIT;
}
