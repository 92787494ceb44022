/* json_escape_fuzz.c - of any bytes comes a JSON string; it says the same where they are UTF-8 and never grows beyond
 * the room that is promised. */
#include <jansson.h>

#include "deploy/nginx-module/json_escape.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size), *text = calloc(size * JSON_ESCAPE_MAX + 2, 1);

    if (text == NULL)
        abort();
    text[0] = '"';
    size_t n = json_escape(text + 1, copy, size);
    fuzz_check(n <= size * JSON_ESCAPE_MAX);
    text[n + 1] = '"';
    json_t *json = json_loadb(text, n + 2, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    fuzz_check(json != NULL);
    json_t *same = json_stringn(copy, size); /* NULL: no UTF-8 */
    fuzz_check(same == NULL || json_equal(same, json));
    fuzz_check(same != NULL || strstr(text, "\xef\xbf\xbd") != NULL);
    json_decref(same);
    json_decref(json);
    free(text);
    free(copy);
    return 0;
}
