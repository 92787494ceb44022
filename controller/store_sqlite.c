#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/mem.h"
#include "node_pack.h"
#include "plan.h"
#include "url.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x726f6c6c /* "roll" in the file's header, so that nobody else's database is written to */
#define BUSY_LIMIT_MS  5000       /* for another rollout's transaction, which takes milliseconds */
/* So many pages of 4 kB may stand in the WAL before they are brought into the database, which stops us for as long as
 * the disk takes; so much of the WAL is made ready beforehand: a commit that need not make its file longer is done
 * sooner (measured: tests/bench/README.md). */
#define WAL_PAGES  4000
#define WAL_READY  (4 * 1024 * 1024)
#define WAL_PIECE  (64 * 1024)          /* SQLite's files take less than 128 kB at once */
#define DISK_SPARE (64LL * 1024 * 1024) /* but not where this is all that is free */
#define TEXT(x)    TEXT_(x)
#define TEXT_(x)   #x

/* FULL: in WAL mode only that makes a commit outlive a power cut. AUTOINCREMENT: a seq is never used twice, also when
 * old rollouts are deleted some day. */
static const char SETTINGS[] = "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=" TEXT(
    WAL_PAGES) ";"
               "PRAGMA cache_size=-512;";
static const char SCHEMA[] =
    "CREATE TABLE event(seq INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL,"
    " wall_ms INTEGER NOT NULL, kind TEXT NOT NULL, node INTEGER, upstream INTEGER NOT NULL,"
    " from_step TEXT, code INTEGER NOT NULL, text TEXT NOT NULL, payload TEXT, state BLOB, run INTEGER);"
    "CREATE INDEX event_of_rollout ON event(rollout);"
    "PRAGMA application_id=" TEXT(APPLICATION_ID) "; PRAGMA user_version=" TEXT(SCHEMA_VERSION);
/* A journal of the first versions has no such column. They neither read nor write it, so it needs no other version. */
static const char ADD_RUN[] = "ALTER TABLE event ADD COLUMN run INTEGER";
static const char INSERT[] = "INSERT INTO event(rollout, wall_ms, kind, node, upstream, from_step, code, text, payload,"
                             " state, run) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
/* Each without and with that column. */
#define SELECT_WITH(run)                                                                                               \
    "SELECT rollout, wall_ms, kind, node, upstream, from_step, code, text, payload, state, " run                       \
    ", seq FROM event WHERE rollout = ?1 AND seq >= ?2 ORDER BY seq"
static const char *const SELECT[] = {SELECT_WITH("NULL"), SELECT_WITH("run")};
#define SELECT_ROLLOUTS_WITH(run)                                                                                      \
    "SELECT r.rollout, first.wall_ms, last.wall_ms, first.payload, own.kind, own.code"                                 \
    " FROM (SELECT rollout, min(seq) AS a, max(seq) AS z, max(CASE kind WHEN 'began' THEN seq ELSE 0 END) AS b"        \
    " FROM event GROUP BY rollout) AS r"                                                                               \
    " JOIN event AS first ON first.seq = r.a JOIN event AS last ON last.seq = r.z"                                     \
    " JOIN event AS own ON own.seq ="                                                                                  \
    " (SELECT max(seq) FROM event WHERE rollout = r.rollout AND seq >= r.b AND coalesce(" run                          \
    ", r.b) = r.b) ORDER BY r.z DESC"
static const char *const SELECT_ROLLOUTS[] = {SELECT_ROLLOUTS_WITH("NULL"), SELECT_ROLLOUTS_WITH("run")};
enum column { ROLLOUT, WALL_MS, KIND, NODE, UPSTREAM, FROM_STEP, CODE, SENTENCE, PAYLOAD, STATE, RUN, SEQ };

/* A journal is the database and what SQLite keeps beside it: without its WAL it lacks what was committed last, and of
 * two -shm files each has locks of its own. */
static const char *const PART_ENDS[] = {"", "-wal", "-shm"};
#define PARTS (sizeof PART_ENDS / sizeof *PART_ENDS)

struct part {
    char *path; /* NULL: there is none; not every file system can do WAL */
    dev_t disk;
    ino_t number;
};

struct store_sqlite {
    struct store base;
    sqlite3 *db;
    struct part parts[PARTS]; /* as they were when they were opened to write */
    sqlite3_stmt *insert;
    sqlite3_int64 run; /* the latest BEGAN that was appended here, and of which rollout; 0: none */
    char *run_of;
    char path[PATH_MAX];
};

/* ---- what went wrong, for people */

/* SQLite tries this and that before it gives up; what it heard last may be beside the point. */
static const char *why_not_made(const char *path, const char *system)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(folder[0] != '\0' ? folder : "/", W_OK) != 0 ? strerror(errno) : system;
}

static bool fail(const struct store_sqlite *store, int rc, struct err *err)
{
    const char *path = store->path;
    int number = errno; /* SQLite keeps the system's word for some of its errors only */
    const char *system = number != 0 ? strerror(number) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_FULL:
        return err_set(err, "the journal %s cannot grow: the disk is full", path);
    case SQLITE_NOTADB:
        return err_set(err, "%s is not a journal: the file is no SQLite database; move it away", path);
    case SQLITE_CORRUPT:
        return err_set(err, "the journal %s is damaged; move it away (the fleet itself says what is under way)", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, "the journal %s is locked by another program for more than %d s", path,
                       BUSY_LIMIT_MS / 1000);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(err, "the journal %s cannot be written: the file, its folder or its disk is read-only", path);
    case SQLITE_CANTOPEN:
        return err_set(err, "the journal %s cannot be opened, or no file made beside it: %s", path,
                       why_not_made(path, system));
    case SQLITE_NOMEM:
        return err_set(err, "out of memory for the journal %s", path);
    case SQLITE_IOERR:
        return err_set(err, "the journal %s cannot be read or written: %s", path, system);
    default:
        return err_set(err, "the journal %s: %s", path, store->db == NULL ? "no database" : sqlite3_errmsg(store->db));
    }
}

/* ---- whether it is still there */

static void parts_note(struct store_sqlite *store)
{
    struct stat there;

    for (size_t i = 0; i < PARTS; i++) {
        char *path = mem_format("%s%s", store->path, PART_ENDS[i]);

        if (stat(path, &there) == 0) {
            store->parts[i] = (struct part){.path = path, .disk = there.st_dev, .number = there.st_ino};
            path = NULL;
        }
        free(path);
    }
}

/* By their names: what is written to files that no name leads to is found by nobody. Some 4 us for all three. */
static bool parts_are_there(const struct store_sqlite *store, const char *rollout, struct err *err)
{
    for (size_t i = 0; i < PARTS; i++) {
        const struct part *part = &store->parts[i];
        struct stat there;
        int number;

        if (part->path == NULL)
            continue;
        number = stat(part->path, &there) == 0 ? 0 : errno;
        if (number != 0 && number != ENOENT)
            return err_set(err, "%s is out of reach: %s", part->path, strerror(number));
        if (number != 0 || there.st_dev != part->disk || there.st_ino != part->number)
            return err_set(err,
                           "%s was removed or replaced while it was in use; put it back, or run this again with "
                           "--rollout-id %s",
                           part->path, rollout);
    }
    return true;
}

/* ---- opening */

/* mkdir -p, and what it makes is for us alone: the journal holds host names and holders. */
static bool folder_make(const char *folder, struct err *err)
{
    char path[PATH_MAX - sizeof "/rollouts.db-journal"];
    struct stat there;
    int length = snprintf(path, sizeof path, "%s", folder);

    if (length <= 0 || (size_t)length >= sizeof path)
        return err_set(err, "the state folder's name is %s", folder[0] == '\0' ? "empty" : "too long");
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_set(err, "the state folder %s cannot be made: %s: %s", folder, path, strerror(errno));
        if (slash == NULL)
            break;
        *slash = '/';
    }
    if (stat(folder, &there) != 0 || !S_ISDIR(there.st_mode))
        return err_set(err, "the state folder %s is not a folder", folder);
    return true;
}

/* SQLite would make the file by the umask; the files that it puts beside it get this one's mode. One that is there is
 * left alone: to close any descriptor of a database drops this process's locks on it. */
static bool file_make(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST)
        return err_set(err, "the journal %s cannot be made: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return true;
}

static int pragma_number(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &query, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int64(query, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return rc;
}

/* The switch to WAL needs the file alone for a moment and does not heed the busy timeout. Where the file system cannot
 * do WAL the mode stays as it was: slower, no less durable. */
static int wal_enter(sqlite3 *db)
{
    int rc;

    for (int waited_ms = 0; waited_ms < BUSY_LIMIT_MS; waited_ms += 20) {
        rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY)
            break;
        sqlite3_sleep(20);
    }
    return rc;
}

/* What of a schema is there: *version 0 = none yet. */
static bool schema_check(struct store_sqlite *store, int64_t *version, struct err *err)
{
    int64_t application = 0, tables = 0;
    int rc = pragma_number(store->db, "PRAGMA user_version", version);

    if (rc == SQLITE_OK)
        rc = pragma_number(store->db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = pragma_number(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return fail(store, rc, err);
    if (application != APPLICATION_ID && (tables != 0 || application != 0 || *version != 0))
        return err_set(err, "%s is not a journal: it is another program's database; move it away", store->path);
    if (*version > SCHEMA_VERSION)
        return err_set(err,
                       "the journal %s was written by a newer rollout (schema %lld; this one knows %d): use the newer"
                       " program or another state folder",
                       store->path, (long long)*version, SCHEMA_VERSION);
    return true;
}

/* In a transaction: of two rollouts that start at once, one makes the schema. */
static bool has_run(sqlite3 *db)
{
    int64_t n = 0;

    return pragma_number(db, "SELECT count(*) FROM pragma_table_info('event') WHERE name = 'run'", &n) == SQLITE_OK &&
           n != 0;
}

static bool schema_make(struct store_sqlite *store, struct err *err)
{
    int64_t version = 0;
    int rc = SQLITE_OK;

    if (!schema_check(store, &version, err))
        return false;
    if (version == 0)
        rc = sqlite3_exec(store->db, SCHEMA, NULL, NULL, NULL);
    else if (!has_run(store->db))
        rc = sqlite3_exec(store->db, ADD_RUN, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(store, rc, err);
}

/* Ends the transaction either way; a commit that failed is undone. */
static bool transaction_end(struct store_sqlite *store, bool good, struct err *err)
{
    int rc = good ? sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) : SQLITE_OK;

    if (rc != SQLITE_OK)
        good = fail(store, rc, err);
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return good;
}

static bool transaction_begin(struct store_sqlite *store, struct err *err)
{
    int rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    return rc == SQLITE_OK || fail(store, rc, err);
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
        rc = sqlite3_busy_timeout(store->db, BUSY_LIMIT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, SETTINGS, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = wal_enter(store->db);
    if (rc == SQLITE_OK && sqlite3_db_readonly(store->db, NULL) == 1)
        rc = SQLITE_READONLY; /* else its transactions would merely read */
    if (rc != SQLITE_OK)
        return fail(store, rc, err);
    if (!transaction_begin(store, err))
        return false;
    wal_make_ready(store);
    if (!transaction_end(store, schema_make(store, err), err))
        return false;
    parts_note(store);
    rc = sqlite3_prepare_v3(store->db, INSERT, -1, SQLITE_PREPARE_PERSISTENT, &store->insert, NULL);
    return rc == SQLITE_OK || fail(store, rc, err);
}

/* ---- the three operations */

static bool has_state(enum event_kind kind)
{
    return kind == EVENT_STEP || kind == EVENT_NOTE;
}

/* A NULL text is bound as NULL. Borrowed until the row is written. */
static int bind_text(sqlite3_stmt *insert, enum column column, const char *text)
{
    return sqlite3_bind_text(insert, (int)column + 1, text, -1, SQLITE_STATIC);
}

/* ---- a plan is written piece by piece: bound as one text, SQLite would copy it once more */

struct plan_piece {
    sqlite3_blob *blob;
    int at, rc;
};

static bool count_piece(void *ctx, const char *piece, size_t n)
{
    (void)ctx, (void)piece, (void)n;
    return true;
}

static bool write_piece(void *ctx, const char *piece, size_t n)
{
    struct plan_piece *w = ctx;

    w->rc = sqlite3_blob_write(w->blob, piece, (int)n, w->at);
    w->at += (int)n;
    return w->rc == SQLITE_OK;
}

static int bind_room(sqlite3_stmt *insert, const struct plan *plan)
{
    size_t n = plan_pack_to(plan, count_piece, NULL);

    return n <= INT_MAX ? sqlite3_bind_zeroblob(insert, PAYLOAD + 1, (int)n) : SQLITE_TOOBIG;
}

/* Into the room of the row that was just written. */
static int plan_write(sqlite3 *db, const struct plan *plan)
{
    struct plan_piece w = {0};
    int rc = sqlite3_blob_open(db, "main", "event", "payload", sqlite3_last_insert_rowid(db), 1, &w.blob);

    if (rc == SQLITE_OK) {
        (void)plan_pack_to(plan, write_piece, &w);
        rc = sqlite3_blob_close(w.blob);
    }
    return w.rc != SQLITE_OK ? w.rc : rc;
}

static sqlite3_int64 run_of(const struct store_sqlite *store, const struct event *event)
{
    return store->run != 0 && strcmp(store->run_of, event->rollout) == 0 ? store->run : 0;
}

static void run_begins(struct store_sqlite *store, const struct event *event)
{
    free(store->run_of);
    store->run_of = mem_text(event->rollout);
    store->run = (sqlite3_int64)event->seq;
}

static int event_insert(struct store_sqlite *store, const struct event *event)
{
    sqlite3_stmt *insert = store->insert;
    char *state = has_state(event->kind) ? node_pack(&event->state) : NULL;
    int rc = bind_text(insert, ROLLOUT, event->rollout);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(insert, WALL_MS + 1, event->wall_ms);
    if (rc == SQLITE_OK)
        rc = bind_text(insert, KIND, event_name(event->kind));
    if (rc == SQLITE_OK && event->node != EVENT_NO_NODE)
        rc = sqlite3_bind_int(insert, NODE + 1, event->node);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, UPSTREAM + 1, event->upstream);
    if (rc == SQLITE_OK && event->kind == EVENT_STEP)
        rc = bind_text(insert, FROM_STEP, node_step_key(event->from));
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, CODE + 1, event->code);
    if (rc == SQLITE_OK)
        rc = bind_text(insert, SENTENCE, event->text);
    if (rc == SQLITE_OK)
        rc = event->plan != NULL ? bind_room(insert, event->plan) : bind_text(insert, PAYLOAD, event->payload);
    if (rc == SQLITE_OK && state != NULL)
        rc = sqlite3_bind_blob(insert, STATE + 1, state, (int)strlen(state), SQLITE_STATIC);
    if (rc == SQLITE_OK && event->kind != EVENT_BEGAN && run_of(store, event) != 0) /* its own is not known yet */
        rc = sqlite3_bind_int64(insert, RUN + 1, run_of(store, event));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(insert);
    sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
    free(state);
    if (rc == SQLITE_DONE && event->plan != NULL)
        rc = plan_write(store->db, event->plan);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool sqlite_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    sqlite3_int64 before = store->run;
    bool good = true;

    if (n == 0)
        return true;
    if (store->insert == NULL)
        return fail(store, SQLITE_READONLY, err);
    errno = 0;
    if (!transaction_begin(store, err))
        return false;
    for (size_t i = 0; i < n && good; i++) {
        int rc = event_insert(store, &events[i]);
        events[i].seq = (uint64_t)sqlite3_last_insert_rowid(store->db);
        if (events[i].kind == EVENT_BEGAN)
            run_begins(store, &events[i]);
        events[i].run = (uint64_t)run_of(store, &events[i]);
        good = rc == SQLITE_OK || fail(store, rc, err);
    }
    good = transaction_end(store, good && parts_are_there(store, events[0].rollout, err), err);
    store->run = good || store->run == before ? store->run : 0;
    for (size_t i = 0; i < n && !good; i++)
        events[i].seq = events[i].run = 0;
    return good;
}

static const char *column_text(sqlite3_stmt *row, enum column column)
{
    return (const char *)sqlite3_column_text(row, (int)column);
}

/* *event borrows from the row. */
static bool event_read(sqlite3_stmt *row, struct event *event, struct err *err)
{
    const char *kind = column_text(row, KIND), *from = column_text(row, FROM_STEP), *text = column_text(row, SENTENCE);
    const char *state = sqlite3_column_blob(row, STATE);
    int kind_of = kind == NULL ? -1 : event_kind_of(kind), step = from == NULL ? 0 : node_step_of_key(from);

    memset(event, 0, sizeof *event);
    event->seq = (uint64_t)sqlite3_column_int64(row, SEQ);
    if (kind_of < 0 || step < 0)
        return err_set(err, "event %llu is of the kind \"%s\"%s%s, which this version does not know",
                       (unsigned long long)event->seq, kind == NULL ? "" : kind, step < 0 ? " from step " : "",
                       step < 0 ? from : "");
    event->run = kind_of == EVENT_BEGAN ? event->seq : (uint64_t)sqlite3_column_int64(row, RUN);
    event->wall_ms = sqlite3_column_int64(row, WALL_MS);
    event->rollout = column_text(row, ROLLOUT);
    event->kind = (enum event_kind)kind_of;
    event->node = EVENT_NO_NODE;
    if (sqlite3_column_type(row, NODE) != SQLITE_NULL)
        event->node = (uint16_t)sqlite3_column_int(row, NODE);
    event->upstream = (uint16_t)sqlite3_column_int(row, UPSTREAM);
    event->from = (uint8_t)step;
    event->code = sqlite3_column_int(row, CODE);
    snprintf(event->text, sizeof event->text, "%s", text == NULL ? "" : text);
    event->payload = column_text(row, PAYLOAD);
    if (state != NULL && !node_unpack(state, (size_t)sqlite3_column_bytes(row, STATE), &event->state, err))
        return err_context(err, "event %llu", (unsigned long long)event->seq);
    return true;
}

static int prepare(const struct store_sqlite *store, const char *const sql[2], sqlite3_stmt **row)
{
    return sqlite3_prepare_v2(store->db, sql[has_run(store->db) ? 1 : 0], -1, row, NULL);
}

static bool sqlite_each(struct store *base, const char *rollout, uint64_t from,
                        bool (*fn)(void *ctx, const struct event *), void *ctx, struct err *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    sqlite3_stmt *row = NULL;
    int rc = prepare(store, SELECT, &row);
    bool good = true;

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(row, 1, rollout, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(row, 2, (sqlite3_int64)from);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        struct event event;
        rc = sqlite3_step(row);
        if (rc != SQLITE_ROW)
            break;
        if (!event_read(row, &event, err)) {
            good = err_context(err, "the journal %s", store->path);
            break;
        }
        good = fn(ctx, &event);
        if (!good)
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        good = fail(store, rc, err);
    sqlite3_finalize(row);
    return good;
}

static bool row_give(sqlite3_stmt *row, bool (*fn)(void *ctx, const struct store_row *), void *ctx)
{
    const char *kind = column_text(row, 4);
    int last = kind == NULL ? -1 : event_kind_of(kind);

    return fn(ctx, &(struct store_row){.rollout = column_text(row, 0),
                                       .began_ms = sqlite3_column_int64(row, 1),
                                       .last_ms = sqlite3_column_int64(row, 2),
                                       .plan = column_text(row, 3),
                                       .last_kind = last < 0 ? EVENT_COUNT : (enum event_kind)last,
                                       .code = sqlite3_column_int(row, 5)});
}

static bool sqlite_rollouts(struct store *base, bool (*fn)(void *ctx, const struct store_row *), void *ctx,
                            struct err *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    sqlite3_stmt *row = NULL;
    int rc = prepare(store, SELECT_ROLLOUTS, &row);
    bool good = true;

    if (rc == SQLITE_OK)
        while (good && (rc = sqlite3_step(row)) == SQLITE_ROW)
            good = row_give(row, fn, ctx);
    if (good && rc != SQLITE_DONE)
        good = fail(store, rc, err);
    sqlite3_finalize(row);
    return good;
}

static void sqlite_close(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;

    for (size_t i = 0; i < PARTS; i++)
        free(store->parts[i].path);
    free(store->run_of);
    sqlite3_finalize(store->insert);
    sqlite3_close(store->db);
    free(store);
}

static struct store_sqlite *store_new(const char *folder)
{
    static const struct store_ops ops = {sqlite_append, sqlite_each, sqlite_rollouts, sqlite_close};
    struct store_sqlite *store = mem_zero(1, sizeof *store);

    store->base.ops = &ops;
    snprintf(store->path, sizeof store->path, "%s/rollouts.db", folder);
    return store;
}

struct store *store_sqlite_open(const char *folder, struct err *err)
{
    struct store_sqlite *store;

    if (!folder_make(folder, err))
        return NULL;
    store = store_new(folder);
    if (!file_make(store->path, err) || !database_open(store, err)) {
        sqlite_close(&store->base);
        return NULL;
    }
    return &store->base;
}

/* ---- to read alone */

/* Whether the file can be read; *version as above. A reader of a WAL journal needs the two files beside it, and makes
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
        rc = sqlite3_busy_timeout(store->db, BUSY_LIMIT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
    return rc == SQLITE_OK ? pragma_number(store->db, "PRAGMA schema_version", &pages) : rc;
}

static bool nobody_writes(const struct store_sqlite *store)
{
    char *wal = mem_format("%s-wal", store->path);
    struct stat there;
    bool none = stat(wal, &there) != 0 || there.st_size == 0;

    free(wal);
    return none;
}

/* In a folder where nothing can be made, what is whole in the one file is read as it stands. */
static int look_only(struct store_sqlite *store)
{
    int rc = look(store, store->path, SQLITE_OPEN_READONLY), kind = rc & 0xff;

    if ((kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY) && nobody_writes(store)) {
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

        good = (rc == SQLITE_OK || fail(store, rc, err)) && schema_check(store, &version, err) && version != 0;
    }
    if (good)
        return &store->base;
    sqlite_close(&store->base);
    return NULL;
}
