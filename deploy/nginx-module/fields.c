#include "fields.h"

#include <string.h>

#define NAME "fields"

/* A character of the list, decoded; 0x100 at its end. */
#define END 0x100

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What is no %XX stands for itself. */
static int next_char(struct fields *rest)
{
    if (rest->size_bytes == 0) {
        return END;
    }
    size_t taken = 1;
    int c = (unsigned char)rest->list[0];
    if (c == '%' && rest->size_bytes >= 3 && hex(rest->list[1]) >= 0 && hex(rest->list[2]) >= 0) {
        taken = 3;
        c = hex(rest->list[1]) * 16 + hex(rest->list[2]);
    }
    rest->list += taken;
    rest->size_bytes -= taken;
    return c;
}

struct fields fields_find(const char *args, size_t size_bytes)
{
    const size_t name_bytes = strlen(NAME);

    while (size_bytes > 0) {
        const char *end = memchr(args, '&', size_bytes);
        size_t argument_bytes = end != NULL ? (size_t)(end - args) : size_bytes;

        if (argument_bytes >= name_bytes && memcmp(args, NAME, name_bytes) == 0 &&
            (argument_bytes == name_bytes || args[name_bytes] == '=')) {
            size_t skip = argument_bytes == name_bytes ? name_bytes : name_bytes + 1;

            return (struct fields){args + skip, argument_bytes - skip};
        }
        size_t taken = argument_bytes + (end != NULL ? 1 : 0);
        args += taken;
        size_bytes -= taken;
    }
    return (struct fields){NULL, 0};
}

/* Takes one name and the comma behind it off the front. */
static bool next_is(struct fields *rest, const char *name)
{
    bool same = true;
    int c;

    while ((c = next_char(rest)) != END && c != ',') {
        same = same && *name != '\0' && c == (unsigned char)*name;
        name += same ? 1 : 0;
    }
    return same && *name == '\0';
}

bool fields_has(const struct fields *fields, const char *name)
{
    struct fields rest = *fields;

    if (fields->list == NULL) {
        return true;
    }
    while (rest.size_bytes > 0) {
        if (next_is(&rest, name)) {
            return true;
        }
    }
    return false;
}

bool fields_is_empty(const struct fields *fields)
{
    struct fields rest = *fields;
    int c = ',';

    while (c == ',') {
        c = next_char(&rest);
    }
    return fields->list != NULL && c == END;
}
