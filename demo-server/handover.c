#include "handover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "handover_child.h"
#include "handover_env.h"
#include "handover_init.h"
#include "handover_notify.h"
#include "handover_older.h"
#include "handover_pidfile.h"
#include "handover_socket.h"

#define SWEEP_MS 50
#define PASS_MS  1 /* the channel was full */
#define KEEP_MS  50

enum phase { STARTING, SERVING, DRAINING };

struct handover {
    struct handover_options options;
    struct handover_ops ops;
    void *ctx;
    char path[4096]; /* the executable; "" = not found at the start, path_err says why */
    struct err path_err;
    sigset_t mask_before; /* what the successor gets */
    int epoll_fd, signal_fd, timer_fd;
    int ready_fd; /* -1: no predecessor waits for our word */
    bool init;    /* pid 1 is a reaper of ours */
    struct handover_sockets sockets;
    struct handover_older older;
    enum phase phase;
    struct handover_child child; /* on its way while SERVING; the one that serves while DRAINING, if succeeded */
    bool succeeded, told_to_stop, pass_waits;
    int64_t drain_deadline_ms;
};

static void say(struct handover *h, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct handover *h, const char *event, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    h->ops.log(h->ctx, event, text);
}

/* How the last SIGUSR2 went, beside the pid file. */
static void tell(struct handover *h, enum upgrade_note note, const char *text)
{
    struct err err = {""};

    if (h->options.pidfile != NULL && !handover_pidfile_tell(h->options.pidfile, note, text, &err))
        say(h, "error", "%s", err.text);
}

static void tell_pid(struct handover *h, enum upgrade_note note, pid_t pid)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%ld", (long)pid);
    tell(h, note, text);
}

static bool watch(struct handover *h, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Wake up when the nearest limit is over. */
static void timer_set(struct handover *h)
{
    int64_t at = h->child.pid != 0 ? h->child.deadline_ms : INT64_MAX;
    int64_t sweep_at = handover_now_ms() + (h->pass_waits ? PASS_MS : SWEEP_MS);
    struct itimerspec when = {{0, 0}, {0, 0}};

    if (h->phase == DRAINING && sweep_at < at)
        at = sweep_at;
    if (h->phase == SERVING && h->child.pid != 0 && handover_now_ms() + KEEP_MS < at)
        at = handover_now_ms() + KEEP_MS;
    if (at != INT64_MAX) {
        when.it_value.tv_sec = at / 1000;
        when.it_value.tv_nsec = at % 1000 * 1000000 + 1; /* never 0, which would disarm it */
    }
    (void)timerfd_settime(h->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void drain_start(struct handover *h)
{
    h->phase = DRAINING;
    h->drain_deadline_ms = handover_now_ms() + h->options.drain_timeout_ms;
    h->ops.quiesce(h->ctx, !h->succeeded);
    handover_sockets_close_listeners(&h->sockets);
    if (h->succeeded) /* it has copies, and takes what comes */
        handover_older_let_go(&h->older);
    else
        handover_older_close(&h->older, h->ops.adopt, h->ctx);
    if (!h->succeeded)
        handover_notify("STOPPING=1");
    say(h, "draining", "%zu connections are open", h->ops.left(h->ctx));
}

/* ---- the successor */

/* A sentence, where this is not the time for an upgrade. */
static bool upgrade_refused(struct handover *h)
{
    struct err why = {""};

    handover_older_look(&h->older, h->ops.adopt, h->ctx); /* one may be gone by now */
    if (h->phase != SERVING)
        err_set(&why, "this process is %s", h->phase == DRAINING ? "stopping" : "still starting");
    else if (h->child.pid != 0)
        err_set(&why, "an upgrade is under way, its process is %ld", (long)h->child.pid);
    else if (h->older.count == HANDOVER_OLDER_MAX)
        err_set(&why, "%u older processes still answer requests; their drain limit ends them", h->older.count);
    else
        return false;
    /* While another process is on its way, its fate is what the file is to tell. */
    if (h->child.pid == 0 && !h->succeeded)
        tell(h, UPGRADE_REFUSED, why.text);
    say(h, "upgrade-refused", "%s", why.text);
    return true;
}

static void upgrade_failed(struct handover *h, const char *why)
{
    struct err err = {""};
    const char *pidfile = h->options.pidfile;

    tell(h, UPGRADE_FAILED, why);
    handover_sockets_keep(&h->sockets);
    if (h->init) /* it may have told pid 1, too */
        handover_init_tell();
    say(h, "upgrade-failed", "%s; this process goes on", why);
    /* It may have taken the pid file in the moment between serving and saying so. */
    if (pidfile != NULL && handover_pidfile_read(pidfile) != getpid() &&
        !handover_pidfile_write(pidfile, getpid(), &err))
        say(h, "error", "%s", err.text);
}

static void upgrade_start(struct handover *h)
{
    int fds[HANDOVER_FDS_MAX];
    const char *names[HANDOVER_FDS_MAX];
    struct handover_spawn spawn = {.path = h->path,
                                   .argv = h->options.argv,
                                   .environment = environ,
                                   .fds = fds,
                                   .names = names,
                                   .count = h->sockets.listener_count,
                                   .older_fds = h->older.fds,
                                   .older = h->older.count,
                                   .init = h->init,
                                   .mask = &h->mask_before};
    struct err err = h->path_err;

    if (upgrade_refused(h))
        return;
    spawn.older = h->older.count;
    for (unsigned i = 0; i < h->sockets.listener_count; i++) {
        fds[i] = h->sockets.listeners[i].fd;
        names[i] = h->sockets.listeners[i].name;
    }
    if (h->path[0] == '\0' || !handover_child_start(&h->child, &spawn, h->options.upgrade_timeout_ms, &err)) {
        upgrade_failed(h, err.text);
        return;
    }
    h->child.epoll_fd = h->epoll_fd;
    if (!watch(h, h->child.channel_fd)) { /* without it, the timer and SIGCHLD would tell, but late */
        handover_child_end(&h->child, SIGKILL, "cannot watch the channel to the new process");
        return;
    }
    handover_notify_reloading();
    tell_pid(h, UPGRADE_RUNNING, h->child.pid);
    say(h, "upgrade", "started %s as process %ld", h->path, (long)h->child.pid);
}

static void alone(struct handover *h)
{
    if (h->ops.alone != NULL)
        h->ops.alone(h->ctx);
}

/* The successor may have handed over in its turn: then the one that the pid file names serves. */
static bool somebody_serves(const struct handover *h)
{
    pid_t pid = h->options.pidfile != NULL ? handover_pidfile_read(h->options.pidfile) : getpid();

    return pid > 0 && kill(pid, 0) == 0;
}

static void child_look(struct handover *h)
{
    pid_t pid = h->child.pid;

    switch (handover_child_look(&h->child, h->path)) {
    case HANDOVER_CHILD_WAIT:
        break;
    case HANDOVER_CHILD_READY:
        if (h->phase == DRAINING) { /* it was told to stop before; should it not have heard of it, our limit ends it */
            say(h, "successor-stops", "process %ld serves, and was told to stop", (long)pid);
        } else if (h->phase == SERVING) {
            h->succeeded = true;
            tell_pid(h, UPGRADE_DONE, pid);
            say(h, "upgraded", "process %ld serves", (long)pid);
            drain_start(h);
        }
        break;
    case HANDOVER_CHILD_GONE:
        if (h->succeeded) {
            say(h, "successor-ended", "process %ld: %s", (long)pid, h->child.why);
            if (h->init)
                handover_init_tell_ended(h->child.status);
            if (!somebody_serves(h))
                alone(h);
        } else if (h->phase == SERVING && h->child.ready && h->child.status == 0) {
            /* The pid file named it for a moment: whoever meant the server has told it to stop. */
            say(h, "stopping", "process %ld served, was told to stop and has ended", (long)pid);
            drain_start(h);
        } else if (h->phase == SERVING) {
            upgrade_failed(h, h->child.why);
            handover_notify_ready(false);
        }
        break;
    }
}

/* ---- signals and limits */

static void give_up(struct handover *h, const char *why)
{
    size_t open = h->ops.left(h->ctx), cut = h->ops.abandon(h->ctx);

    if (!h->succeeded)
        handover_child_kill(&h->child);
    h->drain_deadline_ms = INT64_MAX;
    say(h, "drain-cut", "%s; %zu connections were closed, %zu requests were cut short", why, open, cut);
}

static void stop(struct handover *h, const char *signal_name)
{
    if (h->told_to_stop) {
        give_up(h, "told to stop a second time");
        return;
    }
    h->told_to_stop = true;
    say(h, "stopping", "%s", signal_name);
    if (h->phase == SERVING) {
        child_look(h); /* it may have said by now that it serves */
        handover_child_ask_to_end(&h->child, "this process was told to stop");
    }
    if (h->phase == SERVING)
        drain_start(h);
    else
        alone(h);
}

static void signals_read(struct handover *h)
{
    struct signalfd_siginfo info;

    while (read(h->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR2)
            upgrade_start(h);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            stop(h, info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    }
}

void handover_wake(struct handover *h)
{
    uint64_t ticks;

    signals_read(h);
    (void)!read(h->timer_fd, &ticks, sizeof ticks);
    if (h->child.pid != 0) /* it has copies of the listeners, and does with them what it likes */
        handover_sockets_keep(&h->sockets);
    child_look(h);
    if (h->phase == SERVING)
        handover_older_look(&h->older, h->ops.adopt, h->ctx);
    if (h->phase == DRAINING) {
        h->pass_waits = false;
        h->ops.sweep(h->ctx);
        if (handover_now_ms() >= h->drain_deadline_ms)
            give_up(h, "the drain limit is over");
    }
    timer_set(h);
}

enum handover_passed handover_pass(struct handover *h, const char *listener, int fd)
{
    if (!h->succeeded)
        return HANDOVER_PASS_NEVER;
    switch (handover_child_pass(&h->child, listener, fd)) {
    case HANDOVER_CHANNEL_DONE:
        return HANDOVER_PASSED;
    case HANDOVER_CHANNEL_LATER:
        h->pass_waits |= h->child.room > 0; /* else its answer wakes us */
        return HANDOVER_PASS_LATER;
    case HANDOVER_CHANNEL_END:
        break;
    }
    return HANDOVER_PASS_NEVER;
}

int handover_fd(const struct handover *h)
{
    return h->epoll_fd;
}

bool handover_ended(struct handover *h)
{
    return h->phase == DRAINING && (h->succeeded || h->child.pid == 0) && h->ops.left(h->ctx) == 0;
}

/* ---- the start */

static bool inherit(struct handover *h, struct err *err)
{
    struct handover_env env;

    if (!handover_env_read(environ, getpid(), &env, err) || !handover_sockets_inherit(&h->sockets, &env, err))
        return false;
    if (env.ready_fd >= 0) {
        if (fcntl(env.ready_fd, F_SETFD, FD_CLOEXEC) != 0)
            return err_set(err, "HANDOVER_READY_FD=%d is not open", env.ready_fd);
        h->ready_fd = env.ready_fd;
    }
    if (env.exe != NULL && strlen(env.exe) < sizeof h->path && handover_spawn_path_stays(h->options.argv[0], env.exe))
        (void)snprintf(h->path, sizeof h->path, "%s", env.exe);
    h->init = env.init || handover_init_is_ours();
    handover_env_clear();
    return handover_older_inherit(&h->older, &env, err);
}

static bool usr2_is_kept; /* by us, and not by who started us: a successor starts without */

void handover_begin(void)
{
    sigset_t usr2, before;

    (void)sigemptyset(&usr2);
    (void)sigaddset(&usr2, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &usr2, &before);
    usr2_is_kept = sigismember(&before, SIGUSR2) == 0;
}

/* SIGCHLD as default: a parent that ignored it would have the kernel reap our children unseen. */
static bool signals_take(struct handover *h, struct err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, plain = {.sa_handler = SIG_DFL};
    sigset_t ours;

    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGCHLD, &plain, NULL);
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGUSR2);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    (void)sigaddset(&ours, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &ours, &h->mask_before);
    if (usr2_is_kept)
        (void)sigdelset(&h->mask_before, SIGUSR2);
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    h->signal_fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    h->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (h->epoll_fd < 0 || h->signal_fd < 0 || h->timer_fd < 0 || !watch(h, h->signal_fd) || !watch(h, h->timer_fd))
        return err_set(err, "cannot set up signals and timers: %s", strerror(errno));
    return true;
}

struct handover *handover_new(const struct handover_options *options, const struct handover_ops *ops, void *ctx,
                              struct err *err)
{
    struct handover *h = calloc(1, sizeof *h);

    if (h == NULL) {
        err_set(err, "no memory");
        return NULL;
    }
    h->options = *options;
    h->ops = *ops;
    h->ctx = ctx;
    h->epoll_fd = h->signal_fd = h->timer_fd = h->ready_fd = -1;
    h->child.channel_fd = h->child.epoll_fd = h->older.epoll_fd = -1;
    if (!handover_spawn_path(options->argv[0], h->path, sizeof h->path, &h->path_err))
        h->path[0] = '\0';
    if (!inherit(h, err) || !signals_take(h, err))
        handover_free(&h);
    return h;
}

int handover_listen(struct handover *h, const char *name, const struct addr *addr, struct err *err)
{
    const struct handover_socket *s;
    bool inherited;

    assert(h->phase == STARTING && strlen(name) < HANDOVER_NAME_MAX && strchr(name, ':') == NULL);
    s = handover_sockets_listen(&h->sockets, name, addr, &inherited, err);
    if (s == NULL)
        return -1;
    say(h, "listening", "%s on %s, %s", s->name, s->addr, inherited ? "inherited" : "bound");
    return s->fd;
}

/* The predecessor is told which listeners' connections are welcome, and stays known by its end of the channel. */
static void predecessor_tell(struct handover *h)
{
    char word[HANDOVER_WORD_MAX] = {HANDOVER_READY};
    size_t at = 1;
    pid_t group = getpgid(getppid());

    if (h->ops.adopt != NULL)
        at += (size_t)snprintf(word + at, sizeof word - at, "=%u", h->options.adopt_ahead);
    for (unsigned i = 0; i < h->sockets.listener_count && h->ops.adopt != NULL; i++)
        at += (size_t)snprintf(word + at, sizeof word - at, ":%s", h->sockets.listeners[i].name);
    /* Back into its group, which we left so that we could be ended with our children. */
    if (getpgrp() == getpid() && group > 0)
        (void)setpgid(0, group);
    if (write(h->ready_fd, word, at) != (ssize_t)at) /* it is gone: then we are the one that serves */
        say(h, "error", "cannot tell the predecessor: %s", strerror(errno));
    if (h->older.count < HANDOVER_OLDER_MAX)
        (void)handover_older_add(&h->older, h->ready_fd);
    else
        (void)close(h->ready_fd);
    h->ready_fd = -1;
}

bool handover_ready(struct handover *h, struct err *err)
{
    if (h->options.pidfile != NULL && !handover_pidfile_write(h->options.pidfile, getpid(), err))
        return false;
    handover_sockets_close_inherited(&h->sockets);
    h->phase = SERVING;
    handover_notify_ready(!h->init); /* pid 1 stays what the manager knows */
    if (h->init)
        handover_init_tell();
    (void)handover_older_watch(&h->older, h->epoll_fd); /* where not, the next SIGUSR2 looks at them */
    if (h->ready_fd >= 0)
        predecessor_tell(h);
    return true;
}

void handover_free(struct handover **handover)
{
    struct handover *h = *handover;
    int fds[4];

    if (h == NULL)
        return;
    if (!h->succeeded) {
        handover_child_kill(&h->child);
        if (h->options.pidfile != NULL && h->phase != STARTING)
            handover_pidfile_remove(h->options.pidfile, getpid());
    }
    if (h->child.channel_fd >= 0)
        (void)close(h->child.channel_fd);
    handover_older_let_go(&h->older);
    handover_sockets_close_inherited(&h->sockets);
    handover_sockets_close_listeners(&h->sockets);
    fds[0] = h->epoll_fd;
    fds[1] = h->signal_fd;
    fds[2] = h->timer_fd;
    fds[3] = h->ready_fd;
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    free(h);
    *handover = NULL;
}
