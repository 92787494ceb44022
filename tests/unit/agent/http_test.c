/* http_test.c - what the agent takes for a request, and what it refuses because somebody in front might read it
 * otherwise. */
#include "agent/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOST "Host: a\r\n"
#define GET  "GET /v1 HTTP/1.1\r\n"

static struct http_head head;
static char copy[HTTP_HEAD_MAX + 1];

/* Bytes with their NULs. 0: taken; else the status. `step` bytes come at a time. */
static unsigned read_head(const char *bytes, size_t size, size_t step)
{
    struct http_scan scan = {0};
    enum http_verdict verdict = HTTP_MORE;
    const char *why = "";
    unsigned status = 0;
    size_t used = 0;

    assert_true(size < sizeof copy);
    for (size_t there = step < size ? step : size; verdict == HTTP_MORE;
         there = there + step < size ? there + step : size) {
        verdict = http_scan(&scan, bytes, there, &used, &why);
        if (there == size)
            break;
    }
    if (verdict != HTTP_WHOLE)
        return verdict == HTTP_BAD ? 400 : 1;
    memcpy(copy, bytes, used);
    return http_head_read(copy, used, &head, &status, &why) ? 0 : status;
}

#define READ(text) read_head(text, sizeof(text) - 1, sizeof(text))

static void a_plain_head_is_read(void **state)
{
    (void)state;
    assert_int_equal(READ("PUT /v1/a%2fb?x=1%20+&y&z= HTTP/1.1\r\nhost:a:80\r\nCONTENT-length: 12 \r\n"
                          "Connection: x, Close\r\nExpect: 100-continue\r\n\r\nGET"),
                     0);
    assert_string_equal(head.method, "PUT");
    assert_string_equal(head.path, "/v1/a/b");
    assert_int_equal(head.arg_count, 3);
    assert_string_equal(head.args[0].value, "1  ");
    assert_null(head.args[1].value);
    assert_string_equal(head.args[2].value, "");
    assert_int_equal(head.length, 12);
    assert_true(head.closes && head.expects && !head.chunked);
    assert_string_equal(http_header(&head, "HOST"), "a:80");
    assert_null(http_header(&head, "X"));
    assert_int_equal(READ(GET HOST "Transfer-Encoding:\tChunked\r\n\r\n"), 0);
    assert_true(head.chunked);
}

static const struct {
    const char *bytes;
    size_t size;
    unsigned status; /* 1: more would have to come */
} BAD[] = {
#define ROW(status, text)                                                                                              \
    {                                                                                                                  \
        text, sizeof(text) - 1, status                                                                                 \
    }
    ROW(1, ""),
    ROW(1, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r"),
    ROW(400, "\r\n"),
    ROW(400, "GET /v1 HTTP/1.1\nHost: a\n\n"),
    ROW(400, "GET /v1 HTTP/1.1\nHost: a\r\n\r\n"),
    ROW(400, GET "Host: a\nX: y\r\n\r\n"),
    ROW(400, GET HOST "\n"),
    ROW(400, GET "Host: a\r\r\n\r\n"),
    ROW(400, GET HOST "X: a\rb: c\r\n\r\n"),
    ROW(400, GET HOST "X: a\r\n b\r\n\r\n"),
    ROW(400, GET HOST "X: a\r\n\tb\r\n\r\n"),
    ROW(400, GET " Host: a\r\n" HOST "\r\n"),
    ROW(400, GET HOST "X : a\r\n\r\n"),
    ROW(400, GET HOST "X\t: a\r\n\r\n"),
    ROW(400, GET HOST ": a\r\n\r\n"),
    ROW(400, GET HOST "X\r\n\r\n"),
    ROW(400, GET HOST "X\0Y: a\r\n\r\n"),
    ROW(400, GET "Host: a\0b\r\n\r\n"),
    ROW(400, GET "Host: a\x7f\r\n\r\n"),
    ROW(400, GET HOST "X\x80: a\r\n\r\n"),
    ROW(400, "GET /v1\0/x HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, GET "\r\n"),
    ROW(400, GET HOST HOST "\r\n"),
    ROW(400, GET "Host:\r\n\r\n"),
    ROW(400, GET "Host: a, b\r\n\r\n"),
    ROW(400, GET "Host: a@b\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: +2\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: -2\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: 0x2\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: 2, 2\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: 2 3\r\n\r\n"),
    ROW(400, GET HOST "Content-Length:\r\n\r\n"),
    ROW(413, GET HOST "Content-Length: 18446744073709551618\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n"),
    ROW(400, GET HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ROW(400, GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ROW(400, GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ROW(400, GET HOST "Transfer-Encoding: identity\r\n\r\n"),
    ROW(400, GET HOST "Transfer-Encoding: chunked;q=1\r\n\r\n"),
    ROW(417, GET HOST "Expect: nothing\r\n\r\n"),
    ROW(400, "GET /v1\r\n\r\n"),
    ROW(505, "GET /v1 HTTP/1.0\r\n" HOST "\r\n"),
    ROW(505, "GET /v1 HTTP/2.0\r\n" HOST "\r\n"),
    ROW(505, "GET /v1 HTTP/1.1 \r\n" HOST "\r\n"),
    ROW(400, "GET /v1 http/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET  /v1 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1  HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET\t/v1 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "get /v1 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GETGETGETGETGETGET /v1 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET http://b/v1 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1#x HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1\x80 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1%00 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1%0 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1?a=%zz HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "GET /v1?a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a HTTP/1.1\r\n" HOST "\r\n"),
#undef ROW
};

static void a_head_that_two_might_read_differently_is_refused_however_it_comes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        for (size_t step = 1; step <= 64; step += 9) {
            unsigned status = read_head(BAD[i].bytes, BAD[i].size, step);
            if (status != BAD[i].status)
                fail_msg("%u instead of %u, %zu bytes at a time: %s", status, BAD[i].status, step, BAD[i].bytes);
        }
    }
}

static void headers_beyond_count_are_refused(void **state)
{
    char text[HTTP_HEAD_MAX] = GET HOST;

    (void)state;
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        (void)strcat(text, "X: y\r\n");
    (void)strcat(text, "\r\n");
    assert_int_equal(read_head(text, strlen(text), sizeof text), 431);
}

/* The whole body and *end, how many bytes it took; -1: refused; -2: more would have to come. */
static int read_chunks(const char *bytes, size_t size, size_t step, char *body)
{
    struct http_chunks chunks = {0};
    size_t at = 0, there = 0;

    body[0] = '\0';
    while (there < size) {
        there = there + step < size ? there + step : size;
        while (at < there) {
            const char *piece;
            size_t used, piece_size;
            enum http_verdict verdict = http_chunks_read(&chunks, bytes + at, there - at, &used, &piece, &piece_size);
            (void)strncat(body, piece, piece_size);
            at += used;
            if (verdict != HTTP_MORE)
                return verdict == HTTP_BAD ? -1 : (int)at;
        }
    }
    return -2;
}

static void chunks_become_a_body_and_only_plain_ones(void **state)
{
    static const struct {
        const char *bytes, *body;
        int end;
    } rows[] = {
        {"0\r\n\r\nGET", "", 5},
        {"2\r\nab\r\n003\r\ncde\r\n0\r\n\r\nG", "abcde", 22},
        {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 20},
        {"2\r\nab\r\n0\r\n\r", NULL, -2},
        {"2\r\na", NULL, -2},
        {"2\nab\r\n0\r\n\r\n", NULL, -1},
        {"2\r\nab\n0\r\n\r\n", NULL, -1},
        {"2\r\nabc\r\n0\r\n\r\n", NULL, -1},
        {"2;x=y\r\nab\r\n0\r\n\r\n", NULL, -1},
        {"2 \r\nab\r\n0\r\n\r\n", NULL, -1},
        {" 2\r\nab\r\n0\r\n\r\n", NULL, -1},
        {"0x2\r\nab\r\n0\r\n\r\n", NULL, -1},
        {"-2\r\nab\r\n0\r\n\r\n", NULL, -1},
        {"\r\nab\r\n0\r\n\r\n", NULL, -1},
        {"FFFFFFFFF\r\nab", NULL, -1},
        {"000000002\r\nab", NULL, -1},
        {"0\r\nHost: b\r\n\r\n", NULL, -1},
    };
    char body[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 24; step += 3) {
            int end = read_chunks(rows[i].bytes, strlen(rows[i].bytes), step, body);
            if (end != rows[i].end || (end >= 0 && strcmp(body, rows[i].body) != 0))
                fail_msg("%d \"%s\" instead of %d, %zu bytes at a time: %s", end, body, rows[i].end, step,
                         rows[i].bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_head_is_read),
        cmocka_unit_test(a_head_that_two_might_read_differently_is_refused_however_it_comes),
        cmocka_unit_test(headers_beyond_count_are_refused),
        cmocka_unit_test(chunks_become_a_body_and_only_plain_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
