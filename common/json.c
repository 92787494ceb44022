#include "common/json.h"

#include <stdlib.h>
#include <string.h>

#define JSON_TEXT_DEPTH_MAX 32
#define JSON_TEXT_SIZE_MAX  ((size_t)64 * 1024 * 1024)

/* jansson's own depth limit is fixed at 2048; ours is checked on the text, before anything is allocated. */
static bool check_depth(const char *text, size_t size_bytes)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < size_bytes; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
        if (depth > JSON_TEXT_DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *json_read(const char *text, size_t size_bytes, struct err *err)
{
    json_error_t why;
    json_t *root;

    if (size_bytes > JSON_TEXT_SIZE_MAX) {
        err_set(err, "the JSON text is larger than %zu bytes", JSON_TEXT_SIZE_MAX);
        return NULL;
    }
    if (!check_depth(text, size_bytes)) {
        err_set(err, "the JSON is nested deeper than %d levels", JSON_TEXT_DEPTH_MAX);
        return NULL;
    }
    root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        err_set(err, "no valid JSON at line %d, column %d: %s", why.line, why.column, why.text);
    return root;
}

static bool find_member(const json_t *object, const char *key, json_t **member, struct err *err)
{
    if (!json_is_object(object))
        return err_set(err, "\"%s\" is wanted, but this is no JSON object", key);
    *member = json_object_get(object, key);
    return *member != NULL || err_set(err, "\"%s\" is missing", key);
}

bool json_get_string(const json_t *object, const char *key, const char **value, struct err *err)
{
    json_t *member;

    if (!find_member(object, key, &member, err))
        return false;
    if (!json_is_string(member))
        return err_set(err, "\"%s\" is no string", key);
    *value = json_string_value(member);
    return true;
}

bool json_get_uint(const json_t *object, const char *key, uint64_t *value, struct err *err)
{
    json_t *member;

    if (!find_member(object, key, &member, err))
        return false;
    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return err_set(err, "\"%s\" is no whole number of 0 or more", key);
    *value = (uint64_t)json_integer_value(member);
    return true;
}

bool json_get_bool(const json_t *object, const char *key, bool *value, struct err *err)
{
    json_t *member;

    if (!find_member(object, key, &member, err))
        return false;
    if (!json_is_boolean(member))
        return err_set(err, "\"%s\" is neither true nor false", key);
    *value = json_is_true(member);
    return true;
}

const char *json_opt_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

json_t *json_opt_object(const json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);

    return json_is_object(member) ? member : NULL;
}

json_t *json_opt_array(const json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);

    return json_is_array(member) ? member : NULL;
}

bool json_opt_is(const json_t *object, const char *key, json_type type)
{
    const json_t *member = json_object_get(object, key);

    return member == NULL || json_is_null(member) || json_typeof(member) == type;
}

uint64_t json_opt_uint(const json_t *object, const char *key, uint64_t otherwise)
{
    json_t *member = json_object_get(object, key);

    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return otherwise;
    return (uint64_t)json_integer_value(member);
}

bool json_opt_bool(const json_t *object, const char *key, bool otherwise)
{
    json_t *member = json_object_get(object, key);

    return json_is_boolean(member) ? json_is_true(member) : otherwise;
}

bool json_is_shallow(json_t *json, unsigned levels)
{
    const char *key;
    json_t *member;
    size_t i;

    if (!json_is_array(json) && !json_is_object(json))
        return true;
    if (levels == 0)
        return false;
    json_array_foreach(json, i, member)
    {
        if (!json_is_shallow(member, levels - 1))
            return false;
    }
    json_object_foreach(json, key, member)
    {
        if (!json_is_shallow(member, levels - 1))
            return false;
    }
    return true;
}

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);
    char *plain;

    if (json != NULL)
        return json;
    plain = strdup(text);
    for (char *c = plain; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    json = json_string(plain != NULL ? plain : "");
    free(plain);
    return json;
}

json_t *json_text_or_null(const char *text)
{
    return text == NULL || *text == '\0' ? json_null() : json_text(text);
}

void json_append(json_t *list, json_t *member)
{
    if (json_array_append_new(list, member) != 0)
        abort();
}
