/* store_db.c - the journal's database: transactions, a number, and in words what went wrong. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_sqlite.h"

/* SQLite tries this and that before it gives up; what it heard last may be beside the point. */
static const char *why_not_made(const char *path, const char *system)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(folder[0] != '\0' ? folder : "/", W_OK) != 0 ? strerror(errno) : system;
}

bool store_db_fail(const struct store_sqlite *store, int rc, struct err *err)
{
    const char *path = store->path;
    int number = errno;
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
                       STORE_BUSY_LIMIT_MS / 1000);
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

int store_db_number(sqlite3 *db, const char *sql, int64_t *value)
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

bool store_db_begin(struct store_sqlite *store, struct err *err)
{
    int rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    return rc == SQLITE_OK || store_db_fail(store, rc, err);
}

bool store_db_end(struct store_sqlite *store, bool good, struct err *err)
{
    int rc = good ? sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) : SQLITE_OK;

    if (rc != SQLITE_OK)
        good = store_db_fail(store, rc, err);
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return good;
}
