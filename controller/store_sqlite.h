/* store_sqlite.h - the inside of the journal in SQLite, shared by store_sqlite.c, store_db.c, store_schema.c,
 * store_append.c and store_query.c only. What `rc` is, and what functions return as int, is SQLite's result code. */
#ifndef CONTROLLER_STORE_SQLITE_H
#define CONTROLLER_STORE_SQLITE_H

#include <limits.h>
#include <sqlite3.h>

#include "store.h"
#include "store_files.h"

#define STORE_BUSY_LIMIT_MS 5000 /* for another rollout's transaction, which takes milliseconds */

/* What a query of events yields, in this order; all but the last are what is inserted, each as the parameter behind its
 * number: SQLite counts those from 1. */
enum store_column {
    COLUMN_ROLLOUT,
    COLUMN_WALL_MS,
    COLUMN_KIND,
    COLUMN_NODE,
    COLUMN_UPSTREAM,
    COLUMN_FROM_STEP,
    COLUMN_CODE,
    COLUMN_TEXT,
    COLUMN_PAYLOAD,
    COLUMN_STATE,
    COLUMN_RUN,
    COLUMN_SEQ
};

struct store_sqlite {
    struct store base;
    sqlite3 *db;              /* NULL: it could not be opened */
    struct store_files files; /* as they were when they were opened to write */
    sqlite3_stmt *insert;     /* NULL: it is opened to read alone */
    sqlite3_int64 run;        /* the latest BEGAN that was appended here, and of which rollout; 0: none */
    char *run_of;
    char path[PATH_MAX];
};

/* store_db.c: one database. False with what went wrong, for people; errno was 0 before the call of SQLite that failed,
 * which keeps the system's word for some of its errors only. */
bool store_db_fail(const struct store_sqlite *, int rc, struct err *);
/* A transaction that writes. It is ended either way: false where it was not good, or where the commit failed, which
 * undoes it. */
bool store_db_begin(struct store_sqlite *, struct err *);
bool store_db_end(struct store_sqlite *, bool good, struct err *);
/* The first column of the first row. */
int store_db_number(sqlite3 *, const char *sql, int64_t *value);

/* store_schema.c: the table. Whether it is a journal, and one that this version knows: *version 0 = empty so far. */
bool store_schema_check(struct store_sqlite *, int64_t *version, struct err *);
/* Makes what lacks; within a transaction: of two rollouts that start at once, one makes the schema. */
bool store_schema_make(struct store_sqlite *, struct err *);
/* Journals of the first versions have no column `run`. */
bool store_schema_has_run(sqlite3 *);

/* store_append.c and store_query.c: the operations, as in store.h. An append needs the statement that is prepared here;
 * without it it fails as on a disk that is read-only. */
int store_append_prepare(struct store_sqlite *);
bool store_append(struct store *, struct event *events, size_t n, struct err *);
bool store_each(struct store *, const char *rollout, uint64_t from, bool (*fn)(void *ctx, const struct event *),
                void *ctx, struct err *);
bool store_rollouts(struct store *, bool (*fn)(void *ctx, const struct store_row *), void *ctx, struct err *);

#endif
