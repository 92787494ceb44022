#include "common/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEX  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define REST " version:2 arch:x86_64 sha256:" HEX

static void a_comment_is_read_in_any_order_and_with_more_in_it(void **state)
{
    static const char *const table[] = {
        "app:app version:2 sequence:7 arch:x86_64 sha256:" HEX,
        "  sha256:" HEX "\tarch:x86_64  sequence:7 version:2 app:app ",
        "timestamp:1 app:app version:2 sequence:7 arch:x86_64 sha256:" HEX " file:app-2 a word",
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err err = {""};
        struct label label;

        if (!label_read(table[i], &label, &err))
            fail_msg("%s: %s", table[i], err.text);
        assert_string_equal(label.app, "app");
        assert_string_equal(label.version, "2");
        assert_int_equal(label.sequence, 7);
        assert_string_equal(label.arch, "x86_64");
        assert_string_equal(label.sha256, HEX);
    }
}

static void what_says_less_or_two_things_is_refused_and_the_field_named(void **state)
{
    static const struct {
        const char *comment, *why;
    } table[] = {
        {"", "has no app:"},
        {"app:app sequence:7 arch:x86_64 sha256:" HEX, "has no version:"},
        {"app:app version:2 arch:x86_64 sha256:" HEX, "has no sequence:"},
        {"app:app version:2 sequence:7 sha256:" HEX, "has no arch:"},
        {"app:app version:2 sequence:7 arch:x86_64", "has no sha256:"},
        {"app:app sequence:7 app:b" REST, "app: twice"},
        {"app: sequence:7" REST, "app: in"},
        {"app:a/b sequence:7" REST, "app: in"},
        {"app:,a sequence:7" REST, "app: in"},
        {"app:a, sequence:7" REST, "app: in"},
        {"app:a,,b sequence:7" REST, "app: in"},
        {"app:app sequence:0" REST, "sequence: in"},
        {"app:app sequence:07" REST, "sequence: in"},
        {"app:app sequence:-7" REST, "sequence: in"},
        {"app:app sequence:7x" REST, "sequence: in"},
        {"app:app sequence:9223372036854775808" REST, "sequence: in"},
        {"app:app sequence:99999999999999999999" REST, "sequence: in"},
        {"app:app version:2 sequence:7 arch:x86_64 sha256:" HEX "0", "sha256: in"},
        {"app:app version:2 sequence:7 arch:x86_64 sha256:abc", "sha256: in"},
        {"APP:app version:2 sequence:7 arch:x86_64 sha256:" HEX, "has no app:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err err = {""};
        struct label label;

        if (label_read(table[i].comment, &label, &err) || strstr(err.text, table[i].why) == NULL)
            fail_msg("%s: %s", table[i].comment, err.text);
    }
}

static void the_highest_sequence_is_the_highest_that_json_holds(void **state)
{
    struct label label;

    (void)state;
    assert_true(label_read("app:app sequence:9223372036854775807" REST, &label, NULL));
    assert_true(label.sequence == INT64_MAX);
}

static void a_release_is_for_the_services_that_are_named_and_no_other(void **state)
{
    struct label label = {.app = "app,jobs,a"};

    (void)state;
    assert_true(label_is_for(&label, "app"));
    assert_true(label_is_for(&label, "jobs"));
    assert_true(label_is_for(&label, "a"));
    assert_false(label_is_for(&label, "ap"));
    assert_false(label_is_for(&label, "job"));
    assert_false(label_is_for(&label, "b"));
    assert_false(label_is_for(&label, "obs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comment_is_read_in_any_order_and_with_more_in_it),
        cmocka_unit_test(what_says_less_or_two_things_is_refused_and_the_field_named),
        cmocka_unit_test(the_highest_sequence_is_the_highest_that_json_holds),
        cmocka_unit_test(a_release_is_for_the_services_that_are_named_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
