/* handover_unix_case.c - clients of Unix sockets, of whose bytes nobody keeps count: who has spoken is kept, who has
 * not holds nothing up. */
#include "tests/cases/handover_steps.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FILES    128 /* 64 of these are kept aside, a quarter of the others is for what is passed on: */
#define ACCEPTED 16  /* 48 for three listeners */

struct place {
    struct stage *stage;
    char folder[32]; /* the stage's may be too long for a socket's address */
    const char *path;
};

static void place_clear(void *place)
{
    const struct place *p = place;

    (void)unlink(p->path);
    (void)rmdir(p->folder);
}

static struct place *place_new(struct stage *s)
{
    struct place *p = stage_alloc(s, sizeof *p);

    *p = (struct place){.stage = s, .folder = "/tmp/handover.XXXXXX"};
    assert_non_null(mkdtemp(p->folder));
    p->path = stage_text(s, "%s/s", p->folder);
    (void)stage_keep(s, p, place_clear);
    return p;
}

static struct stage_server *start_unix(struct place *p, unsigned files, const char *linger)
{
    return start_limited(p->stage, files, LIST("--linger", linger, "-a2", stage_text(p->stage, "unix:%s", p->path)),
                         NULL);
}

static void close_kept(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

static int come(const struct place *p)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, p->path, strlen(p->path));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        stage_fail(p->stage, "cannot connect to %s", p->path);
    (void)stage_keep(p->stage, (void *)(intptr_t)fd, close_kept);
    return fd;
}

static const char *ask(const struct place *p, int fd, const char *bytes)
{
    stage_raw_send(p->stage, fd, bytes);
    return stage_raw_answer(p->stage, fd, 5000);
}

static void who_has_spoken_is_kept_until_it_speaks_again(struct stage *s)
{
    struct place *p = place_new(s);
    struct stage_server *v = start_unix(p, 0, "1ms");
    int idle = come(p), line = come(p), head = come(p), second = come(p), probe = come(p);

    assert_non_null(strstr(ask(p, idle, GET("/version")), "\r\n\r\n1\n"));
    stage_raw_send(s, line, "GET /ver");
    stage_raw_send(s, head, "GET /version HTTP/1.1\r\nHo");
    assert_non_null(strstr(ask(p, second, GET("/version") "GET /vers"), "\r\n\r\n1\n"));
    assert_non_null(strstr(ask(p, probe, GET("/version")), "\r\n\r\n1\n")); /* by now all of it has been read */
    assert_int_equal(shutdown(probe, SHUT_RDWR), 0);
    stage_server_install(v, "v2");
    (void)hand_over(v);
    wait_for_log(v, "event=draining", 2); /* the server before drained once */

    assert_non_null(strstr(ask(p, come(p), GET("/version")), "\r\n\r\n2\n"));
    assert_false(stage_raw_closes(s, line, 300)); /* some sweeps later */
    assert_int_equal(stage_server_count(v), 2);
    assert_non_null(strstr(ask(p, line, "sion HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\n1\n"));
    assert_non_null(strstr(ask(p, head, "st: x\r\n\r\n"), "\r\n\r\n1\n"));
    assert_non_null(strstr(ask(p, second, "ion HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\n1\n"));
    assert_non_null(strstr(ask(p, idle, GET("/version")), "Connection: close"));
    wait_for_one(v);
    stage_server_kill(v, SIGTERM);
}

static void who_never_sent_a_byte_goes_to_the_successor_and_holds_nothing_up(struct stage *s)
{
    struct place *p = place_new(s);
    struct stage_server *v = start_unix(p, 0, "1ms");
    int silent[40];

    for (int i = 0; i < 40; i++)
        silent[i] = come(p);
    for (int g = 0; g < 3; g++) {
        stage_server_install(v, g % 2 == 0 ? "v2" : "v1");
        (void)hand_over(v);
        wait_for_one(v);
    }
    for (int i = 0; i < 40; i++) {
        const char *answer = ask(p, silent[i], GET("/version"));

        assert_non_null(strstr(answer, "\r\n\r\n2\n"));
        assert_null(strstr(answer, "Connection: close"));
    }
    stage_server_kill(v, SIGTERM);
}

static void at_a_stop_the_silent_are_heard_within_the_linger_and_then_closed(struct stage *s)
{
    struct place *p = place_new(s);
    struct stage_server *v = start_unix(p, 0, "2s");
    int speaks = come(p), silent = come(p);

    assert_non_null(strstr(ask(p, come(p), GET("/version")), "\r\n\r\n1\n")); /* both have been accepted */
    assert_int_equal(kill(stage_server_pid(v), SIGTERM), 0);
    wait_for_log(v, "event=draining", 2);
    assert_non_null(strstr(ask(p, speaks, GET("/version")), "Connection: close"));
    assert_true(stage_raw_closes(s, silent, 10000));
    stage_wait_until(s, none_is_left, v, 5000, "the server to be gone");
    assert_int_equal(log_count(v, "event=drain-cut"), 0);
}

static bool connections_are_one(void *ctx)
{
    struct stage_server *v = ctx;
    const struct stage_answer *a = stage_http(v->stage, "GET", stage_text(v->stage, "%s/stats", v->url), NULL, NULL);

    return stage_json_int(v->stage, a->json, "connections") == 1; /* that of the question */
}

static void who_leaves_without_a_word_is_noticed(struct stage *s)
{
    struct place *p = place_new(s);
    struct stage_server *v = start_unix(p, 0, "1ms");
    int halves = come(p);

    assert_int_equal(shutdown(halves, SHUT_WR), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(shutdown(come(p), SHUT_RDWR), 0);
    assert_true(stage_raw_closes(s, halves, 5000));
    stage_wait_until(s, connections_are_one, v, 5000, "the server to forget them");
    stage_server_kill(v, SIGTERM);
}

/* The silent take all the places: others wait, as they do at a TCP listener, and are served when those go. */
static void the_limit_of_connections_holds_for_the_silent(struct stage *s)
{
    struct place *p = place_new(s);
    struct stage_server *v = start_unix(p, FILES, "1ms");
    int silent[ACCEPTED], waits;

    for (int i = 0; i < ACCEPTED; i++)
        silent[i] = come(p);
    waits = come(p);
    stage_raw_send(s, waits, GET("/version"));
    assert_string_equal(stage_server_version(v), "1"); /* TCP is not concerned; all turns have been taken */
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(recv(waits, &(char){0}, 1, MSG_DONTWAIT), -1);
    assert_non_null(strstr(ask(p, silent[0], GET("/version")), "\r\n\r\n1\n"));
    assert_int_equal(recv(waits, &(char){0}, 1, MSG_DONTWAIT), -1); /* that one is still there */
    assert_int_equal(shutdown(silent[1], SHUT_RDWR), 0);
    assert_non_null(strstr(stage_raw_answer(s, waits, 5000), "\r\n\r\n1\n"));
    stage_server_kill(v, SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(who_has_spoken_is_kept_until_it_speaks_again),
        stage_test(who_never_sent_a_byte_goes_to_the_successor_and_holds_nothing_up),
        stage_test(at_a_stop_the_silent_are_heard_within_the_linger_and_then_closed),
        stage_test(who_leaves_without_a_word_is_noticed),
        stage_test(the_limit_of_connections_holds_for_the_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
