/* fields_fuzz.c - of any arguments, each name of the list is wanted, no other is, and an empty list is one without
 * names. */
#include <ctype.h>

#include "deploy/nginx-module/fields.h"
#include "tests/fuzz/fuzz.h"

/* In place; how many bytes are left. */
static size_t decode(char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        char digits[3] = {0};

        text[n] = text[i];
        if (text[i] == '%' && size - i > 2 && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            memcpy(digits, text + i + 1, 2);
            text[n] = (char)strtoul(digits, NULL, 16);
            i += 2;
        }
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct fields fields = fields_find(copy, size);
    bool empty = true;

    if (fields.list == NULL) {
        fuzz_check(fields_has(&fields, "any") && !fields_is_empty(&fields));
        free(copy);
        return 0;
    }
    fuzz_check(fields.list >= copy + strlen("fields") && fields.list + fields.size_bytes <= copy + size);
    fuzz_check(fields.size_bytes == 0 || memchr(fields.list, '&', fields.size_bytes) == NULL);
    char *text = calloc(fields.size_bytes + 2, 1), *longer = calloc(fields.size_bytes + 2, 1);
    if (text == NULL || longer == NULL)
        abort();
    memcpy(text, fields.list, fields.size_bytes);
    size_t n = decode(text, fields.size_bytes);
    text[n] = ',';
    for (size_t from = 0, at = 0; at <= n; at++) {
        if (text[at] != ',')
            continue;
        text[at] = '\0';
        empty = empty && at == from;
        if (at > from && strlen(text + from) == at - from) /* else it has a zero in it, as no name has */
            fuzz_check(fields_has(&fields, text + from));
        from = at + 1;
    }
    fuzz_check(fields_is_empty(&fields) == empty);
    memset(longer, 'a', n + 1);
    fuzz_check(!fields_has(&fields, longer));
    free(longer);
    free(text);
    free(copy);
    return 0;
}
