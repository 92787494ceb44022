/* frame_test.c - what the halves say to each other comes out as it went in, and nothing else comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/frame.h"

static struct frame as_frame(enum frame_kind kind, const uint8_t *payload, size_t size)
{
    return (struct frame){.kind = kind, .id = 1, .size = size, .payload = payload};
}

static void a_header_comes_out_as_it_went_in(void **state)
{
    static const struct frame frames[] = {
        {.kind = FRAME_HELLO, .id = 0, .size = FRAME_HELLO_SIZE},
        {.kind = FRAME_HEAD, .id = 1, .size = FRAME_HEAD_MAX},
        {.kind = FRAME_BODY, .id = UINT32_MAX, .size = FRAME_PIECE_MAX},
        {.kind = FRAME_END, .id = 7, .size = 0},
        {.kind = FRAME_CANCEL, .id = 7, .size = 0},
        {.kind = FRAME_ANSWER, .id = 7, .size = FRAME_ANSWER_HEAD + FRAME_ANSWER_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        uint8_t bytes[FRAME_HEADER];
        struct frame got;

        frame_put_header(&frames[i], bytes);
        assert_true(frame_get_header(bytes, &got));
        assert_int_equal(got.kind, frames[i].kind);
        assert_int_equal(got.id, frames[i].id);
        assert_int_equal(got.size, frames[i].size);
    }
}

static void a_header_with_another_size_id_kind_or_rest_is_none(void **state)
{
    static const uint8_t bad[][FRAME_HEADER] = {
        {0, 0, 0, 0, 0, 0, 0, 1, 0},                          /* no kind */
        {0, 0, 0, 0, 0, 0, 0, 1, FRAME_ANSWER + 1},           /* no kind */
        {0, 0, 0, 1, 0, 0, 0, 1, FRAME_END},                  /* a payload where there is none */
        {0, 0, 0, 0, 0, 0, 0, 1, FRAME_BODY},                 /* none where there must be one */
        {0, 1, 0, 1, 0, 0, 0, 1, FRAME_BODY},                 /* more than a piece */
        {0, 0, 0x40, 1, 0, 0, 0, 1, FRAME_HEAD},              /* more than a head */
        {0, 0x40, 0, 5, 0, 0, 0, 1, FRAME_ANSWER},            /* more than an answer */
        {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, FRAME_ANSWER},   /* far more */
        {0, 0, 0, 0, 0, 0, 0, 0, FRAME_END},                  /* no id */
        {0, 0, 0, FRAME_HELLO_SIZE, 0, 0, 0, 1, FRAME_HELLO}, /* one where there is none */
        {0, 0, 0, 0, 0, 0, 0, 1, FRAME_END, 1},               /* not zero */
        {0, 0, 0, 0, 0, 0, 0, 1, FRAME_END, 0, 0, 1},         /* not zero */
    };
    struct frame got;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(frame_get_header(bad[i], &got));
}

static void a_head_comes_out_as_it_went_in(void **state)
{
    const struct frame_head head = {.length = UINT64_C(0x0102030405060708),
                                    .method = "GET",
                                    .path = "/v1/services/app/health",
                                    .peer = "controller",
                                    .signature = "",
                                    .arg_count = 3,
                                    .args = {{"wait", "25s"}, {"body", ""}, {"wait", "1s"}}};
    uint8_t bytes[FRAME_HEAD_MAX];
    size_t size = frame_put_head(&head, bytes);
    struct frame frame = as_frame(FRAME_HEAD, bytes, size);
    struct frame_head got;

    (void)state;
    assert_true(size > 0);
    assert_true(frame_get_head(&frame, &got));
    assert_true(got.length == head.length);
    assert_string_equal(got.method, head.method);
    assert_string_equal(got.path, head.path);
    assert_string_equal(got.peer, head.peer);
    assert_string_equal(got.signature, "");
    assert_int_equal(got.arg_count, 3);
    assert_string_equal(frame_arg(&got, "wait"), "25s");
    assert_string_equal(frame_arg(&got, "body"), "");
    assert_null(frame_arg(&got, "status"));
}

static void a_head_that_is_cut_or_has_more_is_none(void **state)
{
    const struct frame_head head = {
        .method = "PUT", .path = "/", .peer = "p", .signature = "s", .arg_count = 1, .args = {{"a", "b"}}};
    uint8_t bytes[FRAME_HEAD_MAX] = {0};
    size_t size = frame_put_head(&head, bytes);
    struct frame_head got;

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        struct frame frame = as_frame(FRAME_HEAD, bytes, cut);
        assert_false(frame_get_head(&frame, &got));
    }
    struct frame longer = as_frame(FRAME_HEAD, bytes, size + 1), other = as_frame(FRAME_BODY, bytes, size);
    assert_false(frame_get_head(&longer, &got));
    assert_false(frame_get_head(&other, &got));
    bytes[8] = FRAME_ARGS_MAX + 1;
    struct frame many = as_frame(FRAME_HEAD, bytes, sizeof bytes);
    assert_false(frame_get_head(&many, &got));
}

static void a_head_that_does_not_fit_is_not_sent(void **state)
{
    static char text[FRAME_HEAD_MAX + 1];
    struct frame_head head = {.method = "GET", .path = text, .peer = "", .signature = ""};
    uint8_t bytes[FRAME_HEAD_MAX];

    (void)state;
    memset(text, 'x', FRAME_HEAD_MAX);
    assert_int_equal(frame_put_head(&head, bytes), 0);
    text[FRAME_HEAD_MAX - 9 - sizeof "GET" - 2 - 1] = '\0'; /* what is left for it */
    assert_int_equal(frame_put_head(&head, bytes), FRAME_HEAD_MAX);
    head.arg_count = FRAME_ARGS_MAX + 1;
    head.path = "/";
    assert_int_equal(frame_put_head(&head, bytes), 0);
}

static void hello_is_of_this_version_only(void **state)
{
    uint8_t bytes[FRAME_HELLO_SIZE];
    struct frame frame = as_frame(FRAME_HELLO, bytes, sizeof bytes);

    (void)state;
    frame_put_hello(bytes);
    assert_true(frame_get_hello(&frame));
    bytes[sizeof bytes - 1]++;
    assert_false(frame_get_hello(&frame));
}

static void an_answer_has_a_status_of_http(void **state)
{
    static const struct {
        unsigned status;
        bool good;
    } rows[] = {{199, false}, {200, true}, {404, true}, {599, true}, {600, false}, {0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[FRAME_ANSWER_HEAD + 2] = {0};
        struct frame frame = as_frame(FRAME_ANSWER, bytes, sizeof bytes);
        struct frame_answer got;

        frame_put_answer_head(&(struct frame_answer){.status = rows[i].status, .type = FRAME_TEXT}, bytes);
        assert_int_equal(frame_get_answer(&frame, &got), rows[i].good);
        if (!rows[i].good)
            continue;
        assert_int_equal(got.status, rows[i].status);
        assert_int_equal(got.type, FRAME_TEXT);
        assert_int_equal(got.size, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_comes_out_as_it_went_in),
        cmocka_unit_test(a_header_with_another_size_id_kind_or_rest_is_none),
        cmocka_unit_test(a_head_comes_out_as_it_went_in),
        cmocka_unit_test(a_head_that_is_cut_or_has_more_is_none),
        cmocka_unit_test(a_head_that_does_not_fit_is_not_sent),
        cmocka_unit_test(hello_is_of_this_version_only),
        cmocka_unit_test(an_answer_has_a_status_of_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
