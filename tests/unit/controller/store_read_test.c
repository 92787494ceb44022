/* The journal read while others write, and what is said where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "controller/alive.h"
#include "controller/store.h"

static char folder[64];

static int folder_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/rollout-read-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int drop(const char *path, const struct stat *what, int flag, struct FTW *place)
{
    (void)what, (void)flag, (void)place;
    return remove(path);
}

static int folder_down(void **state)
{
    (void)state;
    return nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static struct store *opened(struct store *(*open)(const char *, struct err *))
{
    struct err err = {""};
    struct store *store = open(folder, &err);

    if (store == NULL)
        fail_msg("%s", err.text);
    return store;
}

static void append(struct store *store, const char *rollout, enum event_kind kind, int code)
{
    struct event e = {.rollout = rollout, .kind = kind, .node = EVENT_NO_NODE, .code = code, .wall_ms = 1000};
    struct err err = {""};

    e.payload = kind == EVENT_BEGAN ? "{}" : NULL;
    if (!store->ops->append(store, &e, 1, &err))
        fail_msg("%s", err.text);
}

static bool take_row(void *ctx, const struct store_row *row)
{
    char *text = ctx;

    (void)sprintf(text + strlen(text), "%s:%s:%s:%d ", row->rollout, row->plan == NULL ? "" : row->plan,
                  row->last_kind == EVENT_COUNT ? "?" : event_name(row->last_kind), row->code);
    return true;
}

static void lists_rollouts(struct store *store, struct store *reader)
{
    char text[400] = "";

    append(store, "a", EVENT_BEGAN, 0);
    append(store, "b", EVENT_BEGAN, 0);
    append(store, "a", EVENT_RELEASED, 0);
    append(store, "a", EVENT_ENDED, 3);
    append(store, "c", EVENT_STOPPING, 0);
    append(store, "b", EVENT_BEGAN, 0);
    assert_true(reader->ops->rollouts(reader, take_row, text, NULL));
    assert_string_equal(text, "b:{}:began:0 c::stopping:0 a:{}:ended:3 ");
}

static void rollouts_are_listed_by_both_stores_the_latest_first(void **state)
{
    struct store *memory = store_memory_open(), *journal = opened(store_sqlite_open);

    (void)state;
    lists_rollouts(memory, memory);
    lists_rollouts(journal, journal);
    memory->ops->close(memory);
    journal->ops->close(journal);
}

/* Two jobs of a pipeline, in one state folder. */
static void of_two_runs_at_once_the_one_that_began_last_says_how_it_ended(void **state)
{
    struct store *one = opened(store_sqlite_open), *two = opened(store_sqlite_open);
    char text[400] = "";

    (void)state;
    append(one, "a", EVENT_BEGAN, 0);
    append(two, "a", EVENT_BEGAN, 0);
    append(two, "a", EVENT_ENDED, 3);
    append(one, "a", EVENT_RELEASED, 0);
    append(one, "a", EVENT_ENDED, 0);
    assert_true(one->ops->rollouts(one, take_row, text, NULL));
    assert_string_equal(text, "a:{}:ended:3 ");
    one->ops->close(one);
    two->ops->close(two);
}

static bool take_run(void *ctx, const struct event *e)
{
    char *text = ctx;

    (void)sprintf(text + strlen(text), "%llu ", (unsigned long long)e->run);
    return true;
}

static void without_runs(void)
{
    char path[96];
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/rollouts.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE event DROP COLUMN run", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_journal_from_before_the_runs_is_read_and_written(void **state)
{
    struct store *store = opened(store_sqlite_open);
    char text[400] = "";

    (void)state;
    append(store, "a", EVENT_BEGAN, 0);
    append(store, "a", EVENT_ENDED, 3);
    store->ops->close(store);
    without_runs();
    store = opened(store_sqlite_read);
    assert_true(store->ops->rollouts(store, take_row, text, NULL));
    assert_string_equal(text, "a:{}:ended:3 ");
    text[0] = '\0';
    assert_true(store->ops->each(store, "a", 0, take_run, text, NULL));
    assert_string_equal(text, "1 0 ");
    store->ops->close(store);
    store = opened(store_sqlite_open);
    append(store, "a", EVENT_BEGAN, 0);
    append(store, "a", EVENT_ENDED, 5);
    text[0] = '\0';
    assert_true(store->ops->each(store, "a", 0, take_run, text, NULL));
    assert_string_equal(text, "1 0 3 3 ");
    store->ops->close(store);
}

static void a_reader_sees_what_a_writer_has_written_so_far(void **state)
{
    struct store *journal = opened(store_sqlite_open), *reader;

    (void)state;
    reader = opened(store_sqlite_read);
    lists_rollouts(journal, reader);
    reader->ops->close(reader);
    journal->ops->close(journal);
}

static void a_reader_cannot_write(void **state)
{
    struct event e = {.rollout = "a", .kind = EVENT_BEGAN, .node = EVENT_NO_NODE};
    struct err err = {""};
    struct store *store;

    (void)state;
    store = opened(store_sqlite_open);
    store->ops->close(store);
    store = opened(store_sqlite_read);
    assert_false(store->ops->append(store, &e, 1, &err));
    assert_non_null(strstr(err.text, "read-only"));
    store->ops->close(store);
}

static void where_there_is_no_journal_none_is_made(void **state)
{
    struct err err = {"old"};
    struct stat there;
    char path[96];

    (void)state;
    assert_null(store_sqlite_read(folder, &err));
    assert_string_equal(err.text, "");
    (void)snprintf(path, sizeof path, "%s/rollouts.db", folder);
    assert_int_not_equal(stat(path, &there), 0);
    assert_null(store_sqlite_read("/nowhere/at/all", &err));
    assert_string_equal(err.text, "");
}

static void what_is_no_journal_is_named(void **state)
{
    struct err err = {""};
    char path[96];
    FILE *f;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/rollouts.db", folder);
    f = fopen(path, "w");
    for (int i = 0; i < 400; i++)
        (void)fputs("no database at all", f);
    (void)fclose(f);
    assert_null(store_sqlite_read(folder, &err));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "is not a journal"));
}

/* ---- alive */

static void a_process_is_alive_until_it_ends_whatever_the_way(void **state)
{
    int up[2], status;
    char byte;
    pid_t child;

    (void)state;
    assert_false(alive_look(folder, "r1"));
    assert_int_equal(pipe(up), 0);
    child = fork();
    if (child == 0) {
        (void)close(up[0]);
        if (alive_say(folder, "r1", NULL) >= 0 && write(up[1], "x", 1) == 1)
            (void)pause();
        _exit(1);
    }
    (void)close(up[1]);
    assert_int_equal(read(up[0], &byte, 1), 1);
    assert_true(alive_look(folder, "r1"));
    assert_false(alive_look(folder, "r2"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(alive_look(folder, "r1"));
    (void)close(up[0]);
}

static void two_processes_may_share_an_id(void **state)
{
    int one = alive_say(folder, "r1", NULL), two = alive_say(folder, "r1", NULL);

    (void)state;
    assert_true(one >= 0 && two >= 0);
    (void)close(one);
    assert_true(alive_look(folder, "r1"));
    (void)close(two);
    assert_false(alive_look(folder, "r1"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_up, folder_down)
    const struct CMUnitTest tests[] = {
        TEST(rollouts_are_listed_by_both_stores_the_latest_first),
        TEST(of_two_runs_at_once_the_one_that_began_last_says_how_it_ended),
        TEST(a_journal_from_before_the_runs_is_read_and_written),
        TEST(a_reader_sees_what_a_writer_has_written_so_far),
        TEST(a_reader_cannot_write),
        TEST(where_there_is_no_journal_none_is_made),
        TEST(what_is_no_journal_is_named),
        TEST(a_process_is_alive_until_it_ends_whatever_the_way),
        TEST(two_processes_may_share_an_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
