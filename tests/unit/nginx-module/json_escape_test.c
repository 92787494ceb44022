/* json_escape_test.c - any bytes become the inside of a JSON string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/json_escape.h"

#define NONE "\xef\xbf\xbd"

static void what_is_no_utf_8_is_replaced_and_all_else_is_kept(void **state)
{
    static const struct {
        const char *bytes;
        size_t size_bytes;
        const char *escaped;
    } rows[] = {
#define ROW(bytes, escaped) {bytes, sizeof(bytes) - 1, escaped}
        ROW("", ""),
        ROW("10.0.0.1:80", "10.0.0.1:80"),
        ROW("a\"b\\c/", "a\\\"b\\\\c/"),
        ROW("\b\f\n\r\t", "\\b\\f\\n\\r\\t"),
        ROW("\0\x01\x1f\x7f", "\\u0000\\u0001\\u001f\x7f"),
        ROW("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        ROW("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"),
        ROW("bad\xff!", "bad" NONE "!"),
        ROW("\x80\xbf", NONE NONE),
        ROW("\xc3", NONE),                            /* cut */
        ROW("\xe2\x82", NONE NONE),                   /* cut */
        ROW("\xc3\"", NONE "\\\""),                   /* what follows is not swallowed */
        ROW("\xe2\x82z", NONE NONE "z"),              /* nor here */
        ROW("\xc0\xaf", NONE NONE),                   /* a slash, in a longer form than is needed */
        ROW("\xe0\x9f\xbf", NONE NONE NONE),          /* the same */
        ROW("\xed\xa0\x80", NONE NONE NONE),          /* a surrogate */
        ROW("\xf4\x90\x80\x80", NONE NONE NONE NONE), /* beyond U+10FFFF */
        ROW("\xf5\x80\x80\x80", NONE NONE NONE NONE),
#undef ROW
    };
    char to[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = json_escape(to, rows[i].bytes, rows[i].size_bytes);

        assert_int_equal(n, strlen(rows[i].escaped));
        assert_memory_equal(to, rows[i].escaped, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_utf_8_is_replaced_and_all_else_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
