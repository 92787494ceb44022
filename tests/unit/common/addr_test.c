#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/addr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void the_four_forms_are_read(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {":48567", "", 48567},
        {"127.0.0.1:80", "127.0.0.1", 80},
        {"web-01.example:8443", "web-01.example", 8443},
        {"[::1]:80", "::1", 80},
        {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1},
        {"localhost:0", "localhost", 0},
        {":65535", "", 65535},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr addr;
        struct err err = {""};

        if (!addr_parse(rows[i].text, &addr, &err))
            fail_msg("%s", err.text);
        assert_string_equal(addr.host, rows[i].host);
        assert_int_equal(addr.port, rows[i].port);
    }
}

static void anything_else_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "port is missing"},
        {"localhost", "port is missing"},
        {"h:", "must be a number"},
        {"h:080", "must be a number"},
        {":65536", "must be a number"},
        {":+1", "must be a number"},
        {":1 ", "must be a number"},
        {":123456", "must be a number"},
        {"::1:80", "more than one colon"},
        {"[::1]", "[ADDRESS]:PORT"},
        {"[::1", "[ADDRESS]:PORT"},
        {"[nope]:1", "no IPv6 address"},
        {"[]:1", "no IPv6 address"},
        {"1.2.3.999:1", "neither a name"},
        {"1.2.3:1", "neither a name"},
        {"a b:1", "neither a name"},
        {"a\n:1", "\"a?:1\""},
    };
    char longest[400];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr addr;
        struct err err = {""};

        if (addr_parse(rows[i].text, &addr, &err))
            fail_msg("%s was taken", rows[i].text);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].text, err.text);
    }
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 256, ":1", 3);
    assert_false(addr_parse(longest, &(struct addr){.port = 0}, NULL));
    memcpy(longest + 255, ":1", 3);
    assert_true(addr_parse(longest, &(struct addr){.port = 0}, NULL));
}

static void the_same_address_is_known_in_other_spellings(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
        {"[::1]:80", "[0:0:0:0:0:0:0:1]:80", true},
        {"[::1]:80", "127.0.0.1:80", false},
        {"[2001:DB8::1]:80", "[2001:db8::1]:80", true},
        {":80", "[::]:80", true},
        {":80", "0.0.0.0:80", false},
        {"localhost:80", "localhost:80", true},
        {"localhost:80", "127.0.0.1:80", false},
        {"127.0.0.1:080", "127.0.0.1:80", false},
        {"unix:/run/a", "unix:/run/a", true},
        {"unix:/run/a", "unix:/run/b", false},
        {"", "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (addr_same(rows[i].a, rows[i].b) != rows[i].same || addr_same(rows[i].b, rows[i].a) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_forms_are_read),
        cmocka_unit_test(anything_else_is_refused_with_a_reason),
        cmocka_unit_test(the_same_address_is_known_in_other_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
