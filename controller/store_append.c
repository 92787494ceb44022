/* store_append.c - events go into the journal. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "node_pack.h"
#include "plan_pack.h"
#include "store_sqlite.h"

static const char INSERT[] = "INSERT INTO event(rollout, wall_ms, kind, node, upstream, from_step, code, text, payload,"
                             " state, run) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

static bool has_state(enum event_kind kind)
{
    return kind == EVENT_STEP || kind == EVENT_NOTE;
}

/* A NULL text is bound as NULL. Borrowed until the row is written. */
static int bind_text(sqlite3_stmt *insert, enum store_column column, const char *text)
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

    return n <= INT_MAX ? sqlite3_bind_zeroblob(insert, COLUMN_PAYLOAD + 1, (int)n) : SQLITE_TOOBIG;
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
    int rc = bind_text(insert, COLUMN_ROLLOUT, event->rollout);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(insert, COLUMN_WALL_MS + 1, event->wall_ms);
    if (rc == SQLITE_OK)
        rc = bind_text(insert, COLUMN_KIND, event_name(event->kind));
    if (rc == SQLITE_OK && event->node != EVENT_NO_NODE)
        rc = sqlite3_bind_int(insert, COLUMN_NODE + 1, event->node);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, COLUMN_UPSTREAM + 1, event->upstream);
    if (rc == SQLITE_OK && event->kind == EVENT_STEP)
        rc = bind_text(insert, COLUMN_FROM_STEP, node_step_key(event->from));
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, COLUMN_CODE + 1, event->code);
    if (rc == SQLITE_OK)
        rc = bind_text(insert, COLUMN_TEXT, event->text);
    if (rc == SQLITE_OK)
        rc = event->plan != NULL ? bind_room(insert, event->plan) : bind_text(insert, COLUMN_PAYLOAD, event->payload);
    if (rc == SQLITE_OK && state != NULL)
        rc = sqlite3_bind_blob(insert, COLUMN_STATE + 1, state, (int)strlen(state), SQLITE_STATIC);
    if (rc == SQLITE_OK && event->kind != EVENT_BEGAN && run_of(store, event) != 0) /* its own is not known yet */
        rc = sqlite3_bind_int64(insert, COLUMN_RUN + 1, run_of(store, event));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(insert);
    sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
    free(state);
    if (rc == SQLITE_DONE && event->plan != NULL)
        rc = plan_write(store->db, event->plan);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_append_prepare(struct store_sqlite *store)
{
    return sqlite3_prepare_v3(store->db, INSERT, -1, SQLITE_PREPARE_PERSISTENT, &store->insert, NULL);
}

bool store_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    sqlite3_int64 before = store->run;
    bool good = true;

    if (n == 0)
        return true;
    if (store->insert == NULL)
        return store_db_fail(store, SQLITE_READONLY, err);
    errno = 0;
    if (!store_db_begin(store, err))
        return false;
    for (size_t i = 0; i < n && good; i++) {
        int rc = event_insert(store, &events[i]);
        events[i].seq = (uint64_t)sqlite3_last_insert_rowid(store->db);
        if (events[i].kind == EVENT_BEGAN)
            run_begins(store, &events[i]);
        events[i].run = (uint64_t)run_of(store, &events[i]);
        good = rc == SQLITE_OK || store_db_fail(store, rc, err);
    }
    good = store_db_end(store, good && store_files_are_there(&store->files, events[0].rollout, err), err);
    store->run = good || store->run == before ? store->run : 0;
    for (size_t i = 0; i < n && !good; i++)
        events[i].seq = events[i].run = 0;
    return good;
}
