/* What an agent keeps as JSON: why it could not be written is said with what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/file.h"

static void a_folder_that_was_taken_away_is_named_with_what_makes_it_anew(void **state)
{
    char folder[] = "/tmp/file-test-XXXXXX", path[64];
    struct err err = {""};
    json_t *json = json_pack("{s:i}", "a", 1);

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/claim.json", folder);
    assert_true(file_write_json(path, json, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_false(file_write_json(path, json, &err));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "taken its folder away: restart the agent"));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_that_was_taken_away_is_named_with_what_makes_it_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
