#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo-server/handover_env.h"

#define SELF     4711
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void sockets_meant_for_us_are_counted_and_named(void **state)
{
    char *env[] = {"PATH=/bin", "LISTEN_FDS=3", "LISTEN_PID=4711", "LISTEN_FDNAMES=a0::a2", "HANDOVER_READY_FD=6",
                   NULL};
    struct handover_env got;

    (void)state;
    assert_true(handover_env_read(env, SELF, &got, NULL));
    assert_int_equal(got.count, 3);
    assert_int_equal(got.ready_fd, 6);
    assert_string_equal(got.names[0], "a0");
    assert_string_equal(got.names[1], "");
    assert_string_equal(got.names[2], "a2");
}

static void sockets_meant_for_another_process_are_ignored(void **state)
{
    static char *envs[][4] = {
        {NULL},
        {"LISTEN_FDS=3", NULL}, /* gracehttp's, without a pid: nobody knows whose they are */
        {"LISTEN_FDS=3", "LISTEN_PID=1", "HANDOVER_READY_FD=6", NULL},
        {"LISTEN_FDS=nonsense", "LISTEN_PID=47110", NULL},
        {"LISTEN_PID=4711", NULL},
        {"LISTEN_FDS=0", "LISTEN_PID=4711", "LISTEN_FDNAMES=", NULL},
        {"XLISTEN_FDS=3", "LISTEN_PID=4711", NULL},
        {"LISTEN_FDS=3", "LISTEN_PID=me", NULL},
        {"LISTEN_FDS=3", "LISTEN_PID=", NULL},
        {"LISTEN_FDS=3", "LISTEN_PID=99999999999999999999", NULL},
        {"HANDOVER_INIT=1", NULL},
        {"HANDOVER_INIT=1", "LISTEN_FDS=0", "LISTEN_PID=1", NULL},
        {"HANDOVER_INIT=1", "LISTEN_FDS=0", "LISTEN_PID=4711", NULL}, /* no predecessor says it */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(envs); i++) {
        struct handover_env got;

        assert_true(handover_env_read(envs[i], SELF, &got, NULL));
        assert_int_equal(got.count, 0);
        assert_int_equal(got.ready_fd, -1);
        assert_false(got.init);
    }
}

static void a_wrong_announcement_is_refused_with_its_reason(void **state)
{
    static const struct {
        char *env[6];
        const char *why;
    } rows[] = {
        {{"LISTEN_FDS=x", "LISTEN_PID=4711"}, "LISTEN_FDS=x is no number"},
        {{"LISTEN_FDS=-1", "LISTEN_PID=4711"}, "LISTEN_FDS=-1 is no number"},
        {{"LISTEN_FDS=65", "LISTEN_PID=4711"}, "from 0 to 64"},
        {{"LISTEN_FDS=", "LISTEN_PID=4711"}, "is no number"},
        {{"LISTEN_FDS=1", "LISTEN_PID=4711", "LISTEN_FDNAMES=a:b"}, "more names"},
        {{"LISTEN_FDS=2", "LISTEN_PID=4711", "HANDOVER_READY_FD=4"}, "behind the 2 sockets"},
        {{"LISTEN_FDS=2", "LISTEN_PID=4711", "HANDOVER_READY_FD=x"}, "HANDOVER_READY_FD=x"},
        {{"LISTEN_FDS=1", "LISTEN_PID=4711", "HANDOVER_READY_FD=4", "HANDOVER_OLDER=2"},
         "HANDOVER_OLDER=2 is no number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct handover_env got;
        struct err err = {""};

        assert_false(handover_env_read(rows[i].env, SELF, &got, &err));
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s", err.text);
    }
}

static void a_successor_gets_the_environment_unchanged_and_reads_its_sockets(void **state)
{
    char *env[] = {"A=1", "LISTEN_FDS=9",     "B=", "LISTEN_PID=1", "LISTEN_FDNAMES=x", "HANDOVER_READY_FD=9",
                   "C=3", "HANDOVER_OLDER=9", NULL};
    const char *names[] = {"a0", "a1"};
    const struct handover_env_next next = {names, 2, 1, true, "/srv/current/app"};
    struct handover_env got;
    char *pid_at, **made = handover_env_make(env, &next, &pid_at);

    (void)state;
    assert_non_null(made);
    handover_env_set_pid(pid_at, SELF);
    assert_string_equal(made[0], "A=1");
    assert_string_equal(made[1], "B=");
    assert_string_equal(made[2], "C=3");
    for (size_t i = 3; i < 10; i++)
        assert_true(handover_env_is_ours(made[i]));
    assert_null(made[10]);
    assert_true(handover_env_read(made, SELF, &got, NULL));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.ready_fd, HANDOVER_FD_FIRST + 2);
    assert_string_equal(got.names[1], "a1");
    assert_int_equal(got.older, 1);
    assert_true(got.init);
    assert_string_equal(got.exe, "/srv/current/app");
    free(made);
}

static void any_pid_is_written_whole(void **state)
{
    static const pid_t pids[] = {1, 10, 4711, 4194304, INT32_MAX};
    const struct handover_env_next next = {NULL, 0, 0, false, NULL};
    char *none[] = {NULL}, want[32];

    (void)state;
    for (size_t i = 0; i < COUNT(pids); i++) {
        char *pid_at, **made = handover_env_make(none, &next, &pid_at);

        handover_env_set_pid(pid_at, pids[i]);
        (void)snprintf(want, sizeof want, "LISTEN_PID=%d", pids[i]);
        assert_string_equal(made[3], want);
        free(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_meant_for_us_are_counted_and_named),
        cmocka_unit_test(sockets_meant_for_another_process_are_ignored),
        cmocka_unit_test(a_wrong_announcement_is_refused_with_its_reason),
        cmocka_unit_test(a_successor_gets_the_environment_unchanged_and_reads_its_sockets),
        cmocka_unit_test(any_pid_is_written_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
