/* body.h - a strict reader of what a PATCH carries: one flat JSON object (RFC 8259), nothing nested.
 *
 * Works in the caller's buffer: strings are decoded in place (a decoded string is never longer than its JSON), so there
 * is no allocation and nothing to free; members point into the buffer. Free of nginx, so that it is tested alone. */
#ifndef API_BODY_H
#define API_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_type { BODY_NULL, BODY_BOOL, BODY_NUMBER, BODY_STRING };

struct body_text {
    const char *bytes; /* not terminated; may hold any byte, NUL included (\u0000) */
    size_t size_bytes;
};

struct body_member {
    struct body_text name;
    enum body_type type;
    bool truth;            /* BODY_BOOL */
    struct body_text text; /* BODY_STRING: decoded; BODY_NUMBER: as it was written */
};

enum body_result {
    BODY_OK,
    BODY_EMPTY,     /* nothing but white space */
    BODY_SYNTAX,    /* not JSON, not UTF-8, or not an object */
    BODY_NESTED,    /* a member is an object or an array */
    BODY_DUPLICATE, /* members[*count] has a name that was there before */
    BODY_MANY,      /* more members than there is room for */
};

/* On BODY_OK members[0..*count-1] are filled, in their order. */
enum body_result body_read(char *text, size_t size_bytes, struct body_member *members, size_t capacity, size_t *count);

bool body_text_is(const struct body_text *text, const char *other);

#endif
