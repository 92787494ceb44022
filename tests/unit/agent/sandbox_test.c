/* sandbox_test.c - what a half has given up it cannot do: each call is tried in a child behind the list of that half.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sandbox.h"

static int try_write(void)
{
    return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int try_create(void)
{
    return open("/tmp/rollout-sandbox-test", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int try_read(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int try_openat2(void)
{
    const uint64_t how[3] = {O_WRONLY | O_CLOEXEC, 0, 0};

    return (int)syscall(SYS_openat2, AT_FDCWD, "/dev/null", how, sizeof how);
}

static int try_exec(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};

    return execve("/bin/true", argv, NULL);
}

static int try_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid;
}

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int try_kill(void)
{
    return kill(getppid(), 0);
}

static int try_tgkill(void)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int try_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);

    return fd < 0 ? fd : (int)syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
}

static int try_tcp(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int try_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, 4);
}

static int try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int try_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int try_rename(void)
{
    (void)rename("/nowhere/a", "/nowhere/b");
    return errno == ENOENT ? 0 : -1;
}

static int try_unlink(void)
{
    (void)unlink("/nowhere/a");
    return errno == ENOENT ? 0 : -1;
}

static int try_chmod(void)
{
    return chmod("/nowhere/a", 0600) == 0 || errno == ENOENT ? 0 : -1;
}

static int try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int try_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

enum half { NETWORK, HELPER, STARTER, HALVES }; /* STARTER: a helper half that starts programs */

enum { CAN = 0, CANNOT = 1 };

static const struct {
    const char *what;
    int (*fn)(void);
    int expected[HALVES];
} rows[] = {
    {"memory", try_memory, {CAN, CAN, CAN}},
    {"read a file", try_read, {CAN, CAN, CAN}},
    {"a unix socket", try_unix, {CAN, CAN, CAN}},
    {"open a file for writing", try_write, {CANNOT, CAN, CAN}},
    {"make a file", try_create, {CANNOT, CAN, CAN}},
    {"openat2", try_openat2, {CANNOT, CAN, CAN}},
    {"rename", try_rename, {CANNOT, CAN, CAN}},
    {"unlink", try_unlink, {CANNOT, CAN, CAN}},
    {"chmod by path", try_chmod, {CANNOT, CANNOT, CAN}},
    {"a TCP socket", try_tcp, {CANNOT, CAN, CAN}},
    {"netlink", try_netlink, {CANNOT, CAN, CAN}},
    {"a signal by pidfd", try_pidfd, {CANNOT, CAN, CAN}},
    {"a signal by pid", try_kill, {CANNOT, CANNOT, CAN}},
    {"a signal by thread", try_tgkill, {CANNOT, CANNOT, CAN}},
    {"new code", try_code, {CANNOT, CANNOT, CAN}},
    {"a new process", try_fork, {CANNOT, CANNOT, CAN}},
    {"a packet socket", try_packet, {CANNOT, CANNOT, CAN}},
    {"a vsock", try_vsock, {CANNOT, CANNOT, CAN}},
    {"ptrace", try_ptrace, {CANNOT, CANNOT, CANNOT}},
    {"a namespace", try_unshare, {CANNOT, CANNOT, CANNOT}},
};

static bool enter(enum half half, struct err *err)
{
    return half == NETWORK ? sandbox_network(err) : sandbox_helper(half == STARTER, err);
}

/* 0: done, 1: EPERM, 2: another error, 3: no sandbox */
static int outcome(enum half half, int (*fn)(void))
{
    struct err err = {""};
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)alarm(10);
        if (!enter(half, &err))
            _exit(3);
        errno = 0;
        if (fn() >= 0)
            _exit(0);
        _exit(errno == EPERM ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* valgrind makes calls of its own. */
static bool below_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

static void check(enum half half)
{
    if (!sandbox_is_filtered() || below_valgrind())
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int got = outcome(half, rows[i].fn);
        (void)unlink("/tmp/rollout-sandbox-test");
        if (rows[i].expected[half] == CANNOT ? got != CANNOT : got == CANNOT || got > 2 || got < 0)
            fail_msg("%s: %d instead of %d", rows[i].what, got, rows[i].expected[half]);
    }
}

static void the_network_half_can_neither_write_start_signal_nor_connect(void **state)
{
    (void)state;
    check(NETWORK);
}

static void the_helper_half_can_work_on_files_and_nothing_else(void **state)
{
    (void)state;
    check(HELPER);
}

static void a_helper_half_that_starts_programs_keeps_out_of_what_no_service_does(void **state)
{
    (void)state;
    check(STARTER);
}

static void only_a_helper_half_that_must_can_start_a_program(void **state)
{
    (void)state;
    if (!sandbox_is_filtered() || below_valgrind())
        skip();
    assert_int_equal(outcome(NETWORK, try_exec), CANNOT);
    assert_int_equal(outcome(HELPER, try_exec), CANNOT);
    assert_int_equal(outcome(STARTER, try_exec), 0); /* /bin/true */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_network_half_can_neither_write_start_signal_nor_connect),
        cmocka_unit_test(the_helper_half_can_work_on_files_and_nothing_else),
        cmocka_unit_test(a_helper_half_that_starts_programs_keeps_out_of_what_no_service_does),
        cmocka_unit_test(only_a_helper_half_that_must_can_start_a_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
