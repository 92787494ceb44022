#include "runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cells.h"
#include "clock.h"
#include "common/mem.h"

#define READ_AT_ONCE   65536
#define FLOOD_PAUSE_MS 20   /* between two reads of what nobody will see */
#define FLOOD_READS    16   /* so much is read then at most */
#define CLOSE_MS       500  /* between SIGTERM and SIGKILL at the end */
#define CLOSE_MOST_MS  3000 /* of a process that not even SIGKILL ends nobody waits for longer */
#define NEVER          INT64_MAX

/* One command under way. Its first process is not reaped before its group is done with: as long as it is a zombie the
 * group's number is nobody else's. */
struct command {
    struct command *next;
    uint64_t tag;
    pid_t pid; /* 0: it could not be started */
    int pid_fd, out_fd;
    int64_t limit_at_ms, kill_at_ms, read_at_ms; /* NEVER = not */
    uint32_t lines, dropped;
    enum runner_end end; /* what it will have come to, where it does not end well */
    bool exited;         /* its first process has, or there is none */
    bool told_to_end, killed;
    bool cut; /* the line is longer than what is shown of it */
    size_t n; /* of line */
    char line[RUNNER_LINE + 4];
    char last[RUNNER_LINE + 4]; /* the last line that was not empty */
    char why[160];              /* it could not be started */
};

struct runner {
    struct runner_news news;
    int epoll_fd, timer_fd;
    struct command *all;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

struct runner *runner_open(const struct runner_news *news, struct err *err)
{
    struct runner *r = mem_zero(1, sizeof *r);

    r->news = *news;
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->epoll_fd < 0 || r->timer_fd < 0 ||
        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->timer_fd, &(struct epoll_event){.events = EPOLLIN}) != 0) {
        (void)err_set(err, "cannot make an epoll and a timer for hooks: %s", strerror(errno));
        runner_close(&r);
        return NULL;
    }
    return r;
}

int runner_fd(const struct runner *r)
{
    return r->epoll_fd;
}

/* ---- the start */

static bool watch(const struct runner *r, int fd)
{
    return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}) == 0;
}

static int input_file(const struct runner_order *o)
{
    int fd = memfd_create("hook", MFD_CLOEXEC);
    size_t n = 0;

    while (fd >= 0 && n < o->input_bytes) {
        ssize_t written = write(fd, o->input + n, o->input_bytes - n);

        if (written <= 0)
            close_fd(&fd);
        else
            n += (size_t)written;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
        close_fd(&fd);
    return fd;
}

/* Returns 0 or an errno. */
static int spawn(pid_t *pid, const struct runner_order *o, int in, int out)
{
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)o->command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t all, none;
    int error;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    error = posix_spawnattr_init(&how);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_init(&files);
    if (error == 0) {
        if (posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) != 0 ||
            posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) != 0 ||
            posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO) != 0 ||
            posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1) != 0 ||
            posix_spawnattr_setsigdefault(&how, &all) != 0 || posix_spawnattr_setsigmask(&how, &none) != 0 ||
            posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID) != 0)
            error = ENOMEM;
        else
            error = posix_spawn(pid, "/bin/sh", &files, &how, argv, o->env);
        (void)posix_spawn_file_actions_destroy(&files);
    }
    (void)posix_spawnattr_destroy(&how);
    return error;
}

/* All but the process itself; false with errno. */
static bool open_pipe(struct runner *r, struct command *c, int *to)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    c->out_fd = ends[0];
    *to = ends[1];
    return fcntl(c->out_fd, F_SETFL, O_NONBLOCK) == 0 && watch(r, c->out_fd);
}

static void try_start(struct runner *r, struct command *c, const struct runner_order *o)
{
    int in = input_file(o), to = -1, error;

    if (in < 0 || !open_pipe(r, c, &to)) {
        error = errno;
    } else {
        error = spawn(&c->pid, o, in, to);
        c->pid = error == 0 ? c->pid : 0;
    }
    close_fd(&in);
    close_fd(&to);
    if (error == 0) {
        c->pid_fd = pidfd_open(c->pid, 0);
        if (c->pid_fd >= 0 && watch(r, c->pid_fd))
            return;
        error = errno;
        (void)kill(-c->pid, SIGKILL); /* what cannot be watched is not let run */
        (void)waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
    (void)snprintf(c->why, sizeof c->why, "it could not be started: %s", strerror(error));
    c->exited = true;
}

static void set_timer(const struct runner *r)
{
    int64_t at_ms = NEVER;
    struct itimerspec when = {0};

    for (const struct command *c = r->all; c != NULL; c = c->next) {
        int64_t kill_at_ms = c->killed && !c->exited ? NEVER : c->kill_at_ms;
        int64_t first = c->limit_at_ms < kill_at_ms ? c->limit_at_ms : kill_at_ms;

        first = c->read_at_ms < first ? c->read_at_ms : first;
        first = c->pid == 0 ? 1 : first; /* its end is to be told at once */
        at_ms = first < at_ms ? first : at_ms;
    }
    if (at_ms != NEVER)
        when.it_value = (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 + 1};
    (void)timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void runner_start(struct runner *r, const struct runner_order *o)
{
    struct command *c = mem_zero(1, sizeof *c);

    assert(o->limit_ms > 0);
    c->tag = o->tag;
    c->pid_fd = c->out_fd = -1;
    c->end = RUNNER_FAILED;
    c->kill_at_ms = c->read_at_ms = NEVER;
    c->limit_at_ms = clock_awake_ms() + o->limit_ms;
    c->next = r->all;
    r->all = c;
    try_start(r, c, o);
    set_timer(r);
}

/* ---- what it says */

static void tell(const struct runner *r, const struct command *c, const char *line)
{
    if (r->news.said != NULL)
        r->news.said(r->news.ctx, c->tag, line);
}

/* Of a line that is too long the begin is shown, up to a whole character. No bytes that are no text, and no control
 * characters, which in UTF-8 may be two bytes long. */
static void make_plain(struct command *c)
{
    if (c->cut) {
        for (c->n = RUNNER_LINE - 3; c->n > 0 && (c->line[c->n] & 0xc0) == 0x80;)
            c->n--;
        memcpy(c->line + c->n, "...", 3);
        c->n += 3;
    }
    while (c->n > 0 && c->line[c->n - 1] == ' ')
        c->n--;
    c->line[c->n] = '\0';
    for (size_t i = 0; i < c->n && !cells_are_utf8(c->line); i++)
        c->line[i] = (char)((c->line[i] & 0x80) != 0 ? '?' : c->line[i]);
    for (char *at = c->line; (at = strchr(at, 0xc2)) != NULL; at++)
        if ((unsigned char)at[1] < 0xa0)
            at[0] = at[1] = '?';
}

static void end_line(const struct runner *r, struct command *c)
{
    make_plain(c);
    if (c->n > 0)
        memcpy(c->last, c->line, c->n + 1);
    if (c->n > 0 && c->lines < RUNNER_LINES)
        tell(r, c, c->line);
    c->dropped += c->n > 0 && c->lines >= RUNNER_LINES ? 1 : 0;
    c->lines += c->n > 0 && c->lines < RUNNER_LINES ? 1 : 0;
    c->n = 0;
    c->cut = false;
}

/* What would move a cursor, ring or colour becomes a blank. */
static void take(const struct runner *r, struct command *c, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (byte == '\n')
            end_line(r, c);
        else if (c->n == RUNNER_LINE)
            c->cut = true;
        else if (byte != '\r' || c->n > 0)
            c->line[c->n++] = (char)(byte < ' ' || byte == 127 ? ' ' : byte);
    }
}

static bool is_flood(const struct command *c)
{
    return c->lines >= RUNNER_LINES;
}

/* One that floods is read now and then, so that it neither stands still at a full pipe nor keeps us busy. */
static void slow_down(const struct runner *r, struct command *c)
{
    if (c->read_at_ms == NEVER)
        (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, c->out_fd, NULL);
    c->read_at_ms = clock_awake_ms() + FLOOD_PAUSE_MS;
}

static void read_out(const struct runner *r, struct command *c)
{
    char bytes[READ_AT_ONCE];
    bool more = c->out_fd >= 0 && (c->read_at_ms == NEVER || c->read_at_ms <= clock_awake_ms() || c->exited);

    for (int i = 0; more && i < FLOOD_READS; i++) {
        ssize_t n = read(c->out_fd, bytes, sizeof bytes);

        if (n > 0)
            take(r, c, bytes, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_fd(&c->out_fd); /* nobody holds it any more */
            c->read_at_ms = NEVER;
        }
        more = n > 0 && is_flood(c);
    }
    if (c->out_fd >= 0 && is_flood(c) && !c->exited)
        slow_down(r, c);
}

/* ---- its end */

static void tell_to_end(struct command *c, enum runner_end why, uint32_t kill_ms)
{
    if (c->told_to_end || c->pid == 0)
        return;
    c->told_to_end = true;
    c->end = why;
    c->limit_at_ms = NEVER;
    c->kill_at_ms = clock_awake_ms() + kill_ms;
    (void)kill(-c->pid, SIGTERM);
}

void runner_cut(struct runner *r, uint64_t tag)
{
    for (struct command *c = r->all; c != NULL; c = c->next)
        if (c->tag == tag)
            tell_to_end(c, RUNNER_CUT, RUNNER_KILL_MS);
    set_timer(r);
}

static bool has_exited(const struct command *c)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == c->pid;
}

static void look_at_it(struct command *c)
{
    if (c->exited || !has_exited(c))
        return;
    c->exited = true;
    close_fd(&c->pid_fd);
}

/* It is over: the first process has gone, and so has everybody else of a group that was told to end, as far as that
 * can be seen. */
static bool is_over(const struct command *c)
{
    if (c->pid == 0)
        return true;
    return c->exited && (!c->told_to_end || c->out_fd < 0 || clock_awake_ms() >= c->kill_at_ms);
}

static void describe(const struct command *c, int status, enum runner_end end, char *text, size_t size)
{
    const char *between = c->last[0] != '\0' ? ": " : "";

    if (c->pid == 0)
        (void)snprintf(text, size, "%s", c->why);
    else if (end == RUNNER_WELL)
        text[0] = '\0';
    else if (end == RUNNER_LATE)
        (void)snprintf(text, size, "it did not end in time%s%s", between, c->last);
    else if (end == RUNNER_CUT)
        (void)snprintf(text, size, "it was cut short%s%s", between, c->last);
    else if (WIFSIGNALED(status))
        (void)snprintf(text, size, "killed by SIG%s%s%s", sigabbrev_np(WTERMSIG(status)), between, c->last);
    else
        (void)snprintf(text, size, "exit code %d%s%s", WEXITSTATUS(status), between, c->last);
}

static int reap(struct command *c)
{
    int status = 0;

    if (c->pid == 0)
        return 0;
    if (c->told_to_end)
        (void)kill(-c->pid, SIGKILL); /* it is still a zombie: the number is its own */
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void bury(const struct runner *r, struct command *c)
{
    char text[RUNNER_LINE + 80], dropped[64];
    int status;
    enum runner_end end;

    read_out(r, c);
    end_line(r, c);
    if (c->dropped > 0) {
        (void)snprintf(dropped, sizeof dropped, "(and %u more line%s)", c->dropped, c->dropped == 1 ? "" : "s");
        tell(r, c, dropped);
    }
    status = reap(c);
    end = c->pid != 0 && c->end != RUNNER_LATE && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RUNNER_WELL : c->end;
    describe(c, status, end, text, sizeof text);
    close_fd(&c->pid_fd);
    close_fd(&c->out_fd);
    if (r->news.ended != NULL)
        r->news.ended(r->news.ctx, c->tag, end, text);
    free(c);
}

static void pass_time(struct command *c)
{
    int64_t now = clock_awake_ms();

    if (!c->exited && now >= c->limit_at_ms)
        tell_to_end(c, RUNNER_LATE, RUNNER_KILL_MS);
    if (!c->exited && now >= c->kill_at_ms) {
        (void)kill(-c->pid, SIGKILL);
        c->killed = true;
    }
}

void runner_move(struct runner *r)
{
    struct command **at = &r->all;
    uint64_t times;

    (void)!read(r->timer_fd, &times, sizeof times);
    while (*at != NULL) {
        struct command *c = *at;

        read_out(r, c);
        look_at_it(c);
        pass_time(c);
        if (is_over(c)) {
            *at = c->next;
            bury(r, c);
        } else {
            at = &c->next;
        }
    }
    set_timer(r);
}

/* The next time that there is something to see, at the latest at_ms. */
static void wait_until(const struct runner *r, int64_t at_ms)
{
    struct epoll_event event;
    int64_t left = at_ms - clock_awake_ms();

    (void)epoll_wait(r->epoll_fd, &event, 1, left > 0 ? (int)left : 0);
}

void runner_close(struct runner **runner)
{
    struct runner *r = *runner;
    int64_t until = clock_awake_ms() + CLOSE_MS;

    if (r == NULL)
        return;
    r->news = (struct runner_news){0};
    for (struct command *c = r->all; c != NULL; c = c->next) {
        tell_to_end(c, RUNNER_CUT, CLOSE_MS);
        c->kill_at_ms = c->kill_at_ms < until ? c->kill_at_ms : until;
    }
    while (r->all != NULL && clock_awake_ms() < until + CLOSE_MOST_MS) {
        set_timer(r);
        wait_until(r, until + CLOSE_MS);
        runner_move(r);
    }
    for (struct command *c = r->all, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    close_fd(&r->epoll_fd);
    close_fd(&r->timer_fd);
    free(r);
    *runner = NULL;
}
