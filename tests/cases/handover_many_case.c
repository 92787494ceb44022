/* handover_many_case.c - generation after generation: what must not grow, change or run out. */
#include "tests/cases/handover_steps.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define RESTARTS       50
#define SLEEPERS       10000
#define SLEEPER_MAX_KB 6

/* ---- what /proc tells */

static unsigned count_fds(pid_t pid)
{
    char path[64];
    unsigned n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n - 2;
}

static unsigned long rss_kb(pid_t pid)
{
    char path[64], line[256];
    unsigned long kb = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (kb == 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoul(line + 6, NULL, 10);
    (void)fclose(f);
    return kb;
}

/* A file of /proc/PID/, with the zero bytes in it. */
static const char *proc_read(pid_t pid, const char *what, size_t *size)
{
    static char raw[65536];
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    n = read(fd, raw, sizeof raw - 1);
    (void)close(fd);
    *size = n > 0 ? (size_t)n : 0;
    raw[*size] = '\0';
    return raw;
}

/* argv or environment, its ends as newlines, without the variables that are the handover's own. */
static const char *strings_of(struct stage *s, pid_t pid, const char *what)
{
    size_t size;
    const char *raw = proc_read(pid, what, &size), *text = "";

    for (const char *at = raw; at < raw + size; at += strlen(at) + 1)
        if (strncmp(at, "LISTEN_", 7) != 0 && strncmp(at, "HANDOVER_", 9) != 0)
            text = stage_text(s, "%s%s\n", text, at);
    return text;
}

static bool is_nonblocking(struct stage *s, pid_t pid, int fd)
{
    size_t size;
    const char *flags = strstr(proc_read(pid, stage_text(s, "fdinfo/%d", fd), &size), "flags:");

    return flags != NULL && (strtoul(flags + 6, NULL, 8) & O_NONBLOCK) != 0;
}

/* Of a process that was handed its listeners: they are its fd 3, 4 and 5. */
static void assert_listeners_do_not_block(struct stage *s, pid_t pid)
{
    for (int fd = 3; fd < 6; fd++)
        assert_true(is_nonblocking(s, pid, fd));
}

struct fds {
    pid_t pid;
    unsigned most;
};

static bool has_no_more_fds(void *ctx)
{
    const struct fds *f = ctx;

    return count_fds(f->pid) <= f->most;
}

static void fifty_restarts_change_nothing_and_leak_nothing(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "0"), LIST("HANDOVERED=kept", "EMPTY="));
    pid_t pid = stage_server_pid(v);
    const char *argv = strings_of(s, pid, "cmdline"), *environment = strings_of(s, pid, "environ");
    unsigned fds = 0;
    unsigned long rss = 0;

    for (int i = 1; i <= RESTARTS; i++) {
        pid = hand_over(v);
        wait_for_one(v);
        assert_string_equal(stage_server_version(v), "1");
        if (i == 2) { /* the first that has a predecessor's predecessor */
            fds = count_fds(pid);
            rss = rss_kb(pid);
        }
    }
    assert_string_equal(strings_of(s, pid, "cmdline"), argv);
    assert_string_equal(strings_of(s, pid, "environ"), environment);
    assert_non_null(strstr(environment, "EMPTY=\n"));
    assert_int_equal(stage_server_count(v), 1); /* counted by working directory */
    stage_wait_until(s, has_no_more_fds, &(struct fds){pid, fds}, 5000, "no more open files than after two restarts");
    assert_listeners_do_not_block(s, pid);
    if (!s->asan && rss_kb(pid) > rss + 256)
        fail_msg("%lu kB after %d restarts, %lu kB after two", rss_kb(pid), RESTARTS, rss);
}

/* The flag is the socket's, not the process's: whoever clears it on a copy takes it from all. A successor that serves
 * would set it again. */
static void a_successor_that_fails_leaves_the_listeners_as_they_were(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t pid = hand_over(v);

    wait_for_one(v);
    assert_listeners_do_not_block(s, pid);
    stage_server_install(v, "exit");
    assert_int_equal(kill(pid, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-failed", 1);
    assert_listeners_do_not_block(s, pid);
}

/* ---- generations */

static int asleep(struct stage *s, struct stage_server *v)
{
    int fd = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, fd, GET("/sleep/?duration=1h"));
    (void)stage_server_version(v); /* by now it has been read */
    return fd;
}

static void a_rollback_does_not_wait_for_a_drain_and_there_are_never_more_than_three_processes(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t first = stage_server_pid(v), second, third;
    struct want w = {.server = v};

    (void)asleep(s, v);
    stage_server_install(v, "v2");
    second = hand_over(v);
    (void)asleep(s, v);
    stage_server_install(v, "v1");
    third = hand_over(v); /* the first still drains */
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(stage_server_count(v), 3);

    assert_int_equal(kill(third, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-refused", 1);
    assert_non_null(strstr(stage_read(s, v->log), "2 older processes still answer requests"));
    assert_non_null(strstr(stage_read(s, stage_text(s, "%s.upgrade", v->pidfile)), "refused 2 older processes"));
    assert_int_equal(stage_server_count(v), 3);

    assert_int_equal(kill(first, SIGTERM), 0); /* the second signal ends it, as its drain limit would */
    assert_int_equal(kill(first, SIGINT), 0);
    w.old = third;
    for (int i = 0; i < 100 && !another_serves(&w); i++) { /* it may take a moment until the third knows */
        (void)kill(stage_server_pid(v), SIGUSR2);
        (void)stage_comes_true(s, another_serves, &w, 500);
    }
    assert_true(another_serves(&w));
    assert_int_equal(kill(second, SIGTERM), 0);
    assert_int_equal(kill(second, SIGINT), 0);
    wait_for_one(v);
}

/* ---- many sleepers */

struct crowd {
    int fd[SLEEPERS], epoll_fd;
    unsigned answered, failed;
};

static void crowd_start(struct stage *s, struct crowd *c, struct stage_server *v)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < SLEEPERS + 1000)
        skip(); /* the machine does not allow so many */
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < SLEEPERS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

        c->fd[i] = stage_raw_open(s, v->port[i % 3]);
        assert_int_equal(epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->fd[i], &event), 0);
    }
    for (int i = 0; i < SLEEPERS; i++)
        stage_raw_send(s, c->fd[i], GET("/sleep/?duration=5s"));
}

static bool all_have_come(void *ctx)
{
    struct stage_server *v = ctx;
    const json_t *stats = stage_http(v->stage, "GET", stage_text(v->stage, "%s/stats", v->url), NULL, NULL)->json;

    return stage_json_int(v->stage, stats, "sleeping") + stage_json_int(v->stage, stats, "answered.sleep") == SLEEPERS;
}

static void crowd_listen(struct crowd *c)
{
    struct epoll_event events[256];
    int n = epoll_wait(c->epoll_fd, events, 256, 100);

    for (int i = 0; i < n; i++) {
        int *fd = &c->fd[events[i].data.u32];
        char answer[1024];
        ssize_t size = recv(*fd, answer, sizeof answer - 1, MSG_DONTWAIT);

        answer[size > 0 ? size : 0] = '\0';
        if (strncmp(answer, "HTTP/1.1 200", 12) == 0 && strstr(answer, "slept for 5000000000") != NULL)
            c->answered++;
        else
            c->failed++;
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
    }
}

static void ten_thousand_sleeping_requests_are_answered_through_a_restart(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    struct crowd *c = stage_alloc(s, sizeof *c);
    pid_t old = stage_server_pid(v);
    unsigned long before = rss_kb(old), with;
    uint64_t until_ms;

    crowd_start(s, c, v);
    stage_wait_until(s, all_have_come, v, 10000, "all sleepers to have come");
    with = rss_kb(old);
    stage_server_install(v, "v2");
    (void)hand_over(v);
    assert_string_equal(stage_server_version(v), "2");
    until_ms = stage_now_ms() + stage_limit_ms(s, 20000);
    while (c->answered + c->failed < SLEEPERS && stage_now_ms() < until_ms)
        crowd_listen(c);
    (void)close(c->epoll_fd);
    assert_int_equal(c->failed, 0);
    assert_int_equal(c->answered, SLEEPERS);
    print_message("%d sleepers: %.2f kB each\n", SLEEPERS, (double)(with - before) / SLEEPERS);
    if (!s->asan)
        assert_true(with - before < (unsigned long)SLEEPER_MAX_KB * SLEEPERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(fifty_restarts_change_nothing_and_leak_nothing),
        stage_test(a_successor_that_fails_leaves_the_listeners_as_they_were),
        stage_test(a_rollback_does_not_wait_for_a_drain_and_there_are_never_more_than_three_processes),
        stage_test(ten_thousand_sleeping_requests_are_answered_through_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
