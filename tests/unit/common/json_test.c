#include "common/json.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_text_that_is_not_one_whole_value_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *why;
    } bad[] = {
        {"", 0, "line"},
        {"{", 1, "line 1"},
        {"{\"a\":1,\"a\":2}", 13, "duplicate"},
        {"{} x", 4, "end of file"},
        {"{\"a\":\"\\u0000\"}", 14, "\\u0000"},
        {"{\"a\":\"\0\"}", 9, "line 1"},
        {"{}\0", 3, "line 1"},
        {"17", 2, "line 1"},
        {"{\"a\":1e999}", 11, "overflow"},
        {"{\"a\":99999999999999999999}", 26, "big"},
        {"{\"a\":\"\xff\"}", 9, "0xff"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {""};
        json_t *root = json_read(bad[i].text, bad[i].size, &err);
        if (root != NULL || strstr(err.text, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

static void nesting_is_bounded_outside_of_strings_only(void **state)
{
    char text[200] = "";
    struct err err = {""};
    json_t *root;

    (void)state;
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    assert_non_null(root = json_read(text, 64, &err));
    json_decref(root);
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    assert_null(json_read(text, 66, &err));
    assert_non_null(strstr(err.text, "deeper than 32"));
    strcpy(text, "[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]");
    assert_non_null(root = json_read(text, strlen(text), &err));
    json_decref(root);
}

static void a_needed_member_is_named_when_it_is_missing_or_of_another_type(void **state)
{
    const char *text = "{\"s\":\"x\",\"n\":7,\"m\":-1,\"b\":true,\"z\":null,\"a\":[],\"o\":{}}", *s = NULL;
    struct err err = {""};
    json_t *root = json_read(text, strlen(text), &err);
    uint64_t n = 0;
    bool b = false;

    (void)state;
    assert_non_null(root);
    assert_true(json_get_string(root, "s", &s, &err));
    assert_string_equal(s, "x");
    assert_true(json_get_uint(root, "n", &n, &err));
    assert_int_equal(n, 7);
    assert_true(json_get_bool(root, "b", &b, &err));
    assert_true(b);
    assert_false(json_get_string(root, "none", &s, &err));
    assert_string_equal(err.text, "\"none\" is missing");
    assert_false(json_get_string(root, "n", &s, &err));
    assert_string_equal(err.text, "\"n\" is no string");
    assert_false(json_get_uint(root, "m", &n, &err));
    assert_non_null(strstr(err.text, "\"m\""));
    assert_false(json_get_bool(root, "z", &b, &err));
    assert_false(json_get_bool(json_opt_array(root, "a"), "b", &b, &err));
    assert_null(json_opt_string(root, "z"));
    assert_null(json_opt_string(root, "n"));
    assert_string_equal(json_opt_string(root, "s"), "x");
    assert_non_null(json_opt_object(root, "o"));
    assert_null(json_opt_object(root, "a"));
    assert_non_null(json_opt_array(root, "a"));
    assert_int_equal(json_opt_uint(root, "m", 9), 9);
    assert_int_equal(json_opt_uint(root, "n", 9), 7);
    assert_true(json_opt_bool(root, "z", true));
    assert_true(json_opt_bool(root, "b", false));
    json_decref(root);
}

static void what_is_appended_belongs_to_the_list(void **state)
{
    json_t *list = json_array(), *member = json_string("x");

    (void)state;
    json_append(list, json_incref(member));
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(member->refcount, 2);
    json_decref(list);
    assert_int_equal(member->refcount, 1);
    json_decref(member);
}

/* A member that there was no memory for: a list without it would say something else. */
static void a_member_that_is_not_there_ends_the_program(void **state)
{
    json_t *list = json_array();
    int status = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        json_append(list, NULL);
        _exit(0);
    }
    json_decref(list);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_that_is_not_one_whole_value_is_refused_with_a_reason),
        cmocka_unit_test(nesting_is_bounded_outside_of_strings_only),
        cmocka_unit_test(what_is_appended_belongs_to_the_list),
        cmocka_unit_test(a_member_that_is_not_there_ends_the_program),
        cmocka_unit_test(a_needed_member_is_named_when_it_is_missing_or_of_another_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
