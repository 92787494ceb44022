/* store_query.c - events and rollouts come out of the journal. */
#include <stdio.h>
#include <string.h>

#include "node_pack.h"
#include "store_sqlite.h"

/* Each without and with the column `run`. */
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

static const char *column_text(sqlite3_stmt *row, enum store_column column)
{
    return (const char *)sqlite3_column_text(row, (int)column);
}

/* *event borrows from the row. */
static bool event_read(sqlite3_stmt *row, struct event *event, struct err *err)
{
    const char *kind = column_text(row, COLUMN_KIND), *from = column_text(row, COLUMN_FROM_STEP),
               *text = column_text(row, COLUMN_TEXT);
    const char *state = sqlite3_column_blob(row, COLUMN_STATE);
    int kind_of = kind == NULL ? -1 : event_kind_of(kind), step = from == NULL ? 0 : node_step_of_key(from);

    memset(event, 0, sizeof *event);
    event->seq = (uint64_t)sqlite3_column_int64(row, COLUMN_SEQ);
    if (kind_of < 0 || step < 0)
        return err_set(err, "event %llu is of the kind \"%s\"%s%s, which this version does not know",
                       (unsigned long long)event->seq, kind == NULL ? "" : kind, step < 0 ? " from step " : "",
                       step < 0 ? from : "");
    event->run = kind_of == EVENT_BEGAN ? event->seq : (uint64_t)sqlite3_column_int64(row, COLUMN_RUN);
    event->wall_ms = sqlite3_column_int64(row, COLUMN_WALL_MS);
    event->rollout = column_text(row, COLUMN_ROLLOUT);
    event->kind = (enum event_kind)kind_of;
    event->node = EVENT_NO_NODE;
    if (sqlite3_column_type(row, COLUMN_NODE) != SQLITE_NULL)
        event->node = (uint16_t)sqlite3_column_int(row, COLUMN_NODE);
    event->upstream = (uint16_t)sqlite3_column_int(row, COLUMN_UPSTREAM);
    event->from = (uint8_t)step;
    event->code = sqlite3_column_int(row, COLUMN_CODE);
    snprintf(event->text, sizeof event->text, "%s", text == NULL ? "" : text);
    event->payload = column_text(row, COLUMN_PAYLOAD);
    if (state != NULL && !node_unpack(state, (size_t)sqlite3_column_bytes(row, COLUMN_STATE), &event->state, err))
        return err_context(err, "event %llu", (unsigned long long)event->seq);
    return true;
}

static int prepare(const struct store_sqlite *store, const char *const sql[2], sqlite3_stmt **row)
{
    return sqlite3_prepare_v2(store->db, sql[store_schema_has_run(store->db) ? 1 : 0], -1, row, NULL);
}

bool store_each(struct store *base, const char *rollout, uint64_t from, bool (*fn)(void *ctx, const struct event *),
                void *ctx, struct err *err)
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
        good = store_db_fail(store, rc, err);
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

bool store_rollouts(struct store *base, bool (*fn)(void *ctx, const struct store_row *), void *ctx, struct err *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    sqlite3_stmt *row = NULL;
    int rc = prepare(store, SELECT_ROLLOUTS, &row);
    bool good = true;

    if (rc == SQLITE_OK)
        while (good && (rc = sqlite3_step(row)) == SQLITE_ROW)
            good = row_give(row, fn, ctx);
    if (good && rc != SQLITE_DONE)
        good = store_db_fail(store, rc, err);
    sqlite3_finalize(row);
    return good;
}
