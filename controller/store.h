/* store.h - where events go: the journal of rollouts. SQLite (store_sqlite.c), memory (store_memory.c). */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include <stddef.h>

#include "common/err.h"
#include "event.h"

struct store {
    const struct store_ops *ops;
};

struct store_ops {
    /* Append all n events in one transaction; durable on return. Sets their `seq`. False: none was written. */
    bool (*append)(struct store *, struct event *events, size_t n, struct err *);
    /* Call fn for each event of a rollout with seq >= from, in order, until it returns false (then false comes back).
     */
    bool (*each)(struct store *, const char *rollout, uint64_t from, bool (*fn)(void *ctx, const struct event *),
                 void *ctx, struct err *);
    void (*close)(struct store *);
};

/* The journal in FOLDER/rollouts.db; makes the folder (0700) and the file (0600). NULL with the reason. */
struct store *store_sqlite_open(const char *folder, struct err *);
struct store *store_memory_open(void);

#endif
