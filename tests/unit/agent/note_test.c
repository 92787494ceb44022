#include "agent/note.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/note_test.XXXXXX";

static int in_a_folder_of_its_own(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static int folder_gone(void **state)
{
    (void)state;
    (void)unlink("pid.upgrade");
    (void)unlink("other");
    return rmdir(dir);
}

static void write_text(const char *path, const char *text, size_t count)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static void a_note_is_the_same_until_it_is_written_again(void **state)
{
    static const struct timespec times[2] = {{1000, 0}, {1000, 1}};
    struct note none, first, again;

    (void)state;
    note_read("pid", &none);
    assert_int_equal(none.count, 0);
    write_text("pid.upgrade", "failed x\n", 9);
    note_read("pid", &first);
    note_read("pid", &again);
    assert_int_equal(first.count, 9);
    assert_memory_equal(first.bytes, "failed x\n", 9);
    assert_true(note_same(&first, &again));
    assert_false(note_same(&none, &first));
    assert_true(note_same(&none, &(struct note){.count = 0}));

    assert_int_equal(utimensat(AT_FDCWD, "pid.upgrade", times, 0), 0); /* the same inode, the same words */
    note_read("pid", &again);
    assert_false(note_same(&first, &again));
    first = again;
    write_text("pid.upgrade", "failed y\n", 9); /* at the same time */
    assert_int_equal(utimensat(AT_FDCWD, "pid.upgrade", times, 0), 0);
    note_read("pid", &again);
    assert_false(note_same(&first, &again));
    first = again;
    write_text("other", "failed y\n", 9); /* the same words and time, another file */
    assert_int_equal(utimensat(AT_FDCWD, "other", times, 0), 0);
    assert_int_equal(rename("other", "pid.upgrade"), 0);
    note_read("pid", &again);
    assert_false(note_same(&first, &again));
}

static void what_is_no_small_plain_file_is_no_note(void **state)
{
    char bytes[UPGRADE_NOTE_MAX + 1];
    struct note note;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    (void)unlink("pid.upgrade");
    write_text("pid.upgrade", bytes, UPGRADE_NOTE_MAX);
    note_read("pid", &note);
    assert_int_equal(note.count, UPGRADE_NOTE_MAX);
    write_text("pid.upgrade", bytes, sizeof bytes);
    note_read("pid", &note);
    assert_int_equal(note.count, 0);

    write_text("other", "failed x\n", 9);
    assert_int_equal(unlink("pid.upgrade"), 0);
    assert_int_equal(symlink("other", "pid.upgrade"), 0);
    note_read("pid", &note);
    assert_int_equal(note.count, 0);

    assert_int_equal(unlink("pid.upgrade"), 0);
    assert_int_equal(mkfifo("pid.upgrade", 0600), 0);
    note_read("pid", &note);
    assert_int_equal(note.count, 0);

    assert_int_equal(unlink("pid.upgrade"), 0);
    assert_int_equal(mkdir("pid.upgrade", 0700), 0);
    note_read("pid", &note);
    assert_int_equal(note.count, 0);
    assert_int_equal(rmdir("pid.upgrade"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_the_same_until_it_is_written_again),
        cmocka_unit_test(what_is_no_small_plain_file_is_no_note),
    };

    return cmocka_run_group_tests(tests, in_a_folder_of_its_own, folder_gone);
}
