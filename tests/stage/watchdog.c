/* watchdog.c - a child that outlives a killed test just long enough to kill what the test started.
 *
 * It leads the process group of all parts and waits at a pipe whose other end only the test holds. When the pipe
 * closes, by stage_close or by the test's death, it kills the group, itself included. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stage/state.h"

static void __attribute__((noreturn)) watch(int fd)
{
    sigset_t all;
    char byte;

    (void)setpgid(0, 0);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_NAME, "stage-watchdog");
    (void)dup2(fd, 0);
    (void)close_range(1, ~0U, 0); /* hold nobody's output, lock or pipe open */
    while (read(0, &byte, 1) < 0 && errno == EINTR)
        ;
    (void)kill(0, SIGKILL);
    _exit(0);
}

void stage_watchdog_start(struct stage *s)
{
    int ends[2];
    pid_t pid;

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        stage_fail(s, "cannot start the watchdog: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        stage_fail(s, "cannot fork the watchdog: %s", strerror(errno));
    if (pid == 0)
        watch(ends[0]);
    close(ends[0]);
    (void)setpgid(pid, pid); /* both sides do it: whoever is first */
    s->state->watchdog = pid;
    s->state->watchdog_fd = ends[1];
}

void stage_watchdog_end(struct stage *s)
{
    if (s->state->watchdog <= 0)
        return;
    close(s->state->watchdog_fd);
    while (waitpid(s->state->watchdog, NULL, 0) < 0 && errno == EINTR)
        ;
    s->state->watchdog = 0;
}
