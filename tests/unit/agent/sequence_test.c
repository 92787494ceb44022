#include "agent/sequence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define K1  "AB00000000000001"
#define K2  "AB00000000000002"
#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222222222222222222222222222"

static void a_lower_number_is_refused_and_the_same_one_only_for_the_same_release(void **state)
{
    struct sequences s = {0};
    struct err err = {""};

    (void)state;
    assert_int_equal(sequence_may(&s, K1, 1, ONE, &err), CODE_JOB_OK);
    assert_true(sequence_raise(&s, K1, 7, ONE));
    assert_int_equal(sequence_may(&s, K1, 6, TWO, &err), CODE_OLD_SEQUENCE);
    assert_int_equal(sequence_may(&s, K1, 6, ONE, &err), CODE_OLD_SEQUENCE);
    assert_non_null(strstr(err.text, "its sequence is 6, and one with 7 by the key " K1));
    assert_int_equal(sequence_may(&s, K1, 7, ONE, &err), CODE_JOB_OK);
    assert_int_equal(sequence_may(&s, K1, 7, TWO, &err), CODE_OLD_SEQUENCE);
    assert_non_null(strstr(err.text, "another release"));
    assert_int_equal(sequence_may(&s, K1, 8, TWO, &err), CODE_JOB_OK);
    assert_true(sequence_raise(&s, K1, 3, TWO)); /* never falls */
    assert_int_equal(sequence_may(&s, K1, 7, ONE, &err), CODE_JOB_OK);
    assert_int_equal(sequence_may(&s, K1, 6, TWO, &err), CODE_OLD_SEQUENCE);
}

static void each_key_counts_by_itself(void **state)
{
    struct sequences s = {0};
    char key[MINISIGN_ID_DIGITS + 1];

    (void)state;
    assert_true(sequence_raise(&s, K1, 900, ONE));
    assert_int_equal(sequence_may(&s, K2, 1, TWO, NULL), CODE_JOB_OK);
    assert_true(sequence_raise(&s, K2, 1, TWO));
    assert_int_equal(sequence_may(&s, K1, 899, TWO, NULL), CODE_OLD_SEQUENCE);
    assert_int_equal(sequence_highest(&s), 900);
    for (size_t i = s.count; i < SEQUENCES_MAX; i++) {
        (void)snprintf(key, sizeof key, "CD%014zu", i);
        assert_true(sequence_raise(&s, key, 1, ONE));
    }
    assert_false(sequence_raise(&s, "EF00000000000000", 1, ONE)); /* none is forgotten for it */
    assert_true(sequence_raise(&s, K1, 901, ONE));
}

static void they_come_back_from_the_disk_and_damage_is_no_empty_list(void **state)
{
    static const char *const damaged[] = {"",
                                          "{",
                                          "{}",
                                          "[]",
                                          "{\"sequences\":[{}]}",
                                          "{\"sequences\":[{\"key\":\"x\",\"highest\":1,\"sha256\":\"" ONE "\"}]}",
                                          "{\"sequences\":[{\"key\":\"" K1 "\",\"highest\":0,\"sha256\":\"" ONE "\"}]}",
                                          "{\"sequences\":[{\"key\":\"" K1 "\",\"highest\":-1,\"sha256\":\"" ONE
                                          "\"}]}"};
    char folder[] = "/tmp/sequence_test.XXXXXX", path[64];
    struct sequences s = {0}, read = {0};
    struct err err = {""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/sequences.json", folder);
    assert_true(sequences_load(path, &read, &err));
    assert_int_equal(read.count, 0);
    assert_true(sequence_raise(&s, K1, INT64_MAX, ONE));
    assert_true(sequence_raise(&s, K2, 2, TWO));
    assert_true(sequences_save(path, &s, &err));
    assert_true(sequences_load(path, &read, &err));
    assert_memory_equal(&s, &read, sizeof s);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        FILE *to = fopen(path, "we");
        assert_non_null(to);
        assert_true(fputs(damaged[i], to) >= 0 && fclose(to) == 0);
        if (sequences_load(path, &read, &err) || strstr(err.text, "sequences.json") == NULL)
            fail_msg("%s: %s", damaged[i], err.text);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_false(sequences_load(path, &read, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/none", path), 0); /* a link to nothing is no missing file */
    assert_false(sequences_load(path, &read, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_number_is_refused_and_the_same_one_only_for_the_same_release),
        cmocka_unit_test(each_key_counts_by_itself),
        cmocka_unit_test(they_come_back_from_the_disk_and_damage_is_no_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
