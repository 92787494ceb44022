/* store_sqlite.c - the journal is opened: to write, with its WAL made ready, or to read alone. */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/mem.h"
#include "url.h"

/* So many pages of 4 kB may stand in the WAL before they are brought into the database, which stops us for as long as
 * the disk takes; so much of the WAL is made ready beforehand: a commit that need not make its file longer is done
 * sooner (measured: tests/bench/README.md). */
#define WAL_PAGES  4000
#define WAL_READY  (4 * 1024 * 1024)
#define WAL_PIECE  (64 * 1024)          /* SQLite's files take less than 128 kB at once */
#define DISK_SPARE (64LL * 1024 * 1024) /* but not where this is all that is free */
#define TEXT(x)    TEXT_(x)
#define TEXT_(x)   #x

/* FULL: in WAL mode only that makes a commit outlive a power cut. */
static const char SETTINGS[] = "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=" TEXT(
    WAL_PAGES) ";"
               "PRAGMA cache_size=-512;";

/* The switch to WAL needs the file alone for a moment and does not heed the busy timeout. Where the file system cannot
 * do WAL the mode stays as it was: slower, no less durable. */
static int wal_enter(sqlite3 *db)
{
    int rc;

    for (int waited_ms = 0; waited_ms < STORE_BUSY_LIMIT_MS; waited_ms += 20) {
        rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY)
            break;
        sqlite3_sleep(20);
    }
    return rc;
}

static bool disk_has_room(const char *path)
{
    struct statvfs disk;

    return statvfs(path, &disk) == 0 && (long long)disk.f_bavail * (long long)disk.f_frsize > DISK_SPARE;
}

/* Zeros behind what is there are no frames to SQLite: it tells those by their sums. Where there is no room for them,
 * the WAL grows as it is needed. Within a transaction alone: else another process may put a frame where we write. */
static void wal_make_ready(const struct store_sqlite *store)
{
    static const char zeros[WAL_PIECE];
    sqlite3_file *wal = NULL;
    sqlite3_int64 there = 0, at;
    int rc = SQLITE_OK;

    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal) != SQLITE_OK ||
        wal == NULL || wal->pMethods == NULL || wal->pMethods->xFileSize(wal, &there) != SQLITE_OK ||
        there >= WAL_READY || !disk_has_room(store->path))
        return;
    for (at = there; at < WAL_READY && rc == SQLITE_OK; at += WAL_PIECE)
        rc = wal->pMethods->xWrite(wal, zeros, WAL_PIECE, at);
    if (rc != SQLITE_OK)
        (void)wal->pMethods->xTruncate(wal, there);
    (void)wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
}

static bool database_open(struct store_sqlite *store, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc;

    errno = 0;
    rc = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(store->db, STORE_BUSY_LIMIT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, SETTINGS, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = wal_enter(store->db);
    if (rc == SQLITE_OK && sqlite3_db_readonly(store->db, NULL) == 1)
        rc = SQLITE_READONLY; /* else its transactions would merely read */
    if (rc != SQLITE_OK)
        return store_db_fail(store, rc, err);
    if (!store_db_begin(store, err))
        return false;
    wal_make_ready(store);
    if (!store_db_end(store, store_schema_make(store, err), err))
        return false;
    store_files_note(&store->files, store->path);
    rc = store_append_prepare(store);
    return rc == SQLITE_OK || store_db_fail(store, rc, err);
}

static void sqlite_close(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;

    store_files_clear(&store->files);
    free(store->run_of);
    sqlite3_finalize(store->insert);
    sqlite3_close(store->db);
    free(store);
}

static struct store_sqlite *store_new(const char *folder)
{
    static const struct store_ops ops = {store_append, store_each, store_rollouts, sqlite_close};
    struct store_sqlite *store = mem_zero(1, sizeof *store);

    store->base.ops = &ops;
    snprintf(store->path, sizeof store->path, "%s/" STORE_FILE, folder);
    return store;
}

struct store *store_sqlite_open(const char *folder, struct err *err)
{
    struct store_sqlite *store;

    if (!store_folder_make(folder, err))
        return NULL;
    store = store_new(folder);
    if (!store_file_make(store->path, err) || !database_open(store, err)) {
        sqlite_close(&store->base);
        return NULL;
    }
    return &store->base;
}

/* ---- to read alone */

/* Whether the file can be read. A reader of a WAL journal needs the two files beside it, and makes
 * them where they are gone. */
static int look(struct store_sqlite *store, const char *name, int flags)
{
    int64_t pages;
    int rc;

    sqlite3_close(store->db);
    store->db = NULL;
    errno = 0;
    rc = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(store->db, STORE_BUSY_LIMIT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
    return rc == SQLITE_OK ? store_db_number(store->db, "PRAGMA schema_version", &pages) : rc;
}

/* In a folder where nothing can be made, what is whole in the one file is read as it stands. */
static int look_only(struct store_sqlite *store)
{
    int rc = look(store, store->path, SQLITE_OPEN_READONLY), kind = rc & 0xff;

    if ((kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY) && store_file_is_whole(store->path)) {
        char *path = url_encode(store->path, "/"), *uri = mem_format("file:%s?immutable=1", path);

        rc = look(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
        free(path);
        free(uri);
    }
    return rc;
}

struct store *store_sqlite_read(const char *folder, struct err *err)
{
    struct store_sqlite *store = store_new(folder);
    int64_t version = 0;
    bool good = false;

    (void)err_set(err, "%s", "");
    if (access(store->path, R_OK) != 0) {
        if (errno != ENOENT)
            (void)err_set(err, "the journal %s cannot be read: %s", store->path, strerror(errno));
    } else {
        int rc = look_only(store);

        good = (rc == SQLITE_OK || store_db_fail(store, rc, err)) && store_schema_check(store, &version, err) &&
               version != 0;
    }
    if (good)
        return &store->base;
    sqlite_close(&store->base);
    return NULL;
}
