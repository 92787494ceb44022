#include "store.h"

#include <string.h>

#include "common/mem.h"
#include "plan_pack.h"

struct store_memory {
    struct store base;
    struct event *events; /* rollout and payload are ours; events[i].seq is i + 1 */
    size_t n, capacity;
    uint64_t run; /* of what is appended */
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
        copy->payload = events[i].plan != NULL ? plan_pack(events[i].plan) : mem_text(events[i].payload);
        copy->plan = NULL;
        store->run = copy->kind == EVENT_BEGAN ? copy->seq : store->run;
        if (store->run != 0 && strcmp(store->events[store->run - 1].rollout, copy->rollout) == 0)
            copy->run = events[i].run = store->run;
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

static bool is_last(const struct store_memory *store, size_t i)
{
    for (size_t k = i + 1; k < store->n; k++)
        if (strcmp(store->events[k].rollout, store->events[i].rollout) == 0)
            return false;
    return true;
}

/* The latest event of the run that began last. */
static const struct event *end_of(const struct store_memory *store, const char *rollout)
{
    const struct event *found = NULL;
    uint64_t run = 0;

    for (size_t i = 0; i < store->n; i++) {
        const struct event *e = &store->events[i];

        if (strcmp(e->rollout, rollout) != 0)
            continue;
        run = e->kind == EVENT_BEGAN ? e->seq : run;
        if (e->run == run || e->run == 0)
            found = e;
    }
    return found;
}

static bool memory_rollouts(struct store *base, bool (*fn)(void *ctx, const struct store_row *), void *ctx,
                            struct err *err)
{
    struct store_memory *store = (struct store_memory *)base;

    (void)err;
    for (size_t i = store->n; i-- > 0;) {
        const struct event *last = &store->events[i], *first = store->events, *end;

        if (!is_last(store, i))
            continue;
        end = end_of(store, last->rollout);
        while (strcmp(first->rollout, last->rollout) != 0)
            first++;
        if (!fn(ctx, &(struct store_row){.rollout = last->rollout,
                                         .began_ms = first->wall_ms,
                                         .last_ms = last->wall_ms,
                                         .plan = first->payload,
                                         .last_kind = end->kind,
                                         .code = end->code}))
            return false;
    }
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
    static const struct store_ops ops = {memory_append, memory_each, memory_rollouts, memory_close};
    struct store_memory *store = mem_zero(1, sizeof *store);

    store->base.ops = &ops;
    return &store->base;
}
