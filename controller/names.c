#include "names.h"

#include <stdlib.h>
#include <string.h>

struct names_slot {
    const char *name; /* NULL = free */
    uint32_t number, hash;
};

static uint32_t names_hash(const char *name) /* FNV-1a */
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* The slot of the name, or the free one where it belongs. At least half of the slots are free. */
static struct names_slot *names_slot(const struct names *names, const char *name, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        struct names_slot *slot = &names->slots[i & (names->capacity - 1)];
        if (!slot->name || (slot->hash == hash && !strcmp(slot->name, name)))
            return slot;
    }
}

int64_t names_find(const struct names *names, const char *name)
{
    if (!names->capacity)
        return -1;
    const struct names_slot *slot = names_slot(names, name, names_hash(name));
    return slot->name ? (int64_t)slot->number : -1;
}

static void names_grow(struct names *names)
{
    struct names wider = {.used = names->used, .capacity = names->capacity ? names->capacity * 2 : 64};
    wider.slots = calloc(wider.capacity, sizeof *wider.slots);
    if (!wider.slots)
        abort(); /* as pool.h */
    for (size_t i = 0; i < names->capacity; i++)
        if (names->slots[i].name)
            *names_slot(&wider, names->slots[i].name, names->slots[i].hash) = names->slots[i];
    free(names->slots);
    *names = wider;
}

uint32_t names_add(struct names *names, const char *name, uint32_t number)
{
    if (names->used * 2 >= names->capacity)
        names_grow(names);
    uint32_t hash = names_hash(name);
    struct names_slot *slot = names_slot(names, name, hash);
    if (!slot->name) {
        *slot = (struct names_slot){name, number, hash};
        names->used++;
    }
    return slot->number;
}

void names_free(struct names *names)
{
    free(names->slots);
    memset(names, 0, sizeof *names);
}
