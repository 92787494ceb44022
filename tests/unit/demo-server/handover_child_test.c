#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "demo-server/handover_child.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A successor that is given nothing but its channel, as descriptor 3. */
static void start(struct handover_child *c, const char *script)
{
    static const char shell[] = "/bin/bash";
    char *const argv[] = {(char *)(size_t)shell, "-c", (char *)(size_t)script, NULL}, *const none[] = {NULL};
    sigset_t mask;
    const struct handover_spawn spawn = {.path = shell, .argv = argv, .environment = none, .mask = &mask};
    struct err err = {""};

    (void)sigemptyset(&mask);
    if (!handover_child_start(c, &spawn, 10000, &err))
        fail_msg("%s", err.text);
}

/* Until there is something to tell. */
static enum handover_child_state look(struct handover_child *c)
{
    enum handover_child_state state;

    for (int i = 0; i < 10000; i++) {
        state = handover_child_look(c, "it");
        if (state != HANDOVER_CHILD_WAIT)
            return state;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("nothing for 10 s");
    return HANDOVER_CHILD_WAIT;
}

static void what_a_successor_says_instead_of_ready_has_a_sentence_of_its_own(void **state)
{
    static const struct {
        const char *script, *why;
    } rows[] = {
        {"exec 3>&-; exec sleep 60", "closed its readiness channel without a word"},
        {"printf 'xyzzy\n' >&3; exec sleep 60",
         "wrote 'xyzzy?' (6 bytes) to its readiness channel, which means nothing"},
        {"exec 4>&3; exec python3 -c 'import socket; socket.socket(fileno=3).send(b\"\"); input()' </dev/zero",
         "wrote an empty word to its readiness channel"},
        {"printf Error >&3; exec sleep 60", "cannot execute it: "}, /* an errno, whatever it is */
        {"printf Errors >&3; exec sleep 60", "wrote 'Errors' (6 bytes)"},
        {"exit 4", "exited with status 4 before it was ready"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct handover_child c;

        if (strstr(rows[i].script, "python3") != NULL && access("/usr/bin/python3", X_OK) != 0)
            continue;
        start(&c, rows[i].script);
        assert_int_equal(look(&c), HANDOVER_CHILD_GONE);
        if (strstr(c.why, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].script, c.why);
        assert_int_equal(c.channel_fd, -1);
    }
}

/* By its other end the successor counts how many older processes there are. */
static void one_that_takes_no_connections_keeps_its_channel(void **state)
{
    struct handover_child c;

    (void)state;
    start(&c, "printf R >&3; read -r -t 60 -u 3");
    assert_int_equal(look(&c), HANDOVER_CHILD_READY);
    assert_true(c.channel_fd >= 0);
    assert_int_equal(handover_child_pass(&c, "a0", 0), HANDOVER_CHANNEL_END);
    assert_true(c.channel_fd >= 0);
    (void)kill(c.pid, SIGKILL);
    assert_int_equal(look(&c), HANDOVER_CHILD_GONE);
    assert_int_equal(c.status, SIGKILL);
    assert_int_equal(c.channel_fd, -1);
}

static bool catches_sigterm(pid_t pid)
{
    char path[64], line[256];
    unsigned long long caught = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "SigCgt:", 7) == 0)
            caught = strtoull(line + 7, NULL, 16);
    (void)fclose(f);
    return (caught & 1ULL << (SIGTERM - 1)) != 0;
}

static void one_that_is_asked_to_end_may_still_say_that_it_serves(void **state)
{
    struct handover_child c;

    (void)state;
    start(&c, "trap 'printf R >&3; exit 0' TERM; while :; do sleep 0.01; done");
    for (int i = 0; i < 10000 && !catches_sigterm(c.pid); i++)
        (void)poll(NULL, 0, 1);
    handover_child_ask_to_end(&c, "a stop");
    if (look(&c) == HANDOVER_CHILD_READY)
        assert_int_equal(look(&c), HANDOVER_CHILD_GONE);
    assert_true(c.ready);
    assert_int_equal(c.status, 0);
    assert_string_equal(c.why, "a stop");
}

/* What the environment does not tell: signals that this process has blocked or ignores. */
static void a_successor_starts_with_the_signals_as_they_were(void **state)
{
    struct handover_child c;
    sigset_t ours, before;

    (void)state;
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGUSR2);
    (void)sigaddset(&ours, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &ours, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    start(&c, "while read -r name value; do case $name in SigBlk:|SigIgn:) [ $((16#$value & 0x15a00)) = 0 ] || "
              "exit 9; esac; done </proc/$BASHPID/status; exit 7");
    assert_int_equal(look(&c), HANDOVER_CHILD_GONE);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_true(WIFEXITED(c.status));
    assert_int_equal(WEXITSTATUS(c.status), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_successor_says_instead_of_ready_has_a_sentence_of_its_own),
        cmocka_unit_test(one_that_takes_no_connections_keeps_its_channel),
        cmocka_unit_test(one_that_is_asked_to_end_may_still_say_that_it_serves),
        cmocka_unit_test(a_successor_starts_with_the_signals_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
