/* names.h - from a name to a number, hashed. The names are borrowed. */
#ifndef CONTROLLER_NAMES_H
#define CONTROLLER_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names { /* all zero = empty */
    struct names_slot *slots;
    size_t used, capacity;
};

int64_t names_find(const struct names *, const char *name); /* -1 = not there */
/* Put a name in, or give the number that it already has. */
uint32_t names_add(struct names *, const char *name, uint32_t number);
void names_free(struct names *);

#endif
