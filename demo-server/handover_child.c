#include "handover_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "handover_stray.h"

/* Between the end of the channel and the end of the process: long enough to learn its status. */
#define EXIT_GRACE_MS 1000

int64_t handover_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void channel_close(struct handover_child *c)
{
    if (c->channel_fd >= 0)
        handover_channel_close(c->channel_fd, c->epoll_fd);
    c->channel_fd = -1;
}

bool handover_child_start(struct handover_child *c, const struct handover_spawn *spawn, uint32_t limit_ms,
                          struct err *err)
{
    struct handover_spawned spawned;

    *c = (struct handover_child){.channel_fd = -1, .epoll_fd = -1, .deadline_ms = handover_now_ms() + limit_ms};
    if (!handover_spawn(spawn, &spawned, err))
        return false;
    c->pid = spawned.pid;
    c->channel_fd = spawned.channel_fd;
    c->their_end = spawned.their_end;
    c->started = spawned.started;
    return true;
}

/* To its group as well: a script's children hold our sockets open. */
static void signal_send(const struct handover_child *c, int signal)
{
    if (kill(-c->pid, signal) != 0 || getpgid(c->pid) != c->pid)
        (void)kill(c->pid, signal);
}

void handover_child_end(struct handover_child *c, int signal, const char *why)
{
    if (c->pid == 0)
        return;
    if (!c->doomed)
        (void)snprintf(c->why, sizeof c->why, "%s", why);
    c->doomed = true;
    c->spared |= signal != SIGKILL;
    channel_close(c);
    signal_send(c, signal);
}

void handover_child_ask_to_end(struct handover_child *c, const char *why)
{
    if (c->pid == 0)
        return;
    if (!c->doomed)
        (void)snprintf(c->why, sizeof c->why, "%s", why);
    c->doomed = c->spared = true;
    signal_send(c, SIGTERM);
}

/* What one that never was ready left behind. */
static void strays_end(const struct handover_child *c)
{
    if (!c->ready && !c->spared)
        handover_stray_kill(c->their_end, c->started);
}

void handover_child_kill(struct handover_child *c)
{
    if (c->pid == 0)
        return;
    channel_close(c);
    signal_send(c, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    strays_end(c);
}

/* True where it is reaped. */
static bool reap(struct handover_child *c)
{
    siginfo_t info = {.si_pid = 0};
    const char *when = c->ready ? "" : " before it was ready";

    /* Looked at first and reaped after: until then its group cannot become anybody else's. */
    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        if (errno != ECHILD)
            return false;
        c->status = 0xff00; /* nobody knows */
    } else if (info.si_pid == 0) {
        return false;
    } else {
        if (!c->ready)
            (void)kill(-c->pid, SIGKILL);
        (void)waitpid(c->pid, &c->status, WNOHANG);
    }
    strays_end(c);
    if (!c->doomed && info.si_pid != 0 && info.si_code != CLD_EXITED)
        (void)snprintf(c->why, sizeof c->why, "the new process was ended by signal %d (%s)%s", info.si_status,
                       strsignal(info.si_status), when);
    else if (!c->doomed)
        (void)snprintf(c->why, sizeof c->why, "the new process exited with status %d%s",
                       info.si_pid != 0 ? info.si_status : -1, when);
    channel_close(c);
    c->pid = 0;
    return true;
}

/* Nothing was read: true where that was an empty word, false where it was the end. */
static bool still_open(int channel)
{
    struct pollfd p = {.fd = channel, .events = POLLRDHUP};

    return poll(&p, 1, 0) == 0;
}

/* A word that is none: quoted, as far as it can be printed. */
static void nonsense(struct handover_child *c, const char *word, ssize_t n)
{
    char quoted[24], why[sizeof c->why];
    size_t at = 0;

    for (; at < (size_t)n && at + 1 < sizeof quoted; at++)
        quoted[at] = word[at] > ' ' && word[at] < 127 ? word[at] : '?';
    quoted[at] = '\0';
    if (n == 0)
        (void)snprintf(why, sizeof why, "the new process wrote an empty word to its readiness channel; it was killed");
    else
        (void)snprintf(why, sizeof why,
                       "the new process wrote '%s' (%zd bytes) to its readiness channel, which means nothing; it was "
                       "killed",
                       quoted, n);
    handover_child_end(c, SIGKILL, why);
}

/* True where it says that it serves. */
static bool channel_look(struct handover_child *c, const char *path)
{
    char word[HANDOVER_WORD_MAX];
    ssize_t n = read(c->channel_fd, word, sizeof word - 1);
    int failed;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n >= 1 && word[0] == HANDOVER_READY) {
        word[n] = '\0';
        memcpy(c->takes, word + 1, (size_t)n);
        c->room = handover_channel_room(c->takes);
        c->full = c->room == 0;
        return true;
    }
    if (n == 1 + (ssize_t)sizeof failed && word[0] == HANDOVER_EXEC_FAILED) {
        channel_close(c);
        memcpy(&failed, word + 1, sizeof failed);
        (void)snprintf(c->why, sizeof c->why, "cannot execute %.200s: %s", path, strerror(failed));
        c->doomed = c->spared = true;
        return false;
    }
    if (n > 0 || (n == 0 && still_open(c->channel_fd))) {
        nonsense(c, word, n);
        return false;
    }
    channel_close(c);
    c->spared = true;
    /* It exits, or has closed its channel without a word: the exit status tells which, a moment later. */
    if (c->deadline_ms > handover_now_ms() + EXIT_GRACE_MS)
        c->deadline_ms = handover_now_ms() + EXIT_GRACE_MS;
    return false;
}

static void answers_read(struct handover_child *c)
{
    char text[HANDOVER_ROOM_MAX];
    ssize_t n;

    while (c->channel_fd >= 0 && (n = read(c->channel_fd, text, sizeof text - 1)) != -1) {
        size_t more;

        if (n == 0) { /* it is gone, or leaves */
            channel_close(c);
            return;
        }
        text[n] = '\0';
        more = handover_channel_room(text);
        c->full = more == 0;
        if (more != SIZE_MAX && c->room < SIZE_MAX - more)
            c->room += more;
    }
}

enum handover_child_state handover_child_look(struct handover_child *c, const char *path)
{
    if (c->pid == 0)
        return HANDOVER_CHILD_WAIT;
    if (c->ready)
        answers_read(c);
    if (!c->ready && c->channel_fd >= 0 && channel_look(c, path)) {
        c->deadline_ms = INT64_MAX;
        c->ready = true;
        if (reap(c)) /* it said so and died at once */
            return HANDOVER_CHILD_GONE;
        return HANDOVER_CHILD_READY;
    }
    if (reap(c))
        return HANDOVER_CHILD_GONE;
    if (handover_now_ms() >= c->deadline_ms) {
        c->deadline_ms = handover_now_ms() + EXIT_GRACE_MS; /* killed again, should that ever be needed */
        handover_child_end(c, SIGKILL,
                           c->channel_fd >= 0
                               ? "the new process was not ready within the upgrade timeout; it was killed"
                               : "the new process closed its readiness channel without a word; it was killed");
    }
    return HANDOVER_CHILD_WAIT;
}

enum handover_channel_result handover_child_pass(struct handover_child *c, const char *name, int fd)
{
    enum handover_channel_result rc;

    if (c->channel_fd < 0 || c->doomed || !handover_channel_names(c->takes, name) || (c->room == 0 && c->full))
        return HANDOVER_CHANNEL_END;
    if (c->room == 0)
        return HANDOVER_CHANNEL_LATER;
    rc = handover_channel_send(c->channel_fd, name, fd);
    if (rc == HANDOVER_CHANNEL_DONE && c->room != SIZE_MAX)
        c->room--;
    if (rc == HANDOVER_CHANNEL_END)
        channel_close(c);
    return rc;
}
