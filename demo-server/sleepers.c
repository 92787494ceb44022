#include "sleepers.h"

#include <assert.h>
#include <stdlib.h>

static void put(struct sleepers *s, size_t index, struct sleeper *who)
{
    s->heap[index] = who;
    who->index = index;
}

static void rise(struct sleepers *s, size_t index, struct sleeper *who)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;

        if (s->heap[parent]->deadline_ns <= who->deadline_ns)
            break;
        put(s, index, s->heap[parent]);
        index = parent;
    }
    put(s, index, who);
}

static void sink(struct sleepers *s, size_t index, struct sleeper *who)
{
    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= s->count)
            break;
        if (child + 1 < s->count && s->heap[child + 1]->deadline_ns < s->heap[child]->deadline_ns)
            child++;
        if (who->deadline_ns <= s->heap[child]->deadline_ns)
            break;
        put(s, index, s->heap[child]);
        index = child;
    }
    put(s, index, who);
}

bool sleepers_add(struct sleepers *s, struct sleeper *who)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 64 : 2 * s->room;
        struct sleeper **heap = realloc(s->heap, room * sizeof heap[0]);

        if (heap == NULL)
            return false;
        s->heap = heap;
        s->room = room;
    }
    rise(s, s->count++, who);
    return true;
}

void sleepers_remove(struct sleepers *s, struct sleeper *who)
{
    size_t index = who->index;
    struct sleeper *last;

    assert(index < s->count && s->heap[index] == who);
    last = s->heap[--s->count];
    if (last == who)
        return;
    if (last->deadline_ns < who->deadline_ns)
        rise(s, index, last);
    else
        sink(s, index, last);
}

struct sleeper *sleepers_first(const struct sleepers *s)
{
    return s->count > 0 ? s->heap[0] : NULL;
}

void sleepers_clear(struct sleepers *s)
{
    free(s->heap);
    *s = (struct sleepers){0};
}
