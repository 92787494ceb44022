#include "handover_init.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX 8  /* three generations, and some on their way */
#define LAST_LOOKS  50 /* 10 ms apart */

enum word { SERVES, COMES, ENDED, WORDS }; /* SIGRTMIN + word */

struct init {
    pid_t servers[SERVERS_MAX]; /* 0: free */
    pid_t serving;              /* the one that said so last; before that, the first child */
    bool ready, stopping;
    int status; /* of the one that served last */
};

static bool started_by_us; /* as its child */

static void server_add(struct init *i, pid_t pid)
{
    int free = -1;

    for (int n = 0; n < SERVERS_MAX; n++) {
        if (i->servers[n] == pid)
            return;
        if (i->servers[n] == 0 && free < 0)
            free = n;
    }
    if (free >= 0)
        i->servers[free] = pid;
}

static void reap(struct init *i)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int n = 0; n < SERVERS_MAX; n++)
            if (i->servers[n] == pid) {
                i->servers[n] = 0;
                if (pid == i->serving)
                    i->status = status;
            }
}

static void words_add(sigset_t *set)
{
    for (int n = 0; n < WORDS; n++)
        (void)sigaddset(set, SIGRTMIN + n);
}

/* What has been said by now. */
static void hear(struct init *i)
{
    static const struct timespec at_once = {0, 0};
    siginfo_t info;
    sigset_t words;

    (void)sigemptyset(&words);
    words_add(&words);
    while (sigtimedwait(&words, &info, &at_once) > 0) {
        if (info.si_code != SI_QUEUE)
            continue;
        if (info.si_signo == SIGRTMIN + ENDED) {
            /* Its parent was another server, which has reaped it. */
            if (kill(i->serving, 0) != 0 && errno == ESRCH)
                i->status = info.si_value.sival_int;
            continue;
        }
        if (info.si_signo == SIGRTMIN + SERVES) {
            i->serving = info.si_pid;
            i->ready = true;
        }
        server_add(i, info.si_pid);
    }
}

/* False: that was the last one. */
static bool any_left(struct init *i)
{
    bool left = false;

    for (int n = 0; n < SERVERS_MAX; n++) {
        /* One whose parent is another server is reaped by that. */
        if (i->servers[n] != 0 && kill(i->servers[n], 0) != 0 && errno == ESRCH)
            i->servers[n] = 0;
        left |= i->servers[n] != 0;
    }
    return left;
}

/* No server is left. One that was only just forked may not have said so yet: then it is a child of ours by now. */
static bool another_comes(struct init *i)
{
    static const struct timespec moment = {0, 10000000};
    siginfo_t info;

    for (int n = 0; n < LAST_LOOKS && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; n++) {
        (void)nanosleep(&moment, NULL);
        reap(i);
        hear(i);
        if (any_left(i))
            return true;
    }
    return false;
}

/* To the one that serves; where it is gone, to all that are left: the one before it may have gone on. */
static void signal_send(const struct init *i, int signal, bool all)
{
    bool serves = false;

    for (int n = 0; n < SERVERS_MAX; n++)
        serves |= i->servers[n] == i->serving;
    for (int n = 0; n < SERVERS_MAX; n++)
        if (i->servers[n] != 0 && (all || !serves || i->servers[n] == i->serving))
            (void)kill(i->servers[n], signal);
}

static void pass_on(struct init *i, int signal)
{
    bool stop = signal == SIGTERM || signal == SIGINT;

    if (signal == SIGUSR2 && !i->ready) {
        (void)fprintf(stderr, "pid 1: SIGUSR2 is refused, the server is still starting\n");
        return;
    }
    signal_send(i, signal, stop && i->stopping);
    /* Those that drain hear of it for the first time, and would take it for that. */
    for (int n = 0; stop && i->stopping && n < SERVERS_MAX; n++)
        if (i->servers[n] != 0 && i->servers[n] != i->serving)
            (void)kill(i->servers[n], signal == SIGTERM ? SIGINT : SIGTERM);
    i->stopping |= stop;
}

/* The kernel hands out the lowest signal first, whichever came first. So the words are heard before a signal is passed
 * on, which came after them; and after reaping: who ended for a successor did so after that one's word. */
static void __attribute__((noreturn)) run(struct init *i, const sigset_t *wake)
{
    bool left;

    do {
        int signal = sigwaitinfo(wake, NULL);

        reap(i);
        hear(i);
        left = any_left(i) || another_comes(i);
        if (left && signal > 0 && signal != SIGCHLD)
            pass_on(i, signal);
    } while (left);
    _exit(WIFEXITED(i->status) ? WEXITSTATUS(i->status) : 128 + WTERMSIG(i->status));
}

void handover_init_begin(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR2, SIGHUP, SIGQUIT, SIGUSR1, SIGCHLD};
    struct init i = {.serving = 0};
    sigset_t wake, ours, before;

    if (getpid() != 1)
        return;
    (void)sigemptyset(&wake);
    for (size_t n = 0; n < sizeof signals / sizeof signals[0]; n++)
        (void)sigaddset(&wake, signals[n]);
    ours = wake; /* words wake nobody: they count when something else is to be done */
    words_add(&ours);
    (void)sigprocmask(SIG_BLOCK, &ours, &before);
    i.serving = fork();
    if (i.serving < 0) {
        (void)fprintf(stderr, "pid 1: cannot fork: %s\n", strerror(errno));
        _exit(1);
    }
    if (i.serving > 0) {
        server_add(&i, i.serving);
        run(&i, &wake);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    started_by_us = true;
}

bool handover_init_is_ours(void)
{
    return started_by_us;
}

void handover_init_tell(void)
{
    (void)sigqueue(1, SIGRTMIN + SERVES, (union sigval){.sival_int = 0});
}

void handover_init_tell_coming(void)
{
    (void)sigqueue(1, SIGRTMIN + COMES, (union sigval){.sival_int = 0});
}

void handover_init_tell_ended(int status)
{
    (void)sigqueue(1, SIGRTMIN + ENDED, (union sigval){.sival_int = status});
}
