/* body_test.c - the PATCH body reader takes RFC 8259 and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/body.h"

#define MEMBERS 4

/* A copy of exactly that size, so that a sanitizer sees a byte read too far. */
static enum body_result read_text(const char *text, size_t size, struct body_member *members, size_t *count,
                                  char **copy)
{
    *copy = malloc(size > 0 ? size : 1);
    memcpy(*copy, text, size);
    return body_read(*copy, size, members, MEMBERS, count);
}

static void each_text_is_judged_as_the_rfc_says(void **state)
{
    static const struct {
        const char *text;
        enum body_result result;
        size_t count;
    } rows[] = {
        {"", BODY_EMPTY, 0},
        {" \t\r\n", BODY_EMPTY, 0},
        {"{}", BODY_OK, 0},
        {" { } ", BODY_OK, 0},
        {"{\"a\":true}", BODY_OK, 1},
        {"{ \"a\" : null , \"b\" : false }\n", BODY_OK, 2},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", BODY_OK, 4},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}", BODY_MANY, 4},
        {"{\"a\":1,\"\\u0061\":2}", BODY_DUPLICATE, 1},
        {"{\"a\":{}}", BODY_NESTED, 0},
        {"{\"a\":1,\"b\":[", BODY_NESTED, 1},
        {"{", BODY_SYNTAX, 0},
        {"{\"a\"", BODY_SYNTAX, 0},
        {"{\"a\":", BODY_SYNTAX, 0},
        {"{\"a\":true", BODY_SYNTAX, 1},
        {"{\"a\":true,}", BODY_SYNTAX, 1},
        {"{,}", BODY_SYNTAX, 0},
        {"{\"a\" true}", BODY_SYNTAX, 0},
        {"{a:true}", BODY_SYNTAX, 0},
        {"{'a':true}", BODY_SYNTAX, 0},
        {"{\"a\":True}", BODY_SYNTAX, 0},
        {"{\"a\":tru}", BODY_SYNTAX, 0},
        {"{\"a\":truex}", BODY_SYNTAX, 1},
        {"{\"a\":true} x", BODY_SYNTAX, 1},
        {"{\"a\":true}{}", BODY_SYNTAX, 1},
        {"[]", BODY_SYNTAX, 0},
        {"true", BODY_SYNTAX, 0},
        {"\xef\xbb\xbf{}", BODY_SYNTAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct body_member members[MEMBERS];
        size_t count = 99;
        char *copy;

        if (read_text(rows[i].text, strlen(rows[i].text), members, &count, &copy) != rows[i].result)
            fail_msg("%s", rows[i].text);
        assert_int_equal(count, rows[i].count);
        free(copy);
    }
}

static void numbers_are_those_of_json(void **state)
{
    static const char *const good[] = {"0", "-0", "10", "1.5", "-1.0e+10", "1E5", "0e-1", "12345678901234567890"};
    static const char *const bad[] = {"01", "+1", ".5", "1.", "1e", "1e+", "-", "0x1", "NaN", "1_0", "--1"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good + sizeof bad / sizeof *bad; i++) {
        size_t n_good = sizeof good / sizeof *good;
        const char *number = i < n_good ? good[i] : bad[i - n_good];
        char text[64], *copy;
        struct body_member members[MEMBERS];
        size_t count;

        (void)snprintf(text, sizeof text, "{\"a\":%s}", number);
        if (read_text(text, strlen(text), members, &count, &copy) != (i < n_good ? BODY_OK : BODY_SYNTAX))
            fail_msg("%s", text);
        if (i < n_good) {
            assert_int_equal(members[0].type, BODY_NUMBER);
            assert_true(body_text_is(&members[0].text, number));
        }
        free(copy);
    }
}

static void strings_are_decoded_and_bad_ones_refused(void **state)
{
    static const struct {
        const char *json, *decoded; /* NULL: refused */
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\\x", NULL},
        {"\\", NULL},
        {"\\u00g0", NULL},
        {"\\u12", NULL},
        {"\\ud83d", NULL},
        {"\\ud83dx", NULL},
        {"\\ud83d\\u0041", NULL},
        {"\\ude00\\ud83d", NULL},
        {"\n", NULL},
        {"\x1f", NULL},
        {"\x80", NULL},
        {"\xc0\x80", NULL},
        {"\xc3", NULL},
        {"\xe0\x80\x80", NULL},
        {"\xed\xa0\x80", NULL},
        {"\xf0\x80\x80\x80", NULL},
        {"\xf4\x90\x80\x80", NULL},
        {"\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128], *copy;
        struct body_member members[MEMBERS];
        size_t count;

        (void)snprintf(text, sizeof text, "{\"a\":\"%s\"}", rows[i].json);
        enum body_result result = read_text(text, strlen(text), members, &count, &copy);
        if (result != (rows[i].decoded != NULL ? BODY_OK : BODY_SYNTAX))
            fail_msg("%s", text);
        if (rows[i].decoded != NULL)
            assert_true(body_text_is(&members[0].text, rows[i].decoded));
        free(copy);
    }
}

static void a_nul_is_a_byte_as_any_other(void **state)
{
    static const char raw[] = "{\"a\":true\0}";
    static const char escaped[] = "{\"down\\u0000\":true}";
    struct body_member members[MEMBERS];
    size_t count;
    char *copy;

    (void)state;
    assert_int_equal(read_text(raw, sizeof raw - 1, members, &count, &copy), BODY_SYNTAX);
    free(copy);
    assert_int_equal(read_text(escaped, strlen(escaped), members, &count, &copy), BODY_OK);
    assert_false(body_text_is(&members[0].name, "down"));
    assert_int_equal(members[0].name.size_bytes, 5);
    free(copy);
}

static void no_text_cut_short_is_read_past_its_end(void **state)
{
    static const char text[] = "{\"a\\u00e9\":\"\xf0\x9f\x98\x80\\ud83d\\ude00\",\"b\":-1.5e+3,\"c\":null}";

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct body_member members[MEMBERS];
        size_t count;
        char *copy;

        assert_int_not_equal(read_text(text, size, members, &count, &copy), BODY_OK);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_is_judged_as_the_rfc_says),      cmocka_unit_test(numbers_are_those_of_json),
        cmocka_unit_test(strings_are_decoded_and_bad_ones_refused), cmocka_unit_test(a_nul_is_a_byte_as_any_other),
        cmocka_unit_test(no_text_cut_short_is_read_past_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
