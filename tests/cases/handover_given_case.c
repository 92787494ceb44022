/* handover_given_case.c - what is around the server: a supervisor that passes sockets, a service manager that is told,
 * a container whose pid 1 it is.
 *
 * The program is its own supervisor:
 *     handover_given_case --given exec|stay ADDRESS,ADDRESS NAMES COMMAND...
 * listens on the addresses, announces them to COMMAND as systemd does, and becomes it, or stays its parent. And it is a
 * successor that dies early:
 *     handover_given_case --tell
 * says to pid 1 that it serves, and exits. */
#include "tests/cases/handover_steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- the supervisor */

static int listen_on(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    a.sin_port = htons((uint16_t)strtoul(address, NULL, 10));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0 ? fd : -1;
}

static int supervise(char **argv)
{
    bool stays = strcmp(argv[0], "stay") == 0;
    int fd[8], n = 0, status = 0;
    char text[32];
    pid_t pid;

    for (char *save = NULL, *at = strtok_r(argv[1], ",", &save); at != NULL; at = strtok_r(NULL, ",", &save))
        if ((fd[n++] = listen_on(at)) < 0)
            return 3;
    pid = stays ? fork() : 0;
    if (pid == 0) {
        for (int i = 0; i < n; i++)
            (void)fcntl(fd[i], F_DUPFD, 20 + i);
        for (int i = 0; i < n; i++)
            (void)dup2(20 + i, 3 + i);
        (void)close_range(3U + (unsigned)n, ~0U, 0);
        (void)snprintf(text, sizeof text, "%d", n);
        (void)setenv("LISTEN_FDS", text, 1);
        (void)snprintf(text, sizeof text, "%d", getpid());
        (void)setenv("LISTEN_PID", text, 1);
        (void)setenv("LISTEN_FDNAMES", argv[2], 1);
        (void)execv(argv[3], argv + 3);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) != pid) /* a SIGTERM would end this */
        ;
    for (;;)
        (void)pause(); /* a supervisor lives on */
}

static struct stage_proc *start_given(struct stage_server *v, const char *mode, const char *ports, const char *names,
                                      const char *const *flags)
{
    static char self[4096];
    const char *argv[24] = {self, "--given", mode, ports, names, v->exe, "--pidfile", v->pidfile};
    unsigned n = 8;

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    stage_server_kill(v, SIGTERM);
    for (; *flags != NULL; flags++)
        argv[n++] = *flags;
    v->proc =
        stage_start(v->stage, &(struct stage_spawn){.name = "given", .argv = argv, .cwd = v->dir, .may_end = true});
    v->log = v->proc->out_path;
    stage_wait_until(v->stage, is_serving, v, 10000, "the server");
    return v->proc;
}

static const char *address_text(struct stage *s, uint16_t port)
{
    return stage_text(s, "127.0.0.1:%u", port);
}

static void sockets_that_a_supervisor_passes_are_found_by_address_and_it_is_never_signalled(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    struct stage_proc *supervisor;
    int waiting;

    /* In another order and under other names; the second listener is bound anew; the last is wanted by nobody. */
    uint16_t spare = stage_port(s);
    supervisor = start_given(v, "stay", stage_text(s, "%u,%u,%u", v->port[2], spare, v->port[0]), "x::http",
                             LIST("-a0", address_text(s, v->port[0]), "-a1", address_text(s, v->port[1]), "-a2",
                                  address_text(s, v->port[2])));
    assert_non_null(strstr(stage_read(s, v->log), stage_text(s, "a0 on 127.0.0.1:%u, inherited", v->port[0])));
    assert_non_null(strstr(stage_read(s, v->log), stage_text(s, "a1 on 127.0.0.1:%u, bound", v->port[1])));
    assert_non_null(strstr(stage_read(s, v->log), stage_text(s, "a2 on 127.0.0.1:%u, inherited", v->port[2])));
    assert_string_equal(stage_server_version(v), "1");
    stage_server_install(v, "v2");
    (void)hand_over(v);
    assert_string_equal(stage_server_version(v), "2");
    waiting = stage_raw_open(s, v->port[2]);
    stage_raw_send(s, waiting, GET("/version"));
    assert_non_null(strstr(stage_raw_answer(s, waiting, 5000), "\r\n\r\n2\n"));
    wait_for_log(v, "event=exit", 1);
    assert_false(stage_proc_ended(s, supervisor));
    /* The supervisor itself still has the spare one open; the server does not. */
    assert_null(strstr(stage_read(s, v->log), stage_text(s, "127.0.0.1:%u", spare)));
    stage_server_kill(v, SIGTERM);
    stage_proc_stop(s, supervisor, SIGKILL, 5000);
}

static void a_listener_that_nobody_wants_is_closed_and_port_0_is_found_by_name(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");

    (void)start_given(v, "exec", stage_text(s, "%u,%u", v->port[0], v->port[1]), "a2:other",
                      LIST("-a0", "127.0.0.1:0", "-a1", "127.0.0.1:0", "-a2", "127.0.0.1:0"));
    assert_non_null(strstr(stage_read(s, v->log), stage_text(s, "a2 on 127.0.0.1:%u, inherited", v->port[0])));
    assert_true(stage_raw_refused(v->port[1]));
    assert_string_equal(stage_server_version(v), "1");
    (void)hand_over(v); /* the ports that the kernel chose stay */
    assert_string_equal(stage_server_version(v), "1");
    wait_for_one(v);
    stage_server_kill(v, SIGTERM);
}

static void a_wrong_announcement_ends_the_start_with_its_reason(struct stage *s)
{
    static const struct {
        const char *script, *why;
    } rows[] = {
        {"LISTEN_PID=$$ LISTEN_FDS=x", "LISTEN_FDS=x is no number of sockets from 0 to 64"},
        {"LISTEN_PID=$$ LISTEN_FDS=-1", "LISTEN_FDS=-1 is no number"},
        {"LISTEN_PID=$$ LISTEN_FDS=65", "LISTEN_FDS=65 is no number"},
        {"LISTEN_PID=$$ LISTEN_FDS=1", "file descriptor 3 is no socket"},
        {"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "more names"},
        {"LISTEN_PID=$$ LISTEN_FDS=0 HANDOVER_READY_FD=9", "HANDOVER_READY_FD=9 is not open"},
    };
    const char *exe = stage_server_variant(s, "v1");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *script =
            stage_text(s, "%s exec \"$0\" -a0 127.0.0.1:0 -a1 127.0.0.1:0 -a2 127.0.0.1:0 3</dev/null", rows[i].script);
        struct stage_run r = stage_run(s, 5000, (const char *const[]){"/bin/sh", "-c", script, exe, NULL});

        if (r.exit_code != 1 || strstr(r.err, rows[i].why) == NULL)
            fail_msg("%s: exit code %d, %s", rows[i].script, r.exit_code, r.err);
    }
}

/* ---- the service manager */

static const char *heard(struct stage *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char text[256];
    ssize_t n;

    if (poll(&p, 1, 10000) != 1)
        stage_fail(s, "the service manager has heard nothing for 10 s");
    n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return stage_text(s, "%s", text);
}

static void the_service_manager_is_told_of_every_turn(struct stage *s)
{
    char folder[] = "/tmp/handover.XXXXXX";
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stage_server *v;
    const char *text;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(here.sun_path, sizeof here.sun_path, "%s/n", folder);
    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof here), 0);
    v = start_with(s, LIST("--linger", "0"), LIST(stage_text(s, "NOTIFY_SOCKET=%s", here.sun_path)));
    assert_string_equal(heard(s, fd), stage_text(s, "READY=1\nMAINPID=%d", stage_server_pid(v)));
    (void)hand_over(v);
    text = heard(s, fd);
    assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    assert_string_equal(heard(s, fd), stage_text(s, "READY=1\nMAINPID=%d", stage_server_pid(v)));
    stage_server_install(v, "exit");
    assert_int_equal(kill(stage_server_pid(v), SIGUSR2), 0);
    assert_int_equal(strncmp(heard(s, fd), "RELOADING=1", 11), 0);
    assert_string_equal(heard(s, fd), "READY=1");
    stage_server_kill(v, SIGTERM);
    assert_string_equal(heard(s, fd), "STOPPING=1");
    (void)close(fd);
    (void)unlink(here.sun_path);
    (void)rmdir(folder);
}

static void an_abstract_socket_and_a_full_queue_keep_no_ready_from_the_service_manager(struct stage *s)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    const char *name = stage_text(s, "handover-%d", getpid()), *text = "";
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), full = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stage_server *v;
    const char *want;

    (void)snprintf(here.sun_path + 1, sizeof here.sun_path - 1, "%s", name);
    assert_int_equal(bind(fd, (const struct sockaddr *)&here, size), 0);
    v = start_with(s, LIST("--linger", "0"), LIST(stage_text(s, "NOTIFY_SOCKET=@%s", name)));
    assert_string_equal(heard(s, fd), stage_text(s, "READY=1\nMAINPID=%d", stage_server_pid(v)));
    while (sendto(full, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&here, size) == 1)
        ;
    want = stage_text(s, "READY=1\nMAINPID=%d", pid_file_changes(v)); /* before this is said */
    for (int i = 0; i < 10000 && strcmp(text, want) != 0; i++)
        text = heard(s, fd);
    assert_string_equal(text, want);
    (void)close(full);
    (void)close(fd);
}

/* ---- the container */

static pid_t child_of(struct stage *s, pid_t parent)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(s, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++)
        if (kin[i].ppid == parent && !kin[i].zombie)
            return kin[i].pid;
    stage_fail(s, "process %d has no child", parent);
}

static bool answers_as_2(void *ctx)
{
    return strcmp(stage_server_version(ctx), "2") == 0;
}

static bool answers(void *ctx)
{
    return stage_server_version(ctx)[0] != '\0';
}

static bool three_are_left(void *ctx) /* unshare, pid 1 and one server */
{
    return stage_server_count(ctx) == 3;
}

static struct stage_server *start_contained(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *argv[24] = {"/usr/bin/unshare", "-p", "--fork", "--mount-proc", v->exe, "--pidfile", v->pidfile};
    unsigned n = 7;

    stage_server_kill(v, SIGTERM);
    if (geteuid() != 0)
        argv[1] = "-rp"; /* in a user namespace of its own, where the system allows that */
    /* Nor can a container be made below chroot(1): / is no mount point there. */
    if (stage_run(s, 5000, LIST(argv[0], argv[1], "--fork", "--mount-proc", "/bin/true")).exit_code != 0)
        skip();
    for (int i = 0; i < 3; i++) {
        argv[n++] = stage_text(s, "-a%d", i);
        argv[n++] = address_text(s, v->port[i]);
    }
    v->proc = stage_start(s, &(struct stage_spawn){.name = "contained", .argv = argv, .cwd = v->dir, .may_end = true});
    v->log = v->proc->out_path;
    stage_wait_until(s, answers, v, 10000, "the contained server");
    return v;
}

static bool no_zombie_is_left(void *ctx)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(ctx, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++)
        if (kin[i].zombie)
            return false;
    return true;
}

static void as_pid_1_it_stays_as_a_reaper_and_there_is_one_server(struct stage *s)
{
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid); /* the child of unshare(1): pid 1 of its namespace */
    int asleep = stage_raw_open(s, v->port[0]);
    unsigned upgrades;

    stage_wait_until(s, three_are_left, v, 5000, "pid 1 and one server");
    stage_raw_send(s, asleep, GET("/sleep/?duration=1500ms"));
    stage_server_install(v, "v2");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(kill(one, SIGUSR2), 0);
        (void)usleep(2000);
    }
    stage_wait_until(s, answers_as_2, v, 10000, "version 2");
    assert_non_null(strstr(stage_raw_answer(s, asleep, 5000), "slept for 1500000000"));
    stage_wait_until(s, three_are_left, v, 10000, "pid 1 and one server");
    stage_wait_until(s, no_zombie_is_left, s, 5000, "pid 1 to have reaped all");
    upgrades = log_count(v, "event=upgraded"); /* two, where the first was ready before the last signal */
    /* The successor is the one that gets the signals now. */
    stage_server_install(v, "v1");
    assert_int_equal(kill(one, SIGUSR2), 0);
    wait_for_log(v, "event=upgraded", upgrades + 1);
    assert_int_equal(kill(one, SIGTERM), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 0);
    wait_for_log(v, "event=exit", upgrades + 2);
}

/* On a busy machine all of it is there before pid 1 runs again: the word of the new one, the end of the old one, and
 * signals, which the kernel hands out before the word. */
static void pid_1_that_hears_all_at_once_takes_no_handover_for_the_end(struct stage *s)
{
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid), first = child_of(s, one);

    stage_server_install(v, "v2");
    assert_int_equal(kill(one, SIGSTOP), 0);
    assert_int_equal(kill(first, SIGUSR2), 0);
    wait_for_log(v, "event=exit", 1);
    assert_int_equal(kill(one, SIGUSR2), 0);
    assert_int_equal(kill(one, SIGCONT), 0);
    wait_for_log(v, "event=upgraded", 2);
    assert_int_equal(kill(one, SIGTERM), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 0);
    wait_for_log(v, "event=exit", 3);
}

/* It has told pid 1, and never came to tell the old one. */
static void a_successor_that_dies_with_its_first_word_takes_no_signal_along(struct stage *s)
{
    static char self[4096];
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid);

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    install_script(v, stage_text(s, "#!/bin/sh\nexec %s --tell\n", self));
    assert_int_equal(kill(one, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-failed", 1);
    stage_server_install(v, "v2");
    assert_int_equal(kill(one, SIGUSR2), 0);
    wait_for_log(v, "event=upgraded", 1);
    assert_int_equal(kill(one, SIGTERM), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 0);
}

/* Its word would otherwise be the last that pid 1 has heard. */
static void pid_1_knows_who_goes_on_when_a_successor_died_with_its_first_word(struct stage *s)
{
    static char self[4096];
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid), first = child_of(s, one);

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    install_script(v, stage_text(s, "#!/bin/sh\nexec %s --tell\n", self));
    for (unsigned i = 1; i <= 2; i++) { /* the second signal has pid 1 hear the first one's word */
        assert_int_equal(kill(one, SIGUSR2), 0);
        wait_for_log(v, "event=upgrade-failed", i);
    }
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 128 + SIGKILL);
}

/* Its predecessor, which drains, is its parent; and has no failure of its own. */
static void pid_1_exits_as_a_successor_did_that_died_before_its_predecessor(struct stage *s)
{
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid), first = child_of(s, one);
    int asleep = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, asleep, GET("/sleep/?duration=2s"));
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(kill(one, SIGUSR2), 0);
    wait_for_log(v, "event=upgraded", 1);
    assert_int_equal(kill(child_of(s, first), SIGKILL), 0);
    assert_non_null(strstr(stage_raw_answer(s, asleep, 5000), "slept for 2000000000"));
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 128 + SIGKILL);
}

static bool container_is_gone(void *ctx)
{
    struct stage_server *v = ctx;

    return stage_proc_ended(v->stage, v->proc);
}

static void pid_1_waits_for_a_successor_whose_predecessor_was_killed(struct stage *s)
{
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid), first = child_of(s, one);
    const char *go = stage_text(s, "%s/go", v->dir);

    install_script(v, stage_text(s, "#!/bin/bash\nuntil [ -e %s ]; do sleep 0.02; done\nexec -a \"$0\" %s \"$@\"\n", go,
                                 stage_server_variant(s, "v2")));
    assert_int_equal(kill(one, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 1);
    assert_int_equal(kill(first, SIGKILL), 0);
    stage_wait_until(s, is_gone, &(struct process){s, first}, 5000, "the first server to be gone");
    assert_false(stage_comes_true(s, container_is_gone, v, 1000));
    (void)stage_write(s, go, "");
    stage_wait_until(s, answers_as_2, v, 5000, "version 2");
    assert_int_equal(kill(one, SIGTERM), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 0);
}

static void pid_1_passes_every_signal_on_that_ends_or_stops_a_server(struct stage *s)
{
    static const struct {
        int signal, exit_code;
    } rows[] = {{SIGINT, 0}, {SIGHUP, 128 + SIGHUP}, {SIGQUIT, 128 + SIGQUIT}, {SIGUSR1, 128 + SIGUSR1}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage_server *v = start_contained(s);

        assert_int_equal(kill(child_of(s, v->proc->pid), rows[i].signal), 0);
        assert_int_equal(stage_proc_wait(s, v->proc, 10000), rows[i].exit_code);
    }
}

static void a_second_sigterm_at_pid_1_ends_those_that_drain_at_once(struct stage *s)
{
    struct stage_server *v = start_contained(s);
    pid_t one = child_of(s, v->proc->pid);

    for (int i = 0; i < 2; i++) {
        stage_raw_send(s, stage_raw_open(s, v->port[0]), GET("/sleep/?duration=1h"));
        assert_true(stage_server_version(v)[0] != '\0');
        if (i == 0) {
            assert_int_equal(kill(one, SIGUSR2), 0);
            wait_for_log(v, "event=draining", 1);
        }
    }
    assert_int_equal(kill(one, SIGTERM), 0);
    wait_for_log(v, "event=draining", 2);
    assert_int_equal(kill(one, SIGTERM), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 0);
    assert_int_equal(log_count(v, "1 requests were cut short"), 2);
}

static void pid_1_exits_as_the_server_that_served_last_did(struct stage *s)
{
    struct stage_server *v = start_contained(s);

    assert_int_equal(kill(child_of(s, child_of(s, v->proc->pid)), SIGKILL), 0);
    assert_int_equal(stage_proc_wait(s, v->proc, 10000), 128 + SIGKILL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        stage_test(sockets_that_a_supervisor_passes_are_found_by_address_and_it_is_never_signalled),
        stage_test(a_listener_that_nobody_wants_is_closed_and_port_0_is_found_by_name),
        stage_test(a_wrong_announcement_ends_the_start_with_its_reason),
        stage_test(the_service_manager_is_told_of_every_turn),
        stage_test(an_abstract_socket_and_a_full_queue_keep_no_ready_from_the_service_manager),
        stage_test(as_pid_1_it_stays_as_a_reaper_and_there_is_one_server),
        stage_test(pid_1_that_hears_all_at_once_takes_no_handover_for_the_end),
        stage_test(a_successor_that_dies_with_its_first_word_takes_no_signal_along),
        stage_test(pid_1_knows_who_goes_on_when_a_successor_died_with_its_first_word),
        stage_test(pid_1_exits_as_a_successor_did_that_died_before_its_predecessor),
        stage_test(pid_1_waits_for_a_successor_whose_predecessor_was_killed),
        stage_test(pid_1_passes_every_signal_on_that_ends_or_stops_a_server),
        stage_test(a_second_sigterm_at_pid_1_ends_those_that_drain_at_once),
        stage_test(pid_1_exits_as_the_server_that_served_last_did),
    };

    if (argc == 2 && strcmp(argv[1], "--tell") == 0)
        return sigqueue(1, SIGRTMIN, (union sigval){.sival_int = 0}) == 0 ? 3 : 4;
    if (argc > 5 && strcmp(argv[1], "--given") == 0)
        return supervise(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
