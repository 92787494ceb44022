/* handover_hostile_case.c - executables and moments that no one would choose: what a successor does to what it shares
 * with the old process, and signals that come when nobody expects them.
 *
 * The program is the bad successor, too:
 *     handover_hostile_case --bad HOW ... */
#include "tests/cases/handover_steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* ---- the bad successor */

static void blocking_make(void)
{
    for (int fd = 3; fd < 6; fd++)
        (void)fcntl(fd, F_SETFL, 0);
}

static int be_bad(const char *how)
{
    static const struct timespec moment = {0, 100000};

    if (strcmp(how, "blocks") == 0) {
        blocking_make();
        return 1;
    }
    if (strcmp(how, "ready") == 0) {
        (void)!write(6, "R", 1);
        return 5;
    }
    while (strcmp(how, "blocks-always") == 0) { /* until it is killed */
        blocking_make();
        (void)nanosleep(&moment, NULL);
    }
    return 2;
}

static void install_bad(struct stage_server *v, const char *how)
{
    static char self[4096];

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    install_script(v, stage_text(v->stage, "#!/bin/sh\nexec %s --bad %s\n", self, how));
}

/* ---- what /proc tells */

/* User and system time, in seconds. */
static double cpu_of(struct stage *s, pid_t pid)
{
    int fd = open(stage_text(s, "/proc/%d/stat", pid), O_RDONLY | O_CLOEXEC);
    char text[1024] = "";
    unsigned long user = 0, system = 0;
    const char *at;

    assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    at = strrchr(text, ')');
    assert_non_null(at);
    assert_int_equal(sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int asleep(struct stage *s, struct stage_server *v, const char *path)
{
    int fd = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, fd, stage_text(s, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path));
    (void)stage_server_version(v); /* by now it has been read */
    return fd;
}

/* ---- the listeners */

static void assert_serves(struct stage *s, struct stage_server *v, int idle)
{
    for (int i = 0; i < 3; i++) {
        int fresh = stage_raw_open(s, v->port[i]);

        stage_raw_send(s, fresh, GET("/version"));
        assert_non_null(strstr(stage_raw_answer(s, fresh, 3000), "\r\n\r\n1\n"));
        stage_raw_send(s, idle, GET("/version"));
        assert_non_null(strstr(stage_raw_answer(s, idle, 3000), "\r\n\r\n1\n"));
    }
}

static void a_successor_that_makes_the_listeners_block_stops_nobody(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--upgrade-timeout", "2s"), NULL);
    int idle = stage_raw_open(s, v->port[0]);
    pid_t pid = stage_server_pid(v);

    install_bad(v, "blocks");
    assert_int_equal(kill(pid, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-failed", 1);
    assert_serves(s, v, idle);
    install_bad(v, "blocks-always");
    assert_int_equal(kill(pid, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 2);
    while (log_count(v, "event=upgrade-failed") < 2)
        assert_serves(s, v, idle);
    assert_int_equal(stage_server_pid(v), pid);
    stage_server_install(v, "v2");
    (void)hand_over(v);
    assert_string_equal(stage_server_version(v), "2");
}

/* ---- channels that others hold open */

static void the_end_of_an_older_process_is_seen_once_while_a_hung_successor_has_a_copy_of_its_channel(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--upgrade-timeout", "20s"), NULL);
    struct process first = {s, stage_server_pid(v)};
    int held = asleep(s, v, "/sleep/?duration=1s"), waits;
    pid_t second = hand_over(v);
    double before;

    stage_server_install(v, "hang");
    assert_int_equal(kill(second, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 2);
    assert_non_null(strstr(stage_raw_answer(s, held, 5000), "slept for 1000000000"));
    stage_wait_until(s, is_gone, &first, 5000, "the first process to be gone");
    waits = asleep(s, v, "/sleep/?duration=2s");
    before = cpu_of(s, second);
    assert_non_null(strstr(stage_raw_answer(s, waits, 5000), "slept for 2000000000"));
    if (cpu_of(s, second) - before > 0.2)
        fail_msg("%.2f s of CPU while a request slept for 2 s", cpu_of(s, second) - before);
}

static void two_generations_that_stop_together_only_wait(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int tick = asleep(s, v, "/sleep/?duration=3s"), held = asleep(s, v, "/sleep/?duration=5s"), waits;
    pid_t pid[2] = {stage_server_pid(v), hand_over(v)};
    double before[2];

    wait_for_log(v, "event=draining", 1);
    waits = asleep(s, v, "/sleep/?duration=5s");
    assert_int_equal(kill(pid[1], SIGTERM), 0);
    wait_for_log(v, "event=draining", 2);
    for (int i = 0; i < 2; i++)
        before[i] = cpu_of(s, pid[i]);
    assert_non_null(strstr(stage_raw_answer(s, tick, 5000), "slept for 3000000000"));
    for (int i = 0; i < 2; i++)
        if (cpu_of(s, pid[i]) - before[i] > 0.2)
            fail_msg("process %d: %.2f s of CPU while it drained", i, cpu_of(s, pid[i]) - before[i]);
    assert_non_null(strstr(stage_raw_answer(s, held, 5000), "slept for 5000000000"));
    assert_non_null(strstr(stage_raw_answer(s, waits, 5000), "slept for 5000000000"));
}

/* ---- stops in the middle */

static bool has_a_zombie(void *ctx)
{
    const struct process *p = ctx;
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(p->s, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++)
        if (kin[i].ppid == p->pid && kin[i].zombie)
            return true;
    return false;
}

static bool is_there(void *path)
{
    return access(path, F_OK) == 0;
}

/* The successor runs `command` while the old process is held and hears of nothing. */
static void start_unheard(struct stage_server *v, const char *command)
{
    struct stage *s = v->stage;
    const char *go = stage_text(s, "%s/go", v->dir);
    pid_t old = stage_server_pid(v);

    install_script(
        v, stage_text(s, "#!/bin/bash\nuntil [ -e %s ]; do sleep 0.02; done\nexec -a \"$0\" %s \"$@\"\n", go, command));
    assert_int_equal(kill(old, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 1);
    assert_int_equal(kill(old, SIGSTOP), 0);
    (void)stage_write(s, go, "");
}

static pid_t hand_over_unheard(struct stage_server *v)
{
    struct want w = {.server = v, .old = stage_server_pid(v)};

    start_unheard(v, stage_server_variant(v->stage, "v2"));
    stage_wait_until(v->stage, another_serves, &w, 10000, "the successor to serve");
    return stage_server_pid(v);
}

static void a_stop_that_finds_the_successor_serving_has_it_answer_what_it_took(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--upgrade-timeout", "1500ms"), NULL);
    pid_t old = stage_server_pid(v);
    int waits;

    (void)hand_over_unheard(v);
    waits = asleep(s, v, "/sleep/?duration=3s");
    assert_int_equal(kill(old, SIGTERM), 0);
    assert_int_equal(kill(old, SIGCONT), 0);
    assert_non_null(strstr(stage_raw_answer(s, waits, 5000), "slept for 3000000000"));
    stage_wait_until(s, none_is_left, v, 5000, "both to be gone");
    assert_int_equal(access(v->pidfile, F_OK), -1);
}

static void a_successor_that_serves_after_all_and_has_not_heard_of_the_stop_ends_with_the_drain_limit(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--drain-timeout", "2s"), NULL);
    const char *go = stage_text(s, "%s/go", v->dir);
    pid_t old = stage_server_pid(v);

    (void)asleep(s, v, "/sleep/?duration=1h");
    install_script(v, stage_text(s,
                                 "#!/bin/bash\ntrap '' TERM\n: >%s.trap\nuntil [ -e %s ]; do sleep 0.02; done\n"
                                 "exec -a \"$0\" %s \"$@\"\n",
                                 go, go, stage_server_variant(s, "v2")));
    assert_int_equal(kill(old, SIGUSR2), 0);
    stage_wait_until(s, is_there, (void *)(size_t)stage_text(s, "%s.trap", go), 5000, "the successor to be deaf");
    assert_int_equal(kill(old, SIGTERM), 0);
    wait_for_log(v, "event=draining", 1);
    (void)stage_write(s, go, "");
    wait_for_log(v, "serves, and was told to stop", 1);
    stage_wait_until(s, none_is_left, v, 5000, "both to be gone");
}

static void a_stop_of_the_pid_in_the_pid_file_is_not_lost_though_the_old_one_has_not_heard_of_it(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t old = stage_server_pid(v);
    int held = asleep(s, v, "/sleep/?duration=1500ms");

    assert_int_equal(kill(hand_over_unheard(v), SIGTERM), 0);
    stage_wait_until(s, has_a_zombie, &(struct process){s, old}, 5000, "the successor to have ended");
    assert_int_equal(kill(old, SIGCONT), 0);
    assert_non_null(strstr(stage_raw_answer(s, held, 5000), "slept for 1500000000"));
    stage_wait_until(s, none_is_left, v, 5000, "both to be gone");
    assert_int_equal(access(v->pidfile, F_OK), -1);
}

static void a_successor_that_says_ready_and_fails_before_it_is_heard_leaves_the_old_one_serving(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t old = stage_server_pid(v);
    static char self[4096];

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    start_unheard(v, stage_text(s, "%s --bad ready", self));
    stage_wait_until(s, has_a_zombie, &(struct process){s, old}, 5000, "the successor to have ended");
    assert_int_equal(kill(old, SIGCONT), 0);
    wait_for_log(v, "exited with status 5; this process goes on", 1);
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(stage_server_pid(v), old);
}

/* ---- before it serves */

/* From its /proc/PID/status. */
static bool keeps_sigusr2(void *ctx)
{
    const struct process *p = ctx;
    char path[64], line[256];
    unsigned long long blocked = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", p->pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0)
            blocked = strtoull(line + 7, NULL, 16);
    if (f != NULL)
        (void)fclose(f);
    return (blocked & 1ULL << (SIGUSR2 - 1)) != 0;
}

static void a_process_that_does_not_serve_yet_writes_no_pid_file_and_survives_sigusr2(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    struct process hung = {s, 0};

    stage_server_kill(v, SIGTERM);
    stage_server_install(v, "hang"); /* before it makes a handover */
    v->proc = stage_start(s, &(struct stage_spawn){.name = "hung",
                                                   .argv = (const char *const[]){v->exe, "--pidfile", v->pidfile, NULL},
                                                   .cwd = v->dir,
                                                   .may_end = true});
    hung.pid = v->proc->pid;
    stage_wait_until(s, keeps_sigusr2, &hung, 5000, "SIGUSR2 to be kept");
    assert_int_equal(kill(hung.pid, SIGUSR2), 0);
    assert_false(stage_comes_true(s, is_gone, &hung, 300));
    assert_int_equal(access(v->pidfile, F_OK), -1);
    stage_proc_stop(s, v->proc, SIGKILL, 5000);
}

/* Its working directory stays the one of the first release; the path by which it was started does not. */
static void a_release_switched_by_a_link_is_followed_by_a_relative_path_too(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *link = stage_text(s, "%s/current", s->dir), *aside = stage_text(s, "%s/next", s->dir);
    const char *argv[] = {"/bin/sh", "-c",          "cd \"$0\" && exec ./demo-server --pidfile \"$@\"",
                          link,      v->pidfile,    "-a0",
                          v->peer,   "-a1",         "127.0.0.1:0",
                          "-a2",     "127.0.0.1:0", NULL};

    stage_server_kill(v, SIGTERM);
    for (int i = 1; i <= 2; i++) {
        const char *release = stage_mkdir(s, stage_text(s, "release%d", i));

        (void)stage_copy(s, stage_server_variant(s, i == 1 ? "v1" : "v2"), stage_text(s, "%s/demo-server", release));
    }
    assert_int_equal(symlink("release1", link), 0);
    v->proc = stage_start(s, &(struct stage_spawn){.name = "linked", .argv = argv, .may_end = true});
    v->log = v->proc->out_path;
    stage_wait_until(s, is_serving, v, 10000, "the server");
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(symlink("release2", aside), 0);
    assert_int_equal(rename(aside, link), 0);
    for (unsigned i = 1; i <= 2; i++) { /* a successor must not find the way back */
        (void)hand_over(v);
        wait_for_log(v, "event=exit", i);
        assert_string_equal(stage_server_version(v), "2");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_successor_that_makes_the_listeners_block_stops_nobody),
        stage_test(the_end_of_an_older_process_is_seen_once_while_a_hung_successor_has_a_copy_of_its_channel),
        stage_test(two_generations_that_stop_together_only_wait),
        stage_test(a_stop_that_finds_the_successor_serving_has_it_answer_what_it_took),
        stage_test(a_successor_that_serves_after_all_and_has_not_heard_of_the_stop_ends_with_the_drain_limit),
        stage_test(a_stop_of_the_pid_in_the_pid_file_is_not_lost_though_the_old_one_has_not_heard_of_it),
        stage_test(a_process_that_does_not_serve_yet_writes_no_pid_file_and_survives_sigusr2),
        stage_test(a_release_switched_by_a_link_is_followed_by_a_relative_path_too),
        stage_test(a_successor_that_says_ready_and_fails_before_it_is_heard_leaves_the_old_one_serving),
    };

    if (argc > 2 && strcmp(argv[1], "--bad") == 0)
        return be_bad(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
