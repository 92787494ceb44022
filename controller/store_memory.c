#include "store.h"

#include <string.h>

#include "common/mem.h"

struct store_memory {
    struct store base;
    struct event *events; /* rollout and payload are ours; events[i].seq is i + 1 */
    size_t n, capacity;
};

static bool memory_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct store_memory *store = (struct store_memory *)base;

    (void)err;
    while (store->capacity < store->n + n) {
        store->capacity = 2 * store->capacity + 64;
        store->events = mem_grow(store->events, store->capacity, sizeof *store->events);
    }
    for (size_t i = 0; i < n; i++) {
        struct event *copy = &store->events[store->n++];

        events[i].seq = store->n;
        *copy = events[i];
        copy->rollout = mem_text(events[i].rollout);
        copy->payload = mem_text(events[i].payload);
    }
    return true;
}

static bool memory_each(struct store *base, const char *rollout, uint64_t from,
                        bool (*fn)(void *ctx, const struct event *), void *ctx, struct err *err)
{
    struct store_memory *store = (struct store_memory *)base;

    (void)err;
    for (size_t i = from == 0 ? 0 : from - 1; i < store->n; i++)
        if (strcmp(store->events[i].rollout, rollout) == 0 && !fn(ctx, &store->events[i]))
            return false;
    return true;
}

static void memory_close(struct store *base)
{
    struct store_memory *store = (struct store_memory *)base;

    for (size_t i = 0; i < store->n; i++) {
        free((char *)store->events[i].rollout);
        free((char *)store->events[i].payload);
    }
    free(store->events);
    free(store);
}

struct store *store_memory_open(void)
{
    static const struct store_ops ops = {memory_append, memory_each, memory_close};
    struct store_memory *store = mem_zero(1, sizeof *store);

    store->base.ops = &ops;
    return &store->base;
}
