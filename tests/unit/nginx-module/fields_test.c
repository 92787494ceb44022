/* fields_test.c - what ?fields= asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/fields.h"

static void a_list_is_found_and_its_names_are_compared_whole(void **state)
{
    static const struct {
        const char *args, *name;
        int given, empty, wanted;
    } rows[] = {
        {"", "pid", 0, 0, 1},
        {"field=pid", "address", 0, 0, 1},
        {"fieldsx=pid", "address", 0, 0, 1},
        {"xfields=pid", "address", 0, 0, 1},
        {"fields", "pid", 1, 1, 0},
        {"fields=", "pid", 1, 1, 0},
        {"a=b&fields=&c", "pid", 1, 1, 0},
        {"fields=,%2c,", "pid", 1, 1, 0},
        {"fields=pid", "pid", 1, 0, 1},
        {"fields=pid", "ppid", 1, 0, 0},
        {"fields=ppid", "pid", 1, 0, 0},
        {"fields=pi", "pid", 1, 0, 0},
        {"fields=pidd", "pid", 1, 0, 0},
        {"fields=pid,ppid", "ppid", 1, 0, 1},
        {"fields=nothing,,pid,", "pid", 1, 0, 1},
        {"fields=nothing,,pid,", "", 1, 0, 1},
        {"fields=a&fields=pid", "pid", 1, 0, 0},
        {"b&fields=pid&fields=a", "pid", 1, 0, 1},
        {"fields=%70%69d", "pid", 1, 0, 1},
        {"fields=a%2Cpid", "pid", 1, 0, 1},
        {"fields=pid%26x", "pid", 1, 0, 0},
        {"fields=pid%00", "pid", 1, 0, 0},
        {"fields=pid%", "pid", 1, 0, 0},
        {"fields=%", "%", 1, 0, 1},
        {"fields=%7", "%7", 1, 0, 1},
        {"fields=%zz,pid", "%zz", 1, 0, 1},
        {"fields=PID", "pid", 1, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fields fields = fields_find(rows[i].args, strlen(rows[i].args));

        if ((fields.list != NULL) != rows[i].given || fields_is_empty(&fields) != rows[i].empty ||
            fields_has(&fields, rows[i].name) != rows[i].wanted)
            fail_msg("%s, %s", rows[i].args, rows[i].name);
    }
}

static void nothing_behind_the_arguments_is_read(void **state)
{
    const char text[] = "fields=pi%64";

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct fields fields = fields_find(text, size);

        assert_int_equal(fields_has(&fields, "pid"), size < strlen("fields"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_found_and_its_names_are_compared_whole),
        cmocka_unit_test(nothing_behind_the_arguments_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
