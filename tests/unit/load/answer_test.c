/* What the load client takes for an answer, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/load/answer.h"

#define LINE                                                                                                           \
    "Zero   started at 2026-11-22 17:00:00.123456789 +0000 UTC slept for 1000000000 nanoseconds from pid 4711.\n"
#define HEAD "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 106\r\n\r\n"

/* The state after all of `text`, given in pieces of `piece` bytes. */
static enum answer_state feed(struct answer *a, const char *text, size_t piece)
{
    enum answer_state state = ANSWER_NOTHING;
    size_t size = strlen(text);

    answer_reset(a);
    while (size > 0) {
        size_t n = size < piece ? size : piece, room;
        char *at;

        answer_room(a, &at, &room);
        assert_true(room >= n);
        memcpy(at, text, n);
        state = answer_took(a, n);
        if (state == ANSWER_BAD)
            return state;
        text += n;
        size -= n;
    }
    return state;
}

static void the_seeds_line_is_right_however_it_is_cut(void **state)
{
    struct answer a;

    (void)state;
    assert_int_equal(strlen(LINE), 106);
    for (size_t piece = 1; piece < 200; piece++) {
        assert_int_equal(feed(&a, HEAD LINE, piece), ANSWER_WHOLE);
        assert_int_equal(a.status, 200);
        assert_false(a.closes);
        assert_true(answer_is_sleep(&a, 1000));
        assert_false(answer_is_sleep(&a, 2000));
    }
}

static void what_is_not_a_plain_answer_is_bad_or_partial(void **state)
{
    static const struct {
        const char *text;
        enum answer_state want;
    } rows[] = {
        {"", ANSWER_NOTHING},
        {"H", ANSWER_PARTIAL},
        {HEAD, ANSWER_PARTIAL},
        {HEAD "Zero", ANSWER_PARTIAL},
        {HEAD LINE "x", ANSWER_BAD},
        {"SSH-2.0\r\n\r\n", ANSWER_BAD},
        {"HTTP/1.1 200 OK\r\n\r\n", ANSWER_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", ANSWER_BAD},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ANSWER_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", ANSWER_BAD},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", ANSWER_WHOLE},
    };
    struct answer a;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(feed(&a, rows[i].text, 1000), rows[i].want);
    assert_int_equal(a.status, 502);
}

static void another_body_is_not_the_seeds_line(void **state)
{
    static const char *const rows[] = {
        "Content-Length: 2\r\n\r\nno",
        "Content-Length: 106\r\n\r\nThird  started at 2026-11-22 17:00:00.123456789 +0000 UTC slept for 1000000000 "
        "nanoseconds from pid 4711.\n",
        "Content-Length: 106\r\n\r\nZero   started at 2026-11-22 17:00:00.123456789 +0000 UTC slept for 1000000000 "
        "nanoseconds from pid 4711.x",
        "Content-Length: 105\r\n\r\nZero   started at 2026-11-22 17:00:00.123456789 +0000 UTC slept for 1000000000 "
        "nanoseconds from pid 4711.",
    };
    struct answer a;
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s", rows[i]);
        assert_int_equal(feed(&a, text, 1000), ANSWER_WHOLE);
        assert_false(answer_is_sleep(&a, 1000));
    }
}

static void an_announced_close_is_seen(void **state)
{
    struct answer a;

    (void)state;
    assert_int_equal(feed(&a, "HTTP/1.1 200 OK\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n", 7), ANSWER_WHOLE);
    assert_true(a.closes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_line_is_right_however_it_is_cut),
        cmocka_unit_test(what_is_not_a_plain_answer_is_bad_or_partial),
        cmocka_unit_test(another_body_is_not_the_seeds_line),
        cmocka_unit_test(an_announced_close_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
