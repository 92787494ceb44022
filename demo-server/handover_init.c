#include "handover_init.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVERS_MAX 8 /* three generations, and some on their way */

struct init {
    pid_t servers[SERVERS_MAX]; /* 0: free */
    pid_t serving;              /* the one that said so last; before that, the first child */
    bool ready, stopping;
    int status; /* of the one that served last */
};

static void server_add(struct init *i, pid_t pid)
{
    for (int n = 0; n < SERVERS_MAX; n++) {
        if (i->servers[n] == pid)
            return;
        if (i->servers[n] == 0) {
            i->servers[n] = pid;
            return;
        }
    }
}

/* False: that was the last one. */
static bool reap(struct init *i)
{
    int status;
    pid_t pid;
    bool left = false;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int n = 0; n < SERVERS_MAX; n++)
            if (i->servers[n] == pid) {
                i->servers[n] = 0;
                if (pid == i->serving)
                    i->status = status;
            }
    for (int n = 0; n < SERVERS_MAX; n++) {
        /* One whose parent is another server is reaped by that. */
        if (i->servers[n] != 0 && kill(i->servers[n], 0) != 0 && errno == ESRCH)
            i->servers[n] = 0;
        left |= i->servers[n] != 0;
    }
    return left;
}

static void pass_on(struct init *i, int signal)
{
    bool stop = signal == SIGTERM || signal == SIGINT;

    if (signal == SIGUSR2 && !i->ready) {
        (void)fprintf(stderr, "pid 1: SIGUSR2 is refused, the server is still starting\n");
        return;
    }
    for (int n = 0; stop && i->stopping && n < SERVERS_MAX; n++)
        if (i->servers[n] != 0)
            (void)kill(i->servers[n], signal);
    if (!(stop && i->stopping))
        (void)kill(i->serving, signal);
    i->stopping |= stop;
}

static void __attribute__((noreturn)) run(struct init *i, const sigset_t *ours)
{
    int fd = signalfd(-1, ours, SFD_CLOEXEC);
    struct signalfd_siginfo info;

    while (reap(i)) {
        if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
            continue;
        if ((int)info.ssi_signo == SIGRTMIN && info.ssi_code == SI_QUEUE) {
            i->serving = (pid_t)info.ssi_pid;
            i->ready = true;
            server_add(i, i->serving);
        } else if (info.ssi_signo != SIGCHLD) {
            pass_on(i, (int)info.ssi_signo);
        }
    }
    _exit(WIFEXITED(i->status) ? WEXITSTATUS(i->status) : 128 + WTERMSIG(i->status));
}

void handover_init_begin(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR2, SIGHUP, SIGQUIT, SIGUSR1, SIGCHLD};
    struct init i = {.serving = 0};
    sigset_t ours, before;

    if (getpid() != 1)
        return;
    (void)sigemptyset(&ours);
    for (size_t n = 0; n < sizeof signals / sizeof signals[0]; n++)
        (void)sigaddset(&ours, signals[n]);
    (void)sigaddset(&ours, SIGRTMIN);
    (void)sigprocmask(SIG_BLOCK, &ours, &before);
    i.serving = fork();
    if (i.serving < 0) {
        (void)fprintf(stderr, "pid 1: cannot fork: %s\n", strerror(errno));
        _exit(1);
    }
    if (i.serving > 0) {
        server_add(&i, i.serving);
        run(&i, &ours);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)setenv("HANDOVER_INIT", "1", 1);
}

void handover_init_tell(void)
{
    (void)sigqueue(1, SIGRTMIN, (union sigval){.sival_int = 0});
}
