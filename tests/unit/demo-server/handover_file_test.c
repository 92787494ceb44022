#include <ftw.h>
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

#include "demo-server/handover_pidfile.h"
#include "demo-server/handover_spawn.h"

static char dir[] = "/tmp/handover_file_test.XXXXXX";

static int in_a_folder_of_its_own(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static int folder_gone(void **state)
{
    (void)state;
    return nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *path, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void the_executable_is_what_argv0_means_at_the_start(void **state)
{
    char path[4096], want[4096], cwd[1024];
    struct err err = {""};

    (void)state;
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(mkdir("one", 0755) | mkdir("two", 0755), 0);
    make_file("one/app", 0644); /* not executable: passed over */
    make_file("two/app", 0755);
    assert_true(handover_spawn_path("/absolute/x", path, sizeof path, NULL));
    assert_string_equal(path, "/absolute/x");
    assert_true(handover_spawn_path("bin/x", path, sizeof path, NULL));
    (void)snprintf(want, sizeof want, "%s/bin/x", cwd);
    assert_string_equal(path, want);

    (void)snprintf(want, sizeof want, "/nowhere:%s/one:%s/two", cwd, cwd);
    (void)setenv("PATH", want, 1);
    assert_true(handover_spawn_path("app", path, sizeof path, NULL));
    (void)snprintf(want, sizeof want, "%s/two/app", cwd);
    assert_string_equal(path, want);
    assert_false(handover_spawn_path("other", path, sizeof path, &err));
    assert_non_null(strstr(err.text, "no folder of PATH"));
}

static void a_pid_file_is_replaced_whole_and_removed_only_by_its_own(void **state)
{
    struct stat before, after;

    (void)state;
    assert_int_equal(handover_pidfile_read("pid"), 0);
    assert_true(handover_pidfile_write("pid", 11, NULL));
    assert_int_equal(stat("pid", &before), 0);
    assert_true(handover_pidfile_write("pid", 12, NULL));
    assert_int_equal(stat("pid", &after), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_int_equal(handover_pidfile_read("pid"), 12);
    handover_pidfile_remove("pid", 11);
    assert_int_equal(handover_pidfile_read("pid"), 12);
    handover_pidfile_remove("pid", 12);
    assert_int_equal(access("pid", F_OK), -1);
}

static void a_working_directory_reached_by_a_link_is_named_by_that(void **state)
{
    char path[4096], want[4096], cwd[1024];

    (void)state;
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(mkdir("release", 0755) | symlink("release", "current") | chdir("current"), 0);
    (void)snprintf(want, sizeof want, "%s/current", cwd);
    (void)setenv("PWD", want, 1);
    (void)snprintf(want, sizeof want, "%s/current/./app", cwd);
    assert_true(handover_spawn_path("./app", path, sizeof path, NULL));
    assert_string_equal(path, want);
    (void)setenv("PWD", cwd, 1); /* of somebody who went elsewhere since */
    (void)snprintf(want, sizeof want, "%s/release/./app", cwd);
    assert_true(handover_spawn_path("./app", path, sizeof path, NULL));
    assert_string_equal(path, want);
    assert_int_equal(chdir(cwd), 0);
}

static void a_predecessors_path_stays_where_argv0_still_means_it(void **state)
{
    (void)state;
    assert_true(handover_spawn_path_stays("./app", "/srv/current/./app"));
    assert_true(handover_spawn_path_stays("app", "/usr/bin/app"));
    assert_false(handover_spawn_path_stays("/opt/app", "/srv/current/app")); /* a wrapper chose another */
    assert_false(handover_spawn_path_stays("new/app", "/srv/current/app"));
    assert_false(handover_spawn_path_stays("app", "/srv/current/myapp"));
    assert_false(handover_spawn_path_stays("app", "app"));
    assert_false(handover_spawn_path_stays("app", ""));
}

static void a_note_that_cannot_be_written_leaves_no_old_one(void **state)
{
    char aside[64];
    struct err err = {""};

    (void)state;
    assert_true(handover_pidfile_tell("pid", UPGRADE_DONE, "11", NULL));
    assert_int_equal(access("pid" UPGRADE_NOTE_SUFFIX, F_OK), 0);
    (void)snprintf(aside, sizeof aside, "pid" UPGRADE_NOTE_SUFFIX ".%d", getpid());
    assert_int_equal(mkdir(aside, 0755), 0); /* in its way */
    assert_false(handover_pidfile_tell("pid", UPGRADE_FAILED, "why", &err));
    assert_non_null(strstr(err.text, aside));
    assert_int_equal(access("pid" UPGRADE_NOTE_SUFFIX, F_OK), -1);
    assert_int_equal(rmdir(aside), 0);
}

static void a_pid_file_that_cannot_be_written_is_an_error_with_its_path(void **state)
{
    struct err err = {""};

    (void)state;
    assert_false(handover_pidfile_write("no/such/folder/pid", 1, &err));
    assert_non_null(strstr(err.text, "no/such/folder/pid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_executable_is_what_argv0_means_at_the_start),
        cmocka_unit_test(a_working_directory_reached_by_a_link_is_named_by_that),
        cmocka_unit_test(a_predecessors_path_stays_where_argv0_still_means_it),
        cmocka_unit_test(a_note_that_cannot_be_written_leaves_no_old_one),
        cmocka_unit_test(a_pid_file_is_replaced_whole_and_removed_only_by_its_own),
        cmocka_unit_test(a_pid_file_that_cannot_be_written_is_an_error_with_its_path),
    };

    return cmocka_run_group_tests(tests, in_a_folder_of_its_own, folder_gone);
}
