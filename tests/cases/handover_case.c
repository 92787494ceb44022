/* handover_case.c - SIGUSR2 replaces demo-server without losing a request, and a bad successor changes nothing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/cases/handover_steps.h"

/* ---- good successors */

static void the_new_executable_serves_and_the_old_process_goes(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t old = stage_server_pid(v), new;

    assert_string_equal(stage_server_version(v), "1");
    stage_server_install(v, "v2");
    new = hand_over(v);
    assert_int_not_equal(new, old);
    wait_for_one(v);
    assert_string_equal(stage_server_version(v), "2");
    assert_int_equal(stage_server_pid(v), new);
}

static void a_request_asleep_through_a_handover_is_answered_by_the_old_process(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int asleep = stage_raw_open(s, v->port[1]);
    pid_t old = stage_server_pid(v);
    const char *answer;

    stage_raw_send(s, asleep, "GET /sleep/?duration=1500ms HTTP/1.1\r\nHost: x\r\n\r\n");
    stage_server_install(v, "v2");
    (void)hand_over(v);
    assert_string_equal(stage_server_version(v), "2");
    answer = stage_raw_answer(s, asleep, 5000);
    assert_non_null(strstr(answer, stage_text(s, "slept for 1500000000 nanoseconds from pid %d.\n", old)));
    assert_non_null(strstr(answer, "Connection: close"));
    wait_for_one(v);
}

static void many_handovers_under_load_lose_no_request_and_both_sides_count_the_same(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    const char *report = stage_text(s, "%s/load.json", s->dir),
               *program = stage_text(s, "%s/tests/load/load", s->build);
    struct stage_proc *load =
        stage_start(s, &(struct stage_spawn){.name = "load",
                                             .argv = (const char *const[]){program, "--report", report, v->url, NULL},
                                             .may_end = true});
    unsigned long long slept = 0, aborted = 0;
    json_t *counted;

    for (int i = 0; i < 6; i++) {
        stage_server_install(v, i % 2 == 0 ? "v2" : "v1");
        (void)hand_over(v);
        /* requests that sleep 2 s still hold the generation before it; never more than three of them */
        wait_for_one(v);
    }
    stage_proc_signal(s, load, SIGTERM);
    assert_int_equal(stage_proc_wait(s, load, 10000), 0);
    stage_server_kill(v, SIGTERM);

    counted = stage_keep(s, json_load_file(report, 0, NULL), (void (*)(void *))json_decref);
    assert_int_equal(stage_json_int(s, counted, "failed"), 0);
    assert_true(stage_json_int(s, counted, "answered") > 500);
    for (const char *at = stage_read(s, v->log); (at = strstr(at, "answered_sleep=")) != NULL; at++)
        slept += strtoull(at + strlen("answered_sleep="), NULL, 10);
    for (const char *at = stage_read(s, v->log); (at = strstr(at, "aborted=")) != NULL; at++)
        aborted += strtoull(at + strlen("aborted="), NULL, 10);
    assert_int_equal(slept, stage_json_int(s, counted, "answered"));
    assert_int_equal(aborted, 0);
}

static void signals_two_milliseconds_apart_leave_one_server(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    struct want w = {.server = v, .old = stage_server_pid(v)};

    for (int i = 0; i < 10; i++) {
        (void)kill(w.old, SIGUSR2);
        (void)usleep(2000);
    }
    stage_wait_until(s, another_serves, &w, 10000, "another process to serve");
    stage_wait_until(s, one_is_left, v, 10000, "one server to be left");
    assert_string_equal(stage_server_version(v), "1");
}

/* ---- bad successors */

struct bad_row {
    const char *what, *variant, *script; /* a build, or a text; neither: nothing is there */
    mode_t mode;
    const char *why;
};

static const struct bad_row bad_rows[] = {
    {"missing", NULL, NULL, 0, "No such file or directory"},
    {"not executable", NULL, "#!/bin/sh\nexit 0\n", 0644, "Permission denied"},
    {"garbage", NULL, "garbage\n", 0755, "Exec format error"},
    {"empty", NULL, "", 0755, "Exec format error"},
    {"without its interpreter", NULL, "#!/no/such/shell\n", 0755, "No such file or directory"},
    {"exits at once", "exit", NULL, 0, "exited with status 1 before it was ready"},
    {"exits with 0", NULL, "#!/bin/sh\nexit 0\n", 0755, "exited with status 0 before it was ready"},
    {"crashes", NULL, "#!/bin/sh\nkill -SEGV $$\n", 0755, "was ended by signal 11"},
    {"closes its pipe", NULL, "#!/bin/sh\nexec 3>&- 4>&- 5>&- 6>&-\nexec sleep 60\n", 0755, "without a word"},
    {"writes nonsense", NULL, "#!/bin/sh\nprintf 'what!\\n' >&6\nexec sleep 60\n", 0755,
     "wrote 'what!?' (6 bytes) to its readiness"},
    {"exits and leaves a child", NULL,
     "#!/bin/sh\nsleep 60 6>&- &\nuntil read -r name </proc/$!/comm && [ \"$name\" = sleep ]; do :; done\nexit 3\n",
     0755, "exited with status 3"},
    {"exits and leaves a session of its own", NULL,
     "#!/bin/bash\nsetsid sleep 60 &\nuntil [ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]; do :; done\nexit 3\n", 0755,
     "exited with status 3"},
    {"hangs with a session of its own", NULL, "#!/bin/sh\n(setsid sh -c 'sleep 60 & exec sleep 60' &)\nexec sleep 60\n",
     0755, "was not ready within"},
    {"hangs with a child", NULL, "#!/bin/sh\nsleep 60 &\nsleep 60\n", 0755, "was not ready within"},
    {"hangs", "hang", NULL, 0, "was not ready within the upgrade timeout"},
    {"hangs and defies SIGTERM", NULL, "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n", 0755, "was not ready within"},
};

static void install_bad(struct stage_server *v, const struct bad_row *row)
{
    (void)unlink(v->exe);
    if (row->variant != NULL)
        stage_server_install(v, row->variant);
    if (row->script != NULL) {
        (void)stage_write(v->stage, v->exe, row->script);
        assert_int_equal(chmod(v->exe, row->mode), 0);
    }
}

static void a_bad_executable_leaves_the_old_one_serving_and_its_reason_in_the_log(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--upgrade-timeout", "3s"), NULL);
    pid_t old;

    old = stage_server_pid(v);
    for (size_t i = 0; i < sizeof bad_rows / sizeof bad_rows[0]; i++) {
        struct stage_kin kin[STAGE_KIN_MAX];
        const char *told;
        unsigned n;

        install_bad(v, &bad_rows[i]);
        assert_int_equal(kill(old, SIGUSR2), 0);
        wait_for_log(v, "event=upgrade-failed", (unsigned)i + 1);
        if (strstr(stage_read(s, v->log), bad_rows[i].why) == NULL)
            fail_msg("%s: no \"%s\" in the log", bad_rows[i].what, bad_rows[i].why);
        told = stage_read(s, stage_text(s, "%s.upgrade", v->pidfile)); /* for the agent */
        if (strncmp(told, "failed ", 7) != 0 || strstr(told, bad_rows[i].why) == NULL)
            fail_msg("%s: PIDFILE.upgrade says %s", bad_rows[i].what, told);
        assert_string_equal(stage_server_version(v), "1");
        assert_int_equal(stage_server_pid(v), old);
        n = stage_kin(s, kin, STAGE_KIN_MAX);
        for (unsigned k = 0; k < n; k++)
            if (kin[k].ppid == old || strstr(kin[k].exe, "sleep") != NULL)
                fail_msg("%s: a %s of the new process is left", bad_rows[i].what, kin[k].zombie ? "zombie" : "child");
    }
    stage_server_install(v, "v2");
    assert_int_not_equal(hand_over(v), old);
    assert_string_equal(stage_server_version(v), "2");
    wait_for_one(v);
    assert_string_equal(stage_read(s, stage_text(s, "%s.upgrade", v->pidfile)),
                        stage_text(s, "done %d\n", stage_server_pid(v)));
}

static void a_signal_while_a_successor_starts_is_refused(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--upgrade-timeout", "1s"), NULL);

    stage_server_install(v, "hang");
    assert_int_equal(kill(stage_server_pid(v), SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 1);
    assert_int_equal(kill(stage_server_pid(v), SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-refused", 1);
    wait_for_log(v, "event=upgrade-failed", 1);
    assert_int_equal(stage_server_pid(v), v->proc->pid);
    assert_int_equal(stage_server_count(v), 1);
}

static void a_start_that_fails_leaves_the_pid_file_of_the_one_that_serves(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    pid_t pid = stage_server_pid(v);
    struct stage_run r =
        stage_run(s, 5000, LIST(v->exe, "--pidfile", v->pidfile, "-a0", "127.0.0.1:0", "-a1", v->peer));

    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "Address already in use"));
    assert_int_equal(stage_server_pid(v), pid);
}

/* ---- the end */

static void sigterm_answers_what_is_in_flight_and_takes_the_pid_file_along(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int asleep = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, asleep, "GET /sleep/?duration=1s HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(kill(stage_server_pid(v), SIGTERM), 0);
    wait_for_log(v, "event=draining", 1);
    assert_true(stage_raw_refused(v->port[0]));
    assert_non_null(strstr(stage_raw_answer(s, asleep, 5000), "slept for 1000000000"));
    stage_wait_until(s, none_is_left, v, 5000, "the server to be gone");
    assert_int_equal(access(v->pidfile, F_OK), -1);
}

static void a_second_sigterm_ends_at_once(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "one", "v1");
    int asleep = stage_raw_open(s, v->port[0]);
    pid_t pid = stage_server_pid(v);

    stage_raw_send(s, asleep, "GET /sleep/?duration=1h HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(kill(pid, SIGTERM), 0);
    wait_for_log(v, "event=draining", 1);
    assert_int_equal(kill(pid, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade-refused", 1); /* not any more */
    wait_for_log(v, "this process is stopping", 1);
    assert_int_equal(kill(pid, SIGTERM), 0);
    stage_wait_until(s, none_is_left, v, 5000, "the server to be gone");
    assert_true(stage_raw_closes(s, asleep, 10000));
    wait_for_log(v, "1 requests were cut short", 1);
}

static void the_drain_limit_cuts_what_is_left_and_says_how_much(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--drain-timeout", "700ms"), NULL);
    int asleep;

    asleep = stage_raw_open(s, v->port[2]);
    stage_raw_send(s, asleep, "GET /sleep/?duration=1h HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)hand_over(v);
    wait_for_one(v);
    wait_for_log(v, "the drain limit is over; 1 connections were closed, 1 requests were cut short", 1);
    assert_true(stage_raw_closes(s, asleep, 10000));
    assert_string_equal(stage_server_version(v), "1");
}

/* ---- sockets from elsewhere */

static void sockets_announced_to_another_process_are_ignored(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "0"), LIST("LISTEN_PID=1", "LISTEN_FDS=3"));

    assert_string_equal(stage_server_version(v), "1");
    (void)hand_over(v);
    assert_string_equal(stage_server_version(v), "1");
    wait_for_one(v);
}

static void an_announced_descriptor_that_is_no_socket_is_an_error(struct stage *s)
{
    const char *exe = stage_server_variant(s, "v1");
    const char *script =
        "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" -a0 127.0.0.1:0 -a1 127.0.0.1:0 -a2 127.0.0.1:0 3</dev/null";
    struct stage_run r = stage_run(s, 5000, (const char *const[]){"/bin/sh", "-c", script, exe, NULL});

    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "the inherited file descriptor 3 is no socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_new_executable_serves_and_the_old_process_goes),
        stage_test(a_request_asleep_through_a_handover_is_answered_by_the_old_process),
        stage_test(many_handovers_under_load_lose_no_request_and_both_sides_count_the_same),
        stage_test(signals_two_milliseconds_apart_leave_one_server),
        stage_test(a_bad_executable_leaves_the_old_one_serving_and_its_reason_in_the_log),
        stage_test(a_signal_while_a_successor_starts_is_refused),
        stage_test(a_start_that_fails_leaves_the_pid_file_of_the_one_that_serves),
        stage_test(sigterm_answers_what_is_in_flight_and_takes_the_pid_file_along),
        stage_test(a_second_sigterm_ends_at_once),
        stage_test(the_drain_limit_cuts_what_is_left_and_says_how_much),
        stage_test(sockets_announced_to_another_process_are_ignored),
        stage_test(an_announced_descriptor_that_is_no_socket_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
