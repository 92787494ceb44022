/* fleet_stored_test.c - the hosts parser beside answers that Ansible gave: tests/inventory/stored, written by
 * `tests/inventory/compare --store`. make check-inventory asks Ansible itself, many times more. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/inventory/tell.h"

#define STORED       "tests/inventory/stored/"
#define STORED_LEAST 30

static char *contents(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_true(getdelim(&text, &room, '\0', f) > 0);
    fclose(f);
    return text;
}

static char *told(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    tell_inventory(f, path);
    fclose(f);
    return text;
}

static void stored_inventories_are_read_as_ansible_read_them(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(STORED "*.ini", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= STORED_LEAST);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char answer[256];
        const char *path = found.gl_pathv[i];
        snprintf(answer, sizeof answer, "%.*s.answer", (int)strlen(path) - 4, path);
        char *ours = told(path), *theirs = contents(answer);
        if (strcmp(ours, theirs) != 0)
            print_error("%s:\n%s", path, ours);
        assert_string_equal(ours, theirs);
        free(ours);
        free(theirs);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stored_inventories_are_read_as_ansible_read_them)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
