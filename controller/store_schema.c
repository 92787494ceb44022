/* store_schema.c - the journal's one table: made, known again, and brought up to date. */
#include "store_sqlite.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x726f6c6c /* "roll" in the file's header, so that nobody else's database is written to */
#define TEXT(x)        TEXT_(x)
#define TEXT_(x)       #x

/* AUTOINCREMENT: a seq is never used twice, also when old rollouts are deleted some day. */
static const char SCHEMA[] =
    "CREATE TABLE event(seq INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL,"
    " wall_ms INTEGER NOT NULL, kind TEXT NOT NULL, node INTEGER, upstream INTEGER NOT NULL,"
    " from_step TEXT, code INTEGER NOT NULL, text TEXT NOT NULL, payload TEXT, state BLOB, run INTEGER);"
    "CREATE INDEX event_of_rollout ON event(rollout);"
    "PRAGMA application_id=" TEXT(APPLICATION_ID) "; PRAGMA user_version=" TEXT(SCHEMA_VERSION);
/* A journal of the first versions has no such column. They neither read nor write it, so it needs no other version. */
static const char ADD_RUN[] = "ALTER TABLE event ADD COLUMN run INTEGER";

bool store_schema_has_run(sqlite3 *db)
{
    int64_t n = 0;

    return store_db_number(db, "SELECT count(*) FROM pragma_table_info('event') WHERE name = 'run'", &n) == SQLITE_OK &&
           n != 0;
}

bool store_schema_check(struct store_sqlite *store, int64_t *version, struct err *err)
{
    int64_t application = 0, tables = 0;
    int rc = store_db_number(store->db, "PRAGMA user_version", version);

    if (rc == SQLITE_OK)
        rc = store_db_number(store->db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = store_db_number(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return store_db_fail(store, rc, err);
    if (application != APPLICATION_ID && (tables != 0 || application != 0 || *version != 0))
        return err_set(err, "%s is not a journal: it is another program's database; move it away", store->path);
    if (*version > SCHEMA_VERSION)
        return err_set(err,
                       "the journal %s was written by a newer rollout (schema %lld; this one knows %d): use the newer"
                       " program or another state folder",
                       store->path, (long long)*version, SCHEMA_VERSION);
    return true;
}

bool store_schema_make(struct store_sqlite *store, struct err *err)
{
    int64_t version = 0;
    int rc = SQLITE_OK;

    if (!store_schema_check(store, &version, err))
        return false;
    if (version == 0)
        rc = sqlite3_exec(store->db, SCHEMA, NULL, NULL, NULL);
    else if (!store_schema_has_run(store->db))
        rc = sqlite3_exec(store->db, ADD_RUN, NULL, NULL, NULL);
    return rc == SQLITE_OK || store_db_fail(store, rc, err);
}
