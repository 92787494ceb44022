/* rollout_store_case.c - a journal that cannot be written: before the first effect it is a clear error and nothing is
 * changed; in mid-rollout nothing new begins, what is in motion goes back or is finished, and no node is left out. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "small_disk.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define HOLD_MS      300 /* once released */

/* ---- before the first effect */

static void refuses(struct stage_fleet *f, const char *state, const char *text)
{
    struct stage *s = f->stage;
    const char *before = stage_fleet_picture(f);
    struct stage_rollout *r =
        stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){stage_text(s, "--state=%s", state), NULL});

    stage_rollout_expect(s, r, 78, STAGE_SAYS("no place for the journal (--state DIR names another)", text));
    assert_string_equal(stage_fleet_picture(f), before);
}

static void a_state_folder_that_cannot_be_used_is_refused_before_anything_is_changed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *garbage = stage_mkdir(s, "garbage"), *other = stage_mkdir(s, "other"), *newer = stage_mkdir(s, "newer");
    const char *file = stage_write(s, "file", "");
    sqlite3 *db;

    (void)stage_write(s, "garbage/rollouts.db", stage_text(s, "%04000d", 0));
    assert_int_equal(sqlite3_open(stage_text(s, "%s/rollouts.db", other), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE song(title TEXT)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    assert_int_equal(sqlite3_open(stage_text(s, "%s/rollouts.db", newer), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA application_id=0x726f6c6c; PRAGMA user_version=99", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    refuses(f, garbage, "the file is no SQLite database; move it away");
    refuses(f, other, "it is another program's database; move it away");
    refuses(f, newer, "was written by a newer rollout (schema 99");
    refuses(f, file, "is not a folder");
    refuses(f, stage_text(s, "%s/below", file), "cannot be made");
    refuses(f, "/proc/none", "cannot be made");
}

static void a_full_disk_is_refused_before_anything_is_changed(struct stage *s)
{
    const char *disk = small_disk(s, stage_mkdir(s, "disk"), 256);
    struct stage_fleet *f = stage_fleet(s, 2, 1);

    small_disk_fill(s, disk);
    refuses(f, disk, "the disk is full");
    small_disk_gone(disk);
}

static void a_read_only_disk_is_refused_before_anything_is_changed(struct stage *s)
{
    const char *disk = small_disk(s, stage_mkdir(s, "disk"), 8192);
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *state = stage_text(s, "--state=%s", disk);
    struct stage_rollout *told;

    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){state, "--rollout-id=one", NULL}), 0,
                         NULL);
    assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    refuses(f, disk, "Read-only file system");
    told = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"history", state, NULL});
    stage_rollout_expect(s, told, 0, STAGE_SAYS("restart of app on 2 nodes; exit code 0")); /* what is there is told */
    small_disk_gone(disk);
}

static void a_journal_that_another_program_locks_is_refused_before_anything_is_changed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *state = stage_mkdir(s, "locked");
    sqlite3 *db;

    assert_int_equal(sqlite3_open(stage_text(s, "%s/rollouts.db", state), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    refuses(f, state, "is locked by another program for more than 5 s");
    (void)sqlite3_close(db);
}

/* Its first page is well, so it opens; what is to be written cannot be. */
static void a_damaged_journal_stops_it_before_anything_is_changed(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *state = stage_mkdir(s, "state"), *option = stage_text(s, "--state=%s", state), *before;
    struct stage_rollout *r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){option, NULL});
    char noise[4096];
    struct stat there;
    int fd = open(stage_text(s, "%s/rollouts.db", state), O_WRONLY | O_CLOEXEC);

    stage_rollout_expect(s, r, 0, STAGE_SAYS("2 restarted"));
    memset(noise, 0x5a, sizeof noise);
    assert_int_equal(fstat(fd, &there), 0);
    for (off_t at = sizeof noise; at < there.st_size; at += (off_t)sizeof noise)
        assert_int_equal(pwrite(fd, noise, sizeof noise, at), sizeof noise);
    (void)close(fd);
    before = stage_fleet_picture(f);
    r = stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){option, NULL});
    stage_rollout_expect(s, r, 78,
                         STAGE_SAYS("the journal cannot be written: ", "is damaged; move it away", "2 not begun"));
    assert_string_equal(stage_fleet_picture(f), before);
    r = stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"status", option, NULL});
    stage_rollout_expect(s, r, 78, STAGE_SAYS("is damaged; move it away"));
}

/* ---- in mid-rollout */

struct midway {
    struct stage_fleet *fleet;
    struct stage_pids before;
    struct stage_hold *hold;
    struct stage_rollout *rollout;
};

/* A rollout whose node1 waits for a request to end. */
static struct midway draining(struct stage *s, const char *state)
{
    struct midway m = {.fleet = stage_fleet(s, 3, 2)};

    m.before = stage_fleet_pids(m.fleet);
    m.hold = stage_hold_start(m.fleet, 0, 0, HOLD_MS);
    m.rollout = stage_fleet_start(m.fleet, (const char *const[]){stage_text(s, "--state=%s", state), "--rollout-id=one",
                                                                 "--drain-timeout=30s", NULL});
    stage_rollout_until(s, m.rollout, "node1     quiet", RUN_LIMIT_MS);
    return m;
}

static void expect_back(struct midway *m, const char *text)
{
    struct stage *s = m->fleet->stage;

    stage_rollout_end(s, m->rollout, RUN_LIMIT_MS);
    stage_rollout_expect(s, m->rollout, 1, STAGE_SAYS("the journal cannot be written: ", text, "2 not begun"));
    assert_int_equal(stage_fleet_same_pids(m->fleet, &m->before), 3); /* no job left without its intent */
    assert_true(stage_fleet_all_up(m->fleet));
    assert_true(stage_fleet_is_free(m->fleet));
}

static void a_disk_that_fills_up_puts_the_node_back(struct stage *s)
{
    const char *disk = small_disk(s, stage_mkdir(s, "disk"), 8192);
    struct midway m = draining(s, disk);

    small_disk_fill(s, disk);
    stage_hold_release(m.hold);
    expect_back(&m, "disk");
    /* Somebody makes room, and the journal goes on. */
    assert_int_equal(unlink(stage_text(s, "%s/filler", disk)), 0);
    stage_rollout_expect(
        s, stage_fleet_run(m.fleet, RUN_LIMIT_MS, (const char *const[]){stage_text(s, "--state=%s", disk), NULL}), 0,
        STAGE_SAYS("3 restarted"));
    small_disk_gone(disk);
}

/* It is down, restarted, and not yet healthy when the disk fills up: it is finished, and nothing else begins. */
static void a_disk_that_fills_up_behind_the_job_lets_the_node_be_finished(struct stage *s)
{
    const char *disk = small_disk(s, stage_mkdir(s, "disk"), 8192);
    struct stage_fleet *f = stage_fleet(s, 3, 2);
    struct stage_rollout *r =
        stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(s, "v2"), "--min-healthy-time=1s",
                                                   stage_text(s, "--state=%s", disk), NULL});

    stage_rollout_until(s, r, "node1     health", RUN_LIMIT_MS);
    small_disk_fill(s, disk);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1, STAGE_SAYS("the journal cannot be written: ", "1 upgraded", "2 not begun"));
    assert_string_equal(stage_server_version(f->node[0].server), "2");
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    small_disk_gone(disk);
}

/* The same without root: a file may grow to so many bytes and no further (SIGXFSZ would kill who does not expect it).
 */
static void a_limit_on_the_size_of_files_puts_the_node_back(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    const char *state = stage_mkdir(s, "state");
    struct stage_run r =
        stage_run(s, RUN_LIMIT_MS,
                  (const char *const[]){"/bin/bash", "-c", "ulimit -f 64; exec \"$@\"", "sh",
                                        stage_text(s, "%s/rollout", s->build), "--hosts", f->hosts, "--cert",
                                        f->controller->cert, "--key", f->controller->key, "--cacert", f->controller->ca,
                                        "--min-healthy-time=100ms", "--health-interval=50ms", "--state", state, NULL});

    if (r.exit_code != 1 || strstr(r.out, "the journal cannot be written: ") == NULL ||
        strstr(r.out, "File too large") == NULL)
        stage_fail(s, "exit code %d, not 1; it said:\n%s%s", r.exit_code, r.out, r.err);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_journal_that_gets_locked_puts_the_node_back_and_is_whole_in_the_end(struct stage *s)
{
    const char *state = stage_mkdir(s, "state");
    struct midway m = draining(s, state);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(stage_text(s, "%s/rollouts.db", state), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    stage_hold_release(m.hold);
    stage_rollout_until(s, m.rollout, "the journal cannot be written", RUN_LIMIT_MS);
    (void)sqlite3_close(db); /* before the end, which is kept for it */
    expect_back(&m, "is locked by another program for more than 5 s");
    stage_rollout_expect(s,
                         stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"status", "one", "--state", state, NULL}),
                         0, STAGE_SAYS("with exit code 1", "2 not begun", "stopped: the journal cannot be written"));
}

static void a_journal_that_is_taken_away_puts_the_node_back(struct stage *s)
{
    const char *state = stage_mkdir(s, "state"), *aside = stage_text(s, "%s.aside", state);
    struct midway m = draining(s, state);

    assert_int_equal(rename(state, aside), 0);
    stage_hold_release(m.hold);
    expect_back(&m, "was removed or replaced while it was in use");
    assert_non_null(strstr(m.rollout->out, "with --rollout-id one (a resume as it is, with --hosts FILE)"));
    stage_rollout_expect(
        s,
        stage_fleet_run(m.fleet, RUN_LIMIT_MS,
                        (const char *const[]){stage_text(s, "--state=%s", state), "--rollout-id=one", NULL}),
        0, STAGE_SAYS("3 restarted"));
    stage_rollout_expect(s, stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"status", "--state", aside, NULL}), 0,
                         STAGE_SAYS("rollout one", "broken off after")); /* as far as it was told */
}

/* Whoever does so to files in use ends it at once; a node is out, and that is said. */
static void a_journal_that_somebody_cuts_short_ends_with_3_and_a_repair_mends_it(struct stage *s)
{
    const char *state = stage_mkdir(s, "state");
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    struct stage_hold *hold = stage_hold_start(f, 0, 0, HOLD_MS);
    struct stage_rollout *r = stage_fleet_start(
        f, (const char *const[]){stage_text(s, "--state=%s", state), "--lease-ttl=1s", "--drain-timeout=30s", NULL});

    stage_rollout_until(s, r, "node1     quiet", RUN_LIMIT_MS);
    assert_int_equal(truncate(stage_text(s, "%s/rollouts.db-shm", state), 0), 0);
    stage_hold_release(hold);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    assert_int_equal(r->exit_code, 3);
    assert_non_null(strstr(r->err, "A node may be out of rotation. Act now: rollout repair"));
    assert_false(stage_fleet_all_up(f));
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"repair", "--lease-ttl=1s", NULL}),
                         0, NULL);
    assert_true(stage_fleet_all_up(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_state_folder_that_cannot_be_used_is_refused_before_anything_is_changed),
        stage_test(a_full_disk_is_refused_before_anything_is_changed),
        stage_test(a_read_only_disk_is_refused_before_anything_is_changed),
        stage_test(a_journal_that_another_program_locks_is_refused_before_anything_is_changed),
        stage_test(a_damaged_journal_stops_it_before_anything_is_changed),
        stage_test(a_disk_that_fills_up_puts_the_node_back),
        stage_test(a_disk_that_fills_up_behind_the_job_lets_the_node_be_finished),
        stage_test(a_limit_on_the_size_of_files_puts_the_node_back),
        stage_test(a_journal_that_gets_locked_puts_the_node_back_and_is_whole_in_the_end),
        stage_test(a_journal_that_is_taken_away_puts_the_node_back),
        stage_test(a_journal_that_somebody_cuts_short_ends_with_3_and_a_repair_mends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
