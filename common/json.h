/* json.h - jansson with the limits we want: duplicate keys refused, depth and size bounded, needed members named in the
 * error. Borrowed pointers live as long as the object they came from. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Parse one whole text: an object or an array; duplicate keys, trailing bytes, NULs and nesting deeper than 32 refused.
 * Returns a new reference, or NULL with the reason. */
json_t *json_read(const char *text, size_t size_bytes, struct err *err);

/* Members of an object. A missing member or one of another type is false with a sentence that names it. */
bool json_get_string(const json_t *object, const char *key, const char **value, struct err *err);
bool json_get_uint(const json_t *object, const char *key, uint64_t *value, struct err *err); /* >= 0 */
bool json_get_bool(const json_t *object, const char *key, bool *value, struct err *err);
/* NULL where the member is missing or null (no error): borrowed. */
const char *json_opt_string(const json_t *object, const char *key);
json_t *json_opt_object(const json_t *object, const char *key);
json_t *json_opt_array(const json_t *object, const char *key);
/* Whether it is missing, null, or of that type: an optional member of another type is a mistake, not an absence. */
bool json_opt_is(const json_t *object, const char *key, json_type type);
uint64_t json_opt_uint(const json_t *object, const char *key, uint64_t otherwise);
bool json_opt_bool(const json_t *object, const char *key, bool otherwise);

/* Arrays and objects within it at most `levels` deep, itself included. */
bool json_is_shallow(json_t *json, unsigned levels);

/* A text for people as a JSON string; where it is no UTF-8 (a path is bytes), with a ? for each byte beyond ASCII. */
json_t *json_text(const char *text);

/* The same; null for "" and NULL. */
json_t *json_text_or_null(const char *text);

/* Append, taking the reference. Out of memory ends the program, as in mem.h: a list that is shorter than it should be
 * says something else. */
void json_append(json_t *list, json_t *member);

#endif
