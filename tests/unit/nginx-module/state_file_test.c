/* state_file_test.c - the state file on the disk: replaced as a whole, and one at a time. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deploy/nginx-module/state_file.h"

static char dir[64], path[96], why[STATE_WHY_MAX];

static const char *beside(const char *suffix)
{
    static char names[2][128]; /* two may be wanted at once */
    static unsigned turn;
    char *name = names[turn++ % 2];

    (void)snprintf(name, sizeof names[0], "%s%s", path, suffix);
    return name;
}

static int folder(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/state_file.XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/state", dir);
    return 0;
}

static int folder_gone(void **state)
{
    static const char *const suffixes[] = {"", ".new", ".bad", ".lock", ".else"};

    (void)state;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        (void)remove(beside(suffixes[i]));
    return rmdir(dir);
}

static enum state_file_found found(size_t max_bytes)
{
    size_t size_bytes;
    char *bytes;
    enum state_file_found f = state_file_read(path, max_bytes, &bytes, &size_bytes, why);

    assert_true((bytes != NULL) == (f == STATE_FILE_READ));
    free(bytes);
    return f;
}

static void holds(const char *text)
{
    size_t size_bytes;
    char *bytes;

    assert_int_equal(state_file_read(path, 100, &bytes, &size_bytes, why), STATE_FILE_READ);
    assert_int_equal(size_bytes, strlen(text));
    assert_memory_equal(bytes, text, size_bytes);
    free(bytes);
}

static void what_is_written_is_read_and_the_last_one_stays(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(found(100), STATE_FILE_NONE);
    assert_true(state_file_write(path, "one", 3, why));
    holds("one");
    assert_true(state_file_write(path, "", 0, why));
    holds("");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_not_equal(access(beside(".new"), F_OK), 0);
}

static void who_dies_while_writing_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    assert_true(state_file_write(path, "one", 3, why));
    assert_int_equal(symlink(path, beside(".new")), 0); /* whatever is there, it is not written through */
    assert_true(state_file_write(path, "two", 3, why));
    holds("two");
    assert_int_equal(mkdir(beside(".new"), 0700), 0);
    assert_false(state_file_write(path, "three", 5, why));
    assert_non_null(strstr(why, beside(".new")));
    holds("two");
}

static void what_is_no_file_of_ours_is_bad_and_can_be_put_aside(void **state)
{
    (void)state;
    assert_true(state_file_write(path, "123456", 6, why));
    assert_int_equal(found(5), STATE_FILE_BAD);
    assert_true(state_file_put_aside(path, why));
    assert_int_equal(found(5), STATE_FILE_NONE);
    assert_int_equal(access(beside(".bad"), F_OK), 0);
    assert_int_equal(symlink(beside(".bad"), path), 0);
    assert_int_equal(found(100), STATE_FILE_BAD);
    assert_non_null(strstr(why, "symbolic link"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(found(100), STATE_FILE_BAD);
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(found(100), STATE_FILE_BAD);
    assert_false(state_file_put_aside(path, why)); /* a folder does not replace a file */
    assert_non_null(strstr(why, ".bad"));
}

static void the_lock_has_one_holder_and_goes_with_him(void **state)
{
    int lock = state_file_lock(path, 0, why), held[2], status;
    char c;

    (void)state;
    assert_true(lock >= 0);
    assert_int_equal(state_file_lock(path, 20, why), STATE_LOCK_BUSY);
    assert_non_null(strstr(why, "20 ms"));
    state_file_unlock(&lock);
    assert_int_equal(pipe(held), 0);
    pid_t child = fork();
    if (child == 0) {
        c = state_file_lock(path, 0, why) >= 0 ? 'y' : 'n';
        (void)!write(held[1], &c, 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(held[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_int_equal(state_file_lock(path, 0, why), STATE_LOCK_BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    lock = state_file_lock(path, 0, why);
    assert_true(lock >= 0);
    state_file_unlock(&lock);
    close(held[0]);
    close(held[1]);
}

static void a_lock_without_its_name_is_no_lock(void **state)
{
    int lock = state_file_lock(path, 0, why);

    (void)state;
    assert_int_equal(rename(beside(".lock"), beside(".else")), 0);
    int other = state_file_lock(path, 0, why);
    assert_true(other >= 0);
    assert_int_equal(state_file_lock(path, 0, why), STATE_LOCK_BUSY);
    state_file_unlock(&lock);
    assert_int_equal(state_file_lock(path, 0, why), STATE_LOCK_BUSY);
    state_file_unlock(&other);
}

static void the_owner_is_whom_the_lock_names(void **state)
{
    const struct state_owner me = {{getpid(), process_start_ticks(getpid())}, UINT64_MAX}, other = {{1, 77}, 5};
    struct state_owner owner;

    (void)state;
    state_file_look(path, &owner);
    assert_int_equal(owner.master.pid, 0);
    int lock = state_file_lock(path, 0, why);
    state_file_owner(lock, &owner);
    assert_int_equal(owner.master.pid, 0);
    assert_true(state_file_own(lock, &other, why));
    assert_true(state_file_own(lock, &me, why));
    state_file_owner(lock, &owner);
    assert_true(owner.master.pid == me.master.pid && owner.master.start_ticks == me.master.start_ticks);
    assert_true(owner.zone == me.zone);
    state_file_unlock(&lock);
    state_file_look(path, &owner);
    assert_true(process_is(&owner.master, &me.master));
    assert_false(process_is(&owner.master, &other.master));
    assert_int_equal(truncate(beside(".lock"), 5), 0);
    state_file_look(path, &owner);
    assert_int_equal(owner.master.pid, 0);
}

static void another_writing_has_another_mark(void **state)
{
    const struct state_mark none = {0};

    (void)state;
    struct state_mark mark = state_file_mark(path);
    assert_true(state_mark_is(&mark, &none));
    assert_true(state_file_write(path, "one", 3, why));
    struct state_mark one = state_file_mark(path), again = state_file_mark(path);
    assert_true(one.inode != 0 && state_mark_is(&one, &again));
    assert_true(state_file_write(path, "two!", 4, why));
    struct state_mark two = state_file_mark(path);
    assert_false(state_mark_is(&one, &two));
}

static void a_process_is_its_pid_and_its_start(void **state)
{
    struct process me = {getpid(), process_start_ticks(getpid())};
    int status;

    (void)state;
    assert_true(me.start_ticks != 0);
    assert_true(process_lives(&me));
    me.start_ticks++;
    assert_false(process_lives(&me));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    struct process gone = {child, 0};
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(process_lives(&gone)); /* a zombie */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(process_lives(&gone));
}

#define with_folder(f) cmocka_unit_test_setup_teardown(f, folder, folder_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(what_is_written_is_read_and_the_last_one_stays),
        with_folder(who_dies_while_writing_leaves_the_file_as_it_was),
        with_folder(what_is_no_file_of_ours_is_bad_and_can_be_put_aside),
        with_folder(the_lock_has_one_holder_and_goes_with_him),
        with_folder(a_lock_without_its_name_is_no_lock),
        with_folder(the_owner_is_whom_the_lock_names),
        with_folder(another_writing_has_another_mark),
        cmocka_unit_test(a_process_is_its_pid_and_its_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
