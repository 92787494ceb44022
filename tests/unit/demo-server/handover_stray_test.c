#include "demo-server/handover_stray.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A process in a session of its own that lives until it is killed, or for 30 s. */
static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)setsid();
        (void)sleep(30);
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

/* The signal that ended it. It is SIGTERMed here: who was killed before is dead of SIGKILL all the same. */
static int ended_by(pid_t pid)
{
    int status = 0;

    assert_int_equal(kill(pid, SIGTERM), 0);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WTERMSIG(status);
}

/* Valgrind 3.19 does not know them, whatever the kernel. */
static bool has_pidfds(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static void only_who_has_the_socket_open_and_is_young_enough_is_killed(void **state)
{
    int ends[2], other[2];
    struct stat st;
    uint64_t now = handover_stray_start(getpid());
    pid_t has_it, has_another;

    (void)state;
    assert_true(now > 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other), 0);
    assert_int_equal(fstat(ends[1], &st), 0);
    has_it = sleeper();
    handover_stray_kill(st.st_ino, handover_stray_start(has_it) + 1); /* it was there before */
    handover_stray_kill(st.st_ino, 0);                                /* nobody knows since when */
    assert_int_equal(ended_by(has_it), SIGTERM);

    if (!has_pidfds())
        skip(); /* nobody is killed without them */
    has_it = sleeper();
    (void)close(ends[1]);
    has_another = sleeper();
    handover_stray_kill(st.st_ino, now);
    assert_int_equal(ended_by(has_it), SIGKILL);
    assert_int_equal(ended_by(has_another), SIGTERM);
    (void)close(ends[0]);
    (void)close(other[0]);
    (void)close(other[1]);
}

static void the_start_of_a_process_is_known_until_it_is_reaped(void **state)
{
    siginfo_t info;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(handover_stray_start(pid) >= handover_stray_start(getpid()));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(handover_stray_start(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_has_the_socket_open_and_is_young_enough_is_killed),
        cmocka_unit_test(the_start_of_a_process_is_known_until_it_is_reaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
