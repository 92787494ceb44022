/* handover_drain_case.c - what a process that drains owes: an answer to all that was sent before it says "close", and
 * an end soon when it is told to stop as well. */
#include "tests/cases/handover_steps.h"

#define LINGER   "300ms"
#define STOPS_MS 5000 /* a linger and a little; far below the drain limit of a minute */
#define SLEEP    "GET /sleep/?duration=500ms HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- pipelining */

/* The last of them says "close", and nothing but the end comes behind it. */
static void take_answers(struct stage *s, int fd, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        const char *answer = stage_raw_answer(s, fd, 5000);

        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        assert_int_equal(strstr(answer, "Connection: close") != NULL, i == count);
    }
    assert_true(stage_raw_closes(s, fd, 5000));
}

static bool is_asleep(void *ctx)
{
    struct stage_server *v = ctx;
    const struct stage_answer *a = stage_http(v->stage, "GET", stage_text(v->stage, "%s/stats", v->url), NULL, NULL);

    return stage_json_int(v->stage, a->json, "sleeping") == 1;
}

static int pipeline(struct stage_server *v)
{
    int fd = stage_raw_open(v->stage, v->port[1]);

    stage_raw_send(v->stage, fd, SLEEP GET("/version") GET("/healthz"));
    stage_wait_until(v->stage, is_asleep, v, 5000, "the request to sleep");
    return fd;
}

static void pipelined_requests_are_answered_through_a_handover(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", LINGER), NULL);
    int fd = pipeline(v);

    (void)hand_over(v);
    take_answers(s, fd, 3);
    wait_for_one(v);
}

static void pipelined_requests_are_answered_through_a_stop(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", LINGER), NULL);
    int fd = pipeline(v);

    assert_int_equal(kill(stage_server_pid(v), SIGTERM), 0);
    take_answers(s, fd, 3);
    stage_wait_until(s, none_is_left, v, STOPS_MS, "the server to be gone");
}

/* The blank line looks like more, once. */
static void a_client_that_sends_blank_lines_is_told_to_go_as_well(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", LINGER), NULL);
    int fd = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, fd, GET("/version") "\r\n");
    (void)stage_raw_answer(s, fd, 5000);
    (void)hand_over(v);
    wait_for_log(v, "event=draining", 2); /* the server before start_with drained once */
    stage_raw_send(s, fd, GET("/version") "\r\n");
    (void)stage_raw_answer(s, fd, 5000);
    stage_raw_send(s, fd, GET("/version") "\r\n");
    take_answers(s, fd, 1);
    wait_for_one(v);
}

/* ---- a stop during the drain for a successor */

/* It cannot be passed on: that a blank line was all of it is not known. */
static int idle_with_a_blank_line(struct stage_server *v)
{
    int fd = stage_raw_open(v->stage, v->port[0]);

    stage_raw_send(v->stage, fd, GET("/version") "\r\n");
    assert_non_null(strstr(stage_raw_answer(v->stage, fd, 5000), "HTTP/1.1 200"));
    return fd;
}

static void a_stop_of_both_after_an_upgrade_takes_no_longer_than_the_linger(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", LINGER), NULL);
    int fd = idle_with_a_blank_line(v);
    pid_t old = stage_server_pid(v), new = hand_over(v);

    wait_for_log(v, "event=draining", 2);
    assert_int_equal(stage_server_count(v), 2); /* the idle client is kept */
    assert_int_equal(kill(old, SIGTERM), 0);
    assert_int_equal(kill(new, SIGTERM), 0);
    stage_wait_until(s, none_is_left, v, STOPS_MS, "both to be gone");
    assert_true(stage_raw_closes(s, fd, 5000));
    assert_int_equal(log_count(v, "event=drain-cut"), 0);
}

static void a_client_is_heard_within_the_linger_of_a_stop_after_an_upgrade(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "3s"), NULL);
    int fd = idle_with_a_blank_line(v);
    pid_t old = stage_server_pid(v);

    (void)hand_over(v);
    wait_for_log(v, "event=draining", 2);
    assert_int_equal(kill(old, SIGTERM), 0);
    wait_for_log(v, "event=stopping", 2);
    stage_raw_send(s, fd, GET("/version"));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "\r\n\r\n1\n"));
    wait_for_one(v);
}

static void the_end_of_the_successor_ends_the_drain_with_the_linger(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", LINGER), NULL);
    int fd = idle_with_a_blank_line(v);
    pid_t new = hand_over(v);

    wait_for_log(v, "event=draining", 2);
    assert_int_equal(kill(new, SIGKILL), 0);
    stage_wait_until(s, none_is_left, v, STOPS_MS, "the old one to be gone");
    assert_true(stage_raw_closes(s, fd, 5000));
    wait_for_log(v, "event=successor-ended", 1);
}

/* It ends because a third one serves: that is no reason to hurry. */
static void a_successor_that_hands_over_in_its_turn_changes_nothing(struct stage *s)
{
    struct stage_server *v = start_with(s, LIST("--linger", "1ms"), NULL);
    int fd = stage_raw_open(s, v->port[0]);

    stage_raw_send(s, fd, "GET /ver");
    assert_string_equal(stage_server_version(v), "1"); /* by now that has been read */
    stage_server_install(v, "v2");
    (void)hand_over(v);
    (void)hand_over(v);
    wait_for_log(v, "event=successor-ended", 1);
    assert_false(stage_raw_closes(s, fd, 300)); /* some sweeps later */
    stage_raw_send(s, fd, "sion HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "\r\n\r\n1\n"));
    wait_for_one(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(pipelined_requests_are_answered_through_a_handover),
        stage_test(pipelined_requests_are_answered_through_a_stop),
        stage_test(a_client_that_sends_blank_lines_is_told_to_go_as_well),
        stage_test(a_stop_of_both_after_an_upgrade_takes_no_longer_than_the_linger),
        stage_test(a_client_is_heard_within_the_linger_of_a_stop_after_an_upgrade),
        stage_test(the_end_of_the_successor_ends_the_drain_with_the_linger),
        stage_test(a_successor_that_hands_over_in_its_turn_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
