#include "store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct store_memory {
    struct store base;
    struct event *events; /* rollout and payload are ours; events[i].seq is i + 1 */
    size_t n, capacity;
};

static void event_drop(struct event *event)
{
    free((char *)event->rollout);
    free((char *)event->payload);
}

static bool event_copy(struct event *to, const struct event *from)
{
    *to = *from;
    to->rollout = strdup(from->rollout);
    to->payload = from->payload == NULL ? NULL : strdup(from->payload);
    if (to->rollout != NULL && (from->payload == NULL || to->payload != NULL))
        return true;
    event_drop(to);
    return false;
}

static bool grow(struct store_memory *store, size_t n)
{
    size_t capacity = store->capacity == 0 ? 64 : store->capacity;
    struct event *events;

    while (capacity - store->n < n)
        capacity *= 2;
    if (capacity == store->capacity)
        return true;
    events = reallocarray(store->events, capacity, sizeof *events);
    if (events == NULL)
        return false;
    store->events = events;
    store->capacity = capacity;
    return true;
}

static bool memory_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct store_memory *store = (struct store_memory *)base;
    size_t done = 0;

    if (grow(store, n))
        while (done < n && event_copy(&store->events[store->n + done], &events[done]))
            done++;
    if (done < n) {
        while (done > 0)
            event_drop(&store->events[store->n + --done]);
        return err_set(err, "out of memory for %zu events", n);
    }
    for (size_t i = 0; i < n; i++) {
        events[i].seq = store->n + 1;
        store->events[store->n++].seq = events[i].seq;
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

    for (size_t i = 0; i < store->n; i++)
        event_drop(&store->events[i]);
    free(store->events);
    free(store);
}

struct store *store_memory_open(void)
{
    static const struct store_ops ops = {memory_append, memory_each, memory_close};
    struct store_memory *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    store->base.ops = &ops;
    return &store->base;
}
