/* One table of promises, held by both stores; then what only the journal on disk can promise. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/plan_pack.h"
#include "controller/store.h"
#include "tests/sim/fake_plan.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a folder of the test's own */

static char folder[] = "/tmp/rollout-store-XXXXXX";
static char journal_folder[64], journal_file[80];

static int folder_up(void **state)
{
    (void)state;
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(journal_folder, sizeof journal_folder, "%s/a/b", folder);
    snprintf(journal_file, sizeof journal_file, "%s/rollouts.db", journal_folder);
    return 0;
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

static struct store *open_journal(void)
{
    struct err err = {""};
    struct store *store = store_sqlite_open(journal_folder, &err);

    if (store == NULL)
        fail_msg("%s", err.text);
    return store;
}

static void refuses_to_open(const char *where, const char *sentence)
{
    struct err err = {""};
    struct store *store = store_sqlite_open(where, &err);

    if (store != NULL)
        fail_msg("%s was opened", where);
    if (strstr(err.text, sentence) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.text, sentence);
}

static void run_sql(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(journal_file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- events */

static struct event event_of(const char *rollout, enum event_kind kind, const char *text)
{
    struct event event;

    memset(&event, 0, sizeof event);
    event.rollout = rollout;
    event.kind = kind;
    event.node = EVENT_NO_NODE;
    event.wall_ms = 1763913600123;
    snprintf(event.text, sizeof event.text, "%s", text);
    return event;
}

static void append(struct store *store, struct event *events, size_t n)
{
    struct err err = {""};

    if (!store->ops->append(store, events, n, &err))
        fail_msg("%s", err.text);
}

struct seen {
    size_t n, stop_after;
    char texts[4096];
    struct event last;
    char last_payload[64];
};

static bool see(void *ctx, const struct event *event)
{
    struct seen *seen = ctx;
    size_t length = strlen(seen->texts);

    if (seen->n > 0)
        assert_true(event->seq > seen->last.seq);
    seen->n++;
    seen->last = *event;
    snprintf(seen->last_payload, sizeof seen->last_payload, "%s", event->payload == NULL ? "-" : event->payload);
    snprintf(seen->texts + length, sizeof seen->texts - length, "%s ", event->text);
    return seen->n != seen->stop_after;
}

static struct seen read_back(struct store *store, const char *rollout, uint64_t from)
{
    struct seen seen;
    struct err err = {""};

    memset(&seen, 0, sizeof seen);
    if (!store->ops->each(store, rollout, from, see, &seen, &err))
        fail_msg("%s", err.text);
    return seen;
}

/* ---- what both promise */

static void each_member_comes_back(struct store *store)
{
    char rollout[] = "r1", payload[] = "{\"plan\":1}";
    struct event events[2] = {event_of(rollout, EVENT_BEGAN, "first"),
                              event_of(rollout, EVENT_STEP, "caf\303\251; 'x'")};
    struct seen seen;

    events[0].payload = payload;
    events[1].node = 7;
    events[1].upstream = 3;
    events[1].from = STEP_DRAIN;
    events[1].code = -1;
    events[1].state.step = STEP_QUIET;
    events[1].state.out_mask = 5;
    events[1].state.now.pid = 4711;
    append(store, events, 2);
    memset(rollout, 'x', sizeof rollout - 1); /* the store has copies of its own */
    memset(payload, 'x', sizeof payload - 1);

    seen = read_back(store, "r1", events[1].seq);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.seq, events[1].seq);
    assert_int_equal(seen.last.wall_ms, 1763913600123);
    assert_int_equal(seen.last.kind, EVENT_STEP);
    assert_int_equal(seen.last.node, 7);
    assert_int_equal(seen.last.upstream, 3);
    assert_int_equal(seen.last.from, STEP_DRAIN);
    assert_int_equal(seen.last.code, -1);
    assert_string_equal(seen.last.text, "caf\303\251; 'x'");
    assert_string_equal(seen.last_payload, "-");
    assert_memory_equal(&seen.last.state, &events[1].state, sizeof seen.last.state);

    seen = read_back(store, "r1", 0);
    assert_string_equal(seen.texts, "first caf\303\251; 'x' ");
    append(store, events, 0);
    assert_int_equal(read_back(store, "r1", 0).n, 2);
}

static bool same_payload(void *ctx, const struct event *event)
{
    const char *wanted = ctx;

    assert_non_null(event->payload);
    assert_int_equal(strlen(event->payload), strlen(wanted));
    assert_string_equal(event->payload, wanted);
    return true;
}

/* The plan of 10,000 nodes is 6 MB. */
static void a_payload_comes_back_however_long_it_is(struct store *store)
{
    static const size_t sizes[] = {1, 4096, 256 * 1024 - 1, 256 * 1024, 3 * 1024 * 1024 + 7};
    char rollout[8];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *payload = malloc(sizes[i] + 1);
        struct event event;
        struct err err = {""};

        for (size_t k = 0; k < sizes[i]; k++)
            payload[k] = (char)('a' + (k + k / 4096) % 26);
        payload[sizes[i]] = '\0';
        snprintf(rollout, sizeof rollout, "r%zu", i);
        event = event_of(rollout, EVENT_BEGAN, "");
        event.payload = payload;
        assert_true(store->ops->append(store, &event, 1, &err));
        assert_int_not_equal(event.seq, 0);
        assert_true(store->ops->each(store, rollout, 0, same_payload, payload, &err));
        free(payload);
    }
}

/* It is written piece by piece. */
static void a_plan_comes_back_as_it_is_packed(struct store *store)
{
    for (uint32_t nodes = 1; nodes <= 26; nodes += 25) {
        struct plan *plan = fake_plan((struct fake_shape){.nodes = nodes, .lbs = 2});
        char rollout[16], *packed = plan_pack(plan);
        struct event event;
        struct err err;

        snprintf(rollout, sizeof rollout, "plan%u", nodes);
        event = event_of(rollout, EVENT_BEGAN, "");
        event.plan = plan;
        append(store, &event, 1);
        assert_true(store->ops->each(store, rollout, 0, same_payload, packed, &err));
        free(packed);
        plan_free(&plan);
    }
}

static void the_first_event_keeps_its_payload_and_names_no_node(struct store *store)
{
    struct event event = event_of("r", EVENT_BEGAN, "");
    struct seen seen;

    event.payload = "{}";
    append(store, &event, 1);
    seen = read_back(store, "r", 0);
    assert_string_equal(seen.last_payload, "{}");
    assert_int_equal(seen.last.node, EVENT_NO_NODE);
    assert_int_equal(seen.last.kind, EVENT_BEGAN);
}

static void rollouts_are_kept_apart_and_seq_rises_over_all(struct store *store)
{
    struct event events[3] = {event_of("r1", EVENT_NOTE, "a"), event_of("r2", EVENT_NOTE, "b"),
                              event_of("r1", EVENT_NOTE, "c")};
    struct event later = event_of("r2", EVENT_ENDED, "d");

    append(store, events, 3);
    append(store, &later, 1);
    assert_true(events[0].seq > 0 && events[0].seq < events[1].seq);
    assert_true(events[1].seq < events[2].seq && events[2].seq < later.seq);
    assert_string_equal(read_back(store, "r1", 0).texts, "a c ");
    assert_string_equal(read_back(store, "r2", 0).texts, "b d ");
    assert_string_equal(read_back(store, "r2", events[2].seq).texts, "d ");
    assert_int_equal(read_back(store, "r2", later.seq + 1).n, 0);
    assert_int_equal(read_back(store, "r", 0).n, 0);
}

static void reading_stops_when_the_reader_says_so(struct store *store)
{
    struct event events[3] = {event_of("r", EVENT_NOTE, "a"), event_of("r", EVENT_NOTE, "b"),
                              event_of("r", EVENT_NOTE, "c")};
    struct seen seen;
    struct err err = {""};

    append(store, events, 3);
    memset(&seen, 0, sizeof seen);
    seen.stop_after = 2;
    assert_false(store->ops->each(store, "r", 0, see, &seen, &err));
    assert_string_equal(seen.texts, "a b ");
    assert_string_equal(err.text, "");
}

static void a_thousand_events_go_in_at_once(struct store *store)
{
    static struct event events[1000];

    for (size_t i = 0; i < COUNT(events); i++)
        events[i] = event_of("r", i == 0 ? EVENT_BEGAN : EVENT_STEP, "");
    append(store, events, COUNT(events));
    assert_int_equal(read_back(store, "r", 0).n, COUNT(events));
    assert_int_equal(read_back(store, "r", events[999].seq).n, 1);
}

static void (*const PROMISES[])(struct store *) = {
    each_member_comes_back,
    a_payload_comes_back_however_long_it_is,
    a_plan_comes_back_as_it_is_packed,
    the_first_event_keeps_its_payload_and_names_no_node,
    rollouts_are_kept_apart_and_seq_rises_over_all,
    reading_stops_when_the_reader_says_so,
    a_thousand_events_go_in_at_once,
};

static void memory_keeps_the_promises_of_a_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(PROMISES); i++) {
        struct store *store = store_memory_open();
        PROMISES[i](store);
        store->ops->close(store);
    }
}

static void the_journal_keeps_the_promises_of_a_store(void **state)
{
    for (size_t i = 0; i < COUNT(PROMISES); i++) {
        struct store *store;

        assert_int_equal(folder_up(state), 0);
        store = open_journal();
        PROMISES[i](store);
        store->ops->close(store);
        folder_down(state);
    }
}

static void every_kind_has_a_name_that_leads_back(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_COUNT; i++)
        assert_int_equal(event_kind_of(event_name((enum event_kind)i)), i);
    assert_int_equal(event_kind_of("lunch"), -1);
}

/* ---- what only the journal promises */

static void the_journal_outlives_its_process(void **state)
{
    struct event event = event_of("r", EVENT_BEGAN, "before"), more = event_of("r", EVENT_ENDED, "after");
    struct store *store = open_journal();
    uint64_t first;

    (void)state;
    append(store, &event, 1);
    first = event.seq;
    store->ops->close(store);
    store = open_journal();
    append(store, &more, 1);
    assert_true(more.seq > first);
    assert_string_equal(read_back(store, "r", 0).texts, "before after ");
    store->ops->close(store);
}

static void nobody_else_can_read_it(void **state)
{
    static const char *const files[] = {"a/b/rollouts.db", "a/b/rollouts.db-wal", "a/b/rollouts.db-shm"};
    static const char *const folders[] = {"a", "a/b"};
    mode_t mask = umask(0);
    struct store *store = open_journal();
    char path[128];
    struct stat what;

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(stat(path, &what), 0);
        assert_int_equal(what.st_mode & 0777, 0600);
    }
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        assert_int_equal(stat(path, &what), 0);
        assert_int_equal(what.st_mode & 0777, 0700);
    }
    store->ops->close(store);
    umask(mask);
}

static void two_rollouts_write_to_one_journal(void **state)
{
    struct store *one = open_journal(), *two = open_journal();
    struct event a = event_of("r1", EVENT_NOTE, "a"), b = event_of("r2", EVENT_NOTE, "b");

    (void)state;
    append(one, &a, 1);
    append(two, &b, 1);
    assert_true(b.seq > a.seq);
    assert_string_equal(read_back(one, "r2", 0).texts, "b ");
    one->ops->close(one);
    two->ops->close(two);
}

static off_t wal_size(void)
{
    char wal[PATH_MAX];
    struct stat st;

    (void)snprintf(wal, sizeof wal, "%s-wal", journal_file);
    return stat(wal, &st) == 0 ? st.st_size : -1;
}

static void a_commit_makes_no_file_longer_at_first(void **state)
{
    struct store *store = open_journal(), *other;
    off_t size = wal_size();

    (void)state;
    assert_in_range(size, 1024 * 1024, 64 * 1024 * 1024);
    for (int i = 0; i < 20; i++) {
        struct event event = event_of("r", EVENT_NOTE, "a");

        append(store, &event, 1);
        assert_int_equal(wal_size(), size);
    }
    other = open_journal(); /* which finds it made ready */
    assert_int_equal(wal_size(), size);
    assert_int_equal(read_back(other, "r", 0).n, 20);
    other->ops->close(other);
    store->ops->close(store);
}

/* What it was made ready with is nothing to who comes after a crash. */
static void a_journal_that_was_never_closed_is_whole(void **state)
{
    int status;
    pid_t child = fork();
    struct store *store;

    (void)state;
    if (child == 0) {
        struct event event = event_of("r", EVENT_NOTE, "a");

        append(open_journal(), &event, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store = open_journal();
    assert_string_equal(read_back(store, "r", 0).texts, "a ");
    store->ops->close(store);
}

static void a_newer_schema_is_refused(void **state)
{
    struct store *store = open_journal();

    (void)state;
    store->ops->close(store);
    run_sql("PRAGMA user_version=7");
    refuses_to_open(journal_folder, "was written by a newer rollout (schema 7");
}

static void another_programs_database_is_left_alone(void **state)
{
    struct store *store = open_journal();

    (void)state;
    store->ops->close(store);
    run_sql("PRAGMA application_id=1");
    refuses_to_open(journal_folder, "another program's database");
    assert_int_equal(unlink(journal_file), 0);
    run_sql("CREATE TABLE photos(a)");
    refuses_to_open(journal_folder, "another program's database");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct store *store = open_journal();
    FILE *file;

    (void)state;
    store->ops->close(store);
    file = fopen(journal_file, "we");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    refuses_to_open(journal_folder, "no SQLite database");
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    close(open(path, O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
    refuses_to_open(path, "is not a folder");
    strcat(path, "/below");
    refuses_to_open(path, "cannot be made");
    refuses_to_open("/proc/nowhere", "cannot be made");
    refuses_to_open("", "is empty");
}

static void a_kind_of_a_later_version_is_an_error_and_no_guess(void **state)
{
    struct store *store = open_journal();
    struct event event = event_of("r", EVENT_NOTE, "a");
    struct seen seen;
    struct err err = {""};

    (void)state;
    append(store, &event, 1);
    store->ops->close(store);
    run_sql("UPDATE event SET kind='lunch'");
    store = open_journal();
    memset(&seen, 0, sizeof seen);
    assert_false(store->ops->each(store, "r", 0, see, &seen, &err));
    assert_non_null(strstr(err.text, "\"lunch\""));
    assert_int_equal(seen.n, 0);
    store->ops->close(store);
}

static void a_lock_is_waited_for_and_then_reported(void **state)
{
    struct store *store = open_journal();
    struct event event = event_of("r", EVENT_NOTE, "a");
    struct err err = {""};
    sqlite3 *other = NULL;

    (void)state;
    assert_int_equal(sqlite3_open(journal_file, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(store->ops->append(store, &event, 1, &err));
    assert_non_null(strstr(err.text, "locked by another program"));
    assert_int_equal(event.seq, 0);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    append(store, &event, 1);
    sqlite3_close(other);
    store->ops->close(store);
}

static void when_the_disk_takes_no_more_none_of_the_events_is_there(void **state)
{
    static struct event events[500];
    struct store *store = open_journal();
    struct rlimit before, tight;
    struct err err = {""};

    (void)state;
    for (size_t i = 0; i < COUNT(events); i++)
        events[i] = event_of("r", EVENT_STEP, "a sentence that takes some room in the file");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)64 * 1024;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_false(store->ops->append(store, events, COUNT(events), &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(err.text, journal_file));
    assert_int_equal(events[0].seq, 0);
    assert_int_equal(read_back(store, "r", 0).n, 0);
    append(store, events, COUNT(events)); /* and once there is room it goes on */
    assert_int_equal(read_back(store, "r", 0).n, COUNT(events));
    store->ops->close(store);
}

static void refuses_to_append(struct store *store, const char *path)
{
    struct event event = event_of("r", EVENT_NOTE, "b");
    struct err err = {""};

    assert_false(store->ops->append(store, &event, 1, &err));
    if (strstr(err.text, path) == NULL || strstr(err.text, "--rollout-id r") == NULL)
        fail_msg("\"%s\" names not both %s and r", err.text, path);
    assert_int_equal(event.seq, 0);
}

/* What is written to a file that no name leads to is found by nobody. */
static void a_journal_whose_files_are_taken_away_takes_no_more_until_they_are_back(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct store *store = open_journal();
    struct event event = event_of("r", EVENT_NOTE, "a");

    (void)state;
    append(store, &event, 1);
    for (size_t i = 0; i < COUNT(ends); i++) {
        char path[96], aside[104];
        FILE *other;

        snprintf(path, sizeof path, "%s%s", journal_file, ends[i]);
        snprintf(aside, sizeof aside, "%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        refuses_to_append(store, path);
        other = fopen(path, "w");
        assert_non_null(other);
        assert_int_equal(fclose(other), 0);
        refuses_to_append(store, path);
        assert_int_equal(rename(aside, path), 0);
        append(store, &event, 1);
    }
    assert_string_equal(read_back(store, "r", 0).texts, "a a a a ");
    store->ops->close(store);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, folder_up, folder_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_leads_back),
        cmocka_unit_test(memory_keeps_the_promises_of_a_store),
        cmocka_unit_test(the_journal_keeps_the_promises_of_a_store),
        ON_DISK(the_journal_outlives_its_process),
        ON_DISK(nobody_else_can_read_it),
        ON_DISK(two_rollouts_write_to_one_journal),
        ON_DISK(a_commit_makes_no_file_longer_at_first),
        ON_DISK(a_journal_that_was_never_closed_is_whole),
        ON_DISK(a_journal_whose_files_are_taken_away_takes_no_more_until_they_are_back),
        ON_DISK(a_newer_schema_is_refused),
        ON_DISK(another_programs_database_is_left_alone),
        ON_DISK(a_file_that_is_no_database_is_refused),
        ON_DISK(a_folder_that_cannot_be_made_is_named),
        ON_DISK(a_kind_of_a_later_version_is_an_error_and_no_guess),
        ON_DISK(a_lock_is_waited_for_and_then_reported),
        ON_DISK(when_the_disk_takes_no_more_none_of_the_events_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
