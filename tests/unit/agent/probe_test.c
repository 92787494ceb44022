#include "agent/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/version.h"

#define OK "HTTP/1.1 200 OK\r\n"

static void an_answer_is_read_in_any_of_the_forms_a_service_may_send(void **state)
{
    static const struct {
        const char *bytes;
        bool ended, whole;
        unsigned status;
        const char *body;
    } table[] = {
        {"", false, false, 0, ""},
        {"", true, true, 0, ""},
        {"HTTP/1.1 200 O", false, false, 0, ""},
        {OK "\r\n", false, false, 200, ""}, /* no length: until the end */
        {OK "\r\nabc", true, true, 200, "abc"},
        {OK "Content-Length: 3\r\n\r\nab", false, false, 200, "ab"},
        {OK "Content-Length: 3\r\n\r\nabc", false, true, 200, "abc"},
        {OK "content-length:3\r\n\r\nabcd", false, true, 200, "abc"},
        {OK "X-Content-Length: 1\r\nContent-Length: 3\r\n\r\nab", false, false, 200, "ab"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", false, true, 200, "abc"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1", false, false, 200, "ab"},
        {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", true, true, 200, ""},
        {OK "Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n", false, false, 200, ""},
        {OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab\r\n", false, false, 200, "ab\r\n"},
        {"HTTP/1.0 503 Busy\r\nContent-Length: 0\r\n\r\n", false, true, 503, ""},
        {"SSH-2.0-OpenSSH\r\n\r\n", true, true, 0, ""},
        {"HTTP/1.1 99 No\r\n\r\n", true, true, 0, ""},
        {"HTTP/1.1 -20 No\r\n\r\n", true, true, 0, ""},
        {"HTTP/1.1 2000 No\r\n\r\n", true, true, 0, ""},
        {"HTTP/1.1 200\r\n\r\n", true, true, 200, ""},
    };
    struct probe_result result = {0};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool whole = probe_parse_answer(table[i].bytes, strlen(table[i].bytes), table[i].ended, &result);
        if (whole != table[i].whole || result.status != table[i].status || strcmp(result.body, table[i].body) != 0)
            fail_msg("row %zu: whole %d, status %u, body \"%s\"", i, whole, result.status, result.body);
    }
}

static void a_version_is_the_first_line_or_the_member_of_that_name(void **state)
{
    static const struct {
        const char *body, *version;
    } table[] = {
        {"2\n", "2"},
        {"1.2.3 \r\nmore", "1.2.3"},
        {"{\"version\":\"4\"}", "4"},
        {"{\"version\":4}", ""},
        {"{\"a\":1}", ""},
        {"{broken", "{broken"},
        {"", ""},
        {"\x01", ""},
    };
    char text[VERSION_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        version_parse(table[i].body, text);
        assert_string_equal(text, table[i].version);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_in_any_of_the_forms_a_service_may_send),
        cmocka_unit_test(a_version_is_the_first_line_or_the_member_of_that_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
