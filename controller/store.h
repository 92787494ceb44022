/* store.h - where events go: the journal of rollouts. SQLite (store_sqlite.c), memory (store_memory.c). */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include <stddef.h>

#include "common/err.h"
#include "event.h"

struct store {
    const struct store_ops *ops;
};

/* One rollout of the journal, by its first and its last event. Texts are borrowed for the call. Where a pipeline's jobs
 * had runs of it at once, the end is that of the run that began last. */
struct store_row {
    const char *rollout;
    int64_t began_ms, last_ms;
    const char *plan;          /* as packed; NULL where the first event has none */
    enum event_kind last_kind; /* of its latest run. EVENT_ENDED: it came to an end */
    int code;                  /* of that end */
};

struct store_ops {
    /* Append all n events in one transaction; durable on return. Sets their `seq`, and their `run`: that of the latest
     * BEGAN that was appended here. Two processes may write down runs of one rollout. False: none was written. */
    bool (*append)(struct store *, struct event *events, size_t n, struct err *);
    /* Call fn for each event of a rollout with seq >= from, in order, until it returns false (then false comes back).
     */
    bool (*each)(struct store *, const char *rollout, uint64_t from, bool (*fn)(void *ctx, const struct event *),
                 void *ctx, struct err *);
    /* Call fn for each rollout, the one that was at work last first, until it returns false (then false comes back). */
    bool (*rollouts)(struct store *, bool (*fn)(void *ctx, const struct store_row *), void *ctx, struct err *);
    void (*close)(struct store *);
};

/* The journal in FOLDER/rollouts.db; makes the folder (0700) and the file (0600). NULL with the reason. */
struct store *store_sqlite_open(const char *folder, struct err *);
/* The same to read alone: makes nothing, and works while rollouts write. NULL with the reason, "" where there is no
 * journal yet. */
struct store *store_sqlite_read(const char *folder, struct err *);
struct store *store_memory_open(void);

#endif
