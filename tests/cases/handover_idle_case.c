/* handover_idle_case.c - connections on which nothing is under way when the server is replaced: their clients lose
 * nothing, however long they are silent. */
#include "tests/cases/handover_steps.h"

#define IDLE 600 /* more than a channel holds */

static const char *ask(struct stage *s, int fd, const char *bytes)
{
    stage_raw_send(s, fd, bytes);
    return stage_raw_answer(s, fd, 5000);
}

#define FORM_POST                                                                                                      \
    "POST /sleep/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"                          \
    "Content-Length: 12\r\n\r\nduration=1ms"

static void idle_connections_go_to_the_successor_and_stay_open(struct stage *s)
{
    /* A linger that nobody would wait for: whoever is closed was not passed on. */
    struct stage_server *v = start_with(s, LIST("--linger", "1ms"), NULL);
    int fd[IDLE];

    for (int i = 0; i < IDLE; i++) {
        fd[i] = stage_raw_open(s, v->port[i % 3]); /* a third of them have never said a word */
        if (i % 3 == 1)
            (void)ask(s, fd[i], GET("/version"));
        if (i % 3 == 2)
            (void)ask(s, fd[i], FORM_POST);
    }
    for (int g = 0; g < 3; g++) {
        stage_server_install(v, g % 2 == 0 ? "v2" : "v1");
        (void)hand_over(v);
        wait_for_one(v); /* nothing holds the old one up */
        for (int i = 0; i < IDLE; i++) {
            const char *answer = ask(s, fd[i], GET("/version"));

            assert_non_null(strstr(answer, g % 2 == 0 ? "\r\n\r\n2\n" : "\r\n\r\n1\n"));
            assert_null(strstr(answer, "Connection: close"));
        }
    }
}

/* 64 of these are kept aside, a quarter of the others is for what is passed on; the rest is for the listeners. */
#define FILES    256
#define ACCEPTED 144

/* The old process hears that the new one serves only when that one has accepted all that it may, and answered it. */
static void hand_over_to_one_that_is_full(struct stage_server *v, const int waits[ACCEPTED])
{
    struct stage *s = v->stage;
    struct want w = {.server = v, .old = stage_server_pid(v)};
    const char *go = stage_text(s, "%s/go", v->dir);

    (void)stage_write(s, stage_text(s, "%s.new", v->exe),
                      stage_text(s, "#!/bin/bash\nuntil [ -e %s ]; do sleep 0.02; done\nexec -a \"$0\" %s \"$@\"\n", go,
                                 stage_server_variant(s, "v2")));
    assert_int_equal(chmod(stage_text(s, "%s.new", v->exe), 0755), 0);
    assert_int_equal(rename(stage_text(s, "%s.new", v->exe), v->exe), 0);
    assert_int_equal(kill(w.old, SIGUSR2), 0);
    wait_for_log(v, "event=upgrade pid=", 1);
    assert_int_equal(kill(w.old, SIGSTOP), 0);
    (void)stage_write(s, go, "");
    stage_wait_until(s, another_serves, &w, 10000, "another process to serve");
    for (int i = 0; i < ACCEPTED; i++)
        assert_non_null(strstr(stage_raw_answer(s, waits[i], 5000), "\r\n\r\n2\n"));
    assert_int_equal(kill(w.old, SIGCONT), 0);
}

/* All that the successor may accept has been waiting for it: it takes those, and what is passed on is not too much. */
static void at_the_limit_of_open_files_no_connection_is_lost(struct stage *s)
{
    struct stage_server *v = start_limited(s, FILES, LIST("--linger", "1ms"), NULL);
    int idle[ACCEPTED], waits[ACCEPTED];
    unsigned passed = 0;

    for (int i = 0; i < ACCEPTED; i++) {
        idle[i] = stage_raw_open(s, v->port[i % 3]);
        (void)ask(s, idle[i], GET("/version"));
    }
    for (int i = 0; i < ACCEPTED; i++) {
        waits[i] = stage_raw_open(s, v->port[i % 3]);
        stage_raw_send(s, waits[i], GET("/version"));
    }
    hand_over_to_one_that_is_full(v, waits);
    for (int i = 0; i < ACCEPTED; i++) {
        const char *answer = ask(s, idle[i], GET("/version"));

        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        passed += strstr(answer, "\r\n\r\n2\n") != NULL;
    }
    assert_true(passed > 0 && passed < ACCEPTED);
    wait_for_one(v);
    /* And once more: now there is room, and nobody has to speak before the old one goes. */
    stage_server_install(v, "v1");
    (void)hand_over(v);
    wait_for_one(v);
    for (int i = 0; i < ACCEPTED; i++)
        assert_non_null(strstr(ask(s, waits[i], GET("/version")), "\r\n\r\n1\n"));
}

static void part_of_a_request_is_kept_until_it_is_whole(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "1ms"), NULL);
    int line = stage_raw_open(s, v->port[0]), head = stage_raw_open(s, v->port[0]),
        body = stage_raw_open(s, v->port[0]), second = stage_raw_open(s, v->port[0]);
    const char *answer;

    stage_raw_send(s, line, "GET /ver");
    stage_raw_send(s, head, "GET /version HTTP/1.1\r\nHo");
    stage_raw_send(s, body, "POST /version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    stage_raw_send(s, second, GET("/version") "GET /vers");
    assert_non_null(strstr(stage_raw_answer(s, second, 5000), "\r\n\r\n1\n"));
    (void)stage_server_version(v); /* by now all of it has been read */
    stage_server_install(v, "v2");
    (void)hand_over(v);
    wait_for_log(v, "event=draining", 2); /* the server before start_with drained once */

    stage_raw_send(s, line, "sion HTTP/1.1\r\nHost: x\r\n\r\n");
    stage_raw_send(s, head, "st: x\r\n\r\n");
    stage_raw_send(s, second, "ion HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? line : i == 1 ? head : second;

        answer = stage_raw_answer(s, fd, 5000);
        assert_non_null(strstr(answer, "\r\n\r\n1\n"));
        assert_non_null(strstr(answer, "Connection: close"));
        assert_true(stage_raw_closes(s, fd, 5000));
    }
    assert_int_equal(stage_server_count(v), 2);
    assert_non_null(strstr(ask(s, body, "cde"), "HTTP/1.1 405"));
    wait_for_one(v);
}

static void a_client_whose_bytes_cannot_be_counted_is_kept_until_it_speaks(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "1ms"), NULL);
    int chunked = stage_raw_open(s, v->port[0]);
    const char *answer;

    (void)ask(s, chunked,
              "POST /sleep/?duration=1ms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n0\r\n\r\n");
    stage_server_install(v, "v2");
    (void)hand_over(v);
    wait_for_log(v, "event=draining", 2);
    answer = ask(s, chunked, GET("/version"));
    assert_non_null(strstr(answer, "\r\n\r\n1\n"));
    assert_non_null(strstr(answer, "Connection: close"));
    wait_for_one(v);
}

static void without_a_successor_idle_connections_are_heard_within_the_linger_and_then_closed(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "3s"), NULL);
    int speaks = stage_raw_open(s, v->port[0]), silent = stage_raw_open(s, v->port[0]),
        halfway = stage_raw_open(s, v->port[0]);

    assert_null(strstr(ask(s, speaks, GET("/version")), "Connection: close"));
    (void)ask(s, halfway, GET("/version"));
    assert_int_equal(kill(stage_server_pid(v), SIGTERM), 0);
    wait_for_log(v, "event=draining", 2); /* the server before start_with drained once */

    stage_raw_send(s, halfway, "GET /ver");
    assert_non_null(strstr(ask(s, speaks, GET("/version")), "\r\n\r\n1\n"));
    assert_true(stage_raw_closes(s, speaks, 10000));
    assert_true(stage_raw_closes(s, silent, 15000));
    /* Half a request came in during the linger: it gets a linger of its own. */
    assert_non_null(strstr(ask(s, halfway, "sion HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\n1\n"));
    stage_wait_until(s, none_is_left, v, 5000, "the server to be gone");
}

static void a_successor_that_takes_no_connections_leaves_them_to_the_old_process(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "1ms", "--drain-timeout", "3s"), NULL);
    int speaks = stage_raw_open(s, v->port[0]), silent = stage_raw_open(s, v->port[0]);
    struct want w = {.server = v};

    (void)ask(s, speaks, GET("/version"));
    (void)ask(s, silent, GET("/version"));
    /* As gracehttp's would be: ready, and nothing else. It is started by its own path, so it is not ours to hand over.
     */
    (void)stage_write(s, stage_text(s, "%s.new", v->exe), "#!/bin/sh\nprintf R >&6\nexec sleep 30 6>&-\n");
    assert_int_equal(chmod(stage_text(s, "%s.new", v->exe), 0755), 0);
    assert_int_equal(rename(stage_text(s, "%s.new", v->exe), v->exe), 0);
    w.old = stage_server_pid(v);
    assert_int_equal(kill(w.old, SIGUSR2), 0);
    wait_for_log(v, "event=draining", 2);
    assert_non_null(strstr(ask(s, speaks, GET("/version")), "Connection: close"));
    wait_for_log(v, "the drain limit is over; 1 connections were closed, 0 requests were cut short", 1);
    assert_true(stage_raw_closes(s, silent, 10000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(idle_connections_go_to_the_successor_and_stay_open),
        stage_test(at_the_limit_of_open_files_no_connection_is_lost),
        stage_test(part_of_a_request_is_kept_until_it_is_whole),
        stage_test(a_client_whose_bytes_cannot_be_counted_is_kept_until_it_speaks),
        stage_test(without_a_successor_idle_connections_are_heard_within_the_linger_and_then_closed),
        stage_test(a_successor_that_takes_no_connections_leaves_them_to_the_old_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
