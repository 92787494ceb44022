/* fields.h - the argument `fields` of a GET: a comma-separated list of the members that are wanted. Pure. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

struct fields {
    const char *list; /* within the arguments, still percent-encoded; NULL: all are wanted */
    size_t size_bytes;
};

/* The first argument of that name; without a value it is an empty list. args: what follows the `?`. */
struct fields fields_find(const char *args, size_t size_bytes);

bool fields_has(const struct fields *fields, const char *name);

/* A list was given, and no name is in it. */
bool fields_is_empty(const struct fields *fields);

#endif
