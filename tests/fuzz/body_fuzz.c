/* body_fuzz.c - the reader of PATCH bodies beside jansson: both take the same texts and find the same in them. */
#include <jansson.h>
#include <stdbool.h>

#include "deploy/nginx-module/body.h"
#include "tests/fuzz/fuzz.h"

#define MEMBERS 16

static bool same_number(const struct body_text *text, const json_t *want)
{
    char *number = malloc(text->size_bytes + 1);
    bool same;

    if (number == NULL)
        abort();
    memcpy(number, text->bytes, text->size_bytes);
    number[text->size_bytes] = '\0';
    same = json_is_integer(want) ? strtoll(number, NULL, 10) == json_integer_value(want)
                                 : strtod(number, NULL) == json_real_value(want);
    free(number);
    return same;
}

static bool same_value(const struct body_member *member, const json_t *want)
{
    switch (member->type) {
    case BODY_NULL:
        return json_is_null(want);
    case BODY_BOOL:
        return json_is_boolean(want) && member->truth == json_is_true(want);
    case BODY_NUMBER:
        return json_is_number(want) && same_number(&member->text, want);
    case BODY_STRING:
        return json_is_string(want) && member->text.size_bytes == json_string_length(want) &&
               memcmp(member->text.bytes, json_string_value(want), member->text.size_bytes) == 0;
    }
    return false;
}

static bool is_flat(json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (json_is_object(value) || json_is_array(value)) return false;
    return true;
}

static void check_members(const struct body_member *members, size_t count, const json_t *want)
{
    fuzz_check(json_object_size(want) == count);
    for (size_t i = 0; i < count; i++) {
        char *name = malloc(members[i].name.size_bytes + 1);
        json_t *value;

        if (name == NULL)
            abort();
        memcpy(name, members[i].name.bytes, members[i].name.size_bytes);
        name[members[i].name.size_bytes] = '\0';
        value = json_object_get(want, name);
        fuzz_check(value != NULL && same_value(&members[i], value));
        fuzz_check(body_text_is(&members[i].name, name));
        free(name);
    }
}

/* What jansson refuses and JSON does not. */
static bool is_its_own_limit(const json_error_t *error)
{
    return json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct body_member members[MEMBERS];
    char *copy = fuzz_copy(data, size);
    size_t count;
    enum body_result result = body_read(copy, size, members, MEMBERS, &count);
    json_error_t error;
    json_t *want = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    fuzz_check(count <= MEMBERS);
    if (size > 0 && memchr(data, '\0', size) != NULL) /* jansson overlooks one behind a number */
        fuzz_check(result != BODY_OK);
    else if (want == NULL)
        fuzz_check(result != BODY_OK || is_its_own_limit(&error));
    else if (!json_is_object(want))
        fuzz_check(result == BODY_SYNTAX);
    else if (json_object_size(want) > MEMBERS)
        fuzz_check(result == BODY_MANY || (result == BODY_NESTED && !is_flat(want)));
    else if (!is_flat(want))
        fuzz_check(result == BODY_NESTED);
    else
        fuzz_check(result == BODY_OK);
    if (want != NULL && result == BODY_OK)
        check_members(members, count, want);
    json_decref(want);
    free(copy);
    return 0;
}
