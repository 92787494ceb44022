/* agent_http_fuzz.c - any bytes as a request: what is made of them does not depend on how they come, nothing that is
 * taken holds a byte that another parser might end a line or a text at, and all of it stands within the head. The first
 * byte says how many come at a time. */
#include "agent/http.h"

#include <strings.h>

#include "tests/fuzz/fuzz.h"

struct scanned {
    enum http_verdict verdict;
    size_t used;
};

static struct scanned scan(const char *bytes, size_t size, size_t step)
{
    struct http_scan state = {0};
    struct scanned result = {HTTP_MORE, 0};
    const char *why = NULL;
    size_t there = 0;

    while (result.verdict == HTTP_MORE && there < size) {
        there = there + step < size ? there + step : size;
        result.verdict = http_scan(&state, bytes, there, &result.used, &why);
    }
    fuzz_check((result.verdict == HTTP_BAD) == (why != NULL));
    fuzz_check(result.used <= size);
    return result;
}

static void check_text(const char *text, const char *head, size_t size)
{
    fuzz_check(text >= head && text < head + size && strlen(text) < size);
}

static void check_head(const char *bytes, size_t size)
{
    char *copy = fuzz_copy(bytes, size);
    struct http_head head;
    const char *why = NULL;
    unsigned status = 0;
    unsigned hosts = 0;

    if (!http_head_read(copy, size, &head, &status, &why)) {
        fuzz_check(status >= 400 && status <= 599 && why != NULL);
        free(copy);
        return;
    }
    check_text(head.method, copy, size);
    check_text(head.path, copy, size);
    fuzz_check(head.path[0] == '/' && (!head.chunked || head.length == 0));
    for (unsigned i = 0; i < head.header_count; i++) {
        check_text(head.headers[i].name, copy, size);
        check_text(head.headers[i].value, copy, size);
        fuzz_check(strpbrk(head.headers[i].name, " \t\r\n:") == NULL && strpbrk(head.headers[i].value, "\r\n") == NULL);
        hosts += strcasecmp(head.headers[i].name, "Host") == 0;
    }
    fuzz_check(hosts == 1);
    for (unsigned i = 0; i < head.arg_count; i++) {
        check_text(head.args[i].name, copy, size);
        if (head.args[i].value != NULL)
            check_text(head.args[i].value, copy, size);
    }
    free(copy);
}

/* The body and how it ended, as a text of its own. */
static size_t unchunk(const char *bytes, size_t size, size_t step, char *body, enum http_verdict *verdict, size_t *at)
{
    struct http_chunks chunks = {0};
    size_t there = 0, length = 0;

    *verdict = HTTP_MORE;
    *at = 0;
    while (*verdict == HTTP_MORE && there < size) {
        there = there + step < size ? there + step : size;
        while (*verdict == HTTP_MORE && *at < there) {
            const char *piece;
            size_t used, piece_size;
            *verdict = http_chunks_read(&chunks, bytes + *at, there - *at, &used, &piece, &piece_size);
            fuzz_check(used <= there - *at && piece >= bytes + *at && piece_size <= used);
            memcpy(body + length, piece, piece_size);
            length += piece_size;
            *at += used;
        }
    }
    return length;
}

static void check_chunks(const char *bytes, size_t size, size_t step)
{
    char *one = malloc(size + 1), *two = malloc(size + 1);
    enum http_verdict verdict1, verdict2;
    size_t at1, at2, length1, length2;

    if (one == NULL || two == NULL)
        abort();
    length1 = unchunk(bytes, size, size > 0 ? size : 1, one, &verdict1, &at1);
    length2 = unchunk(bytes, size, step, two, &verdict2, &at2);
    fuzz_check(verdict1 == verdict2 && at1 == at2 && length1 == length2 && memcmp(one, two, length1) == 0);
    free(one);
    free(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scanned whole, parts;
    size_t step;
    char *bytes;

    if (size == 0)
        return 0;
    step = (size_t)data[0] % 32 + 1;
    bytes = fuzz_copy(data + 1, size - 1);
    size--;
    whole = scan(bytes, size, size > 0 ? size : 1);
    parts = scan(bytes, size, step);
    fuzz_check(whole.verdict == parts.verdict && whole.used == parts.used);
    if (whole.verdict == HTTP_WHOLE)
        check_head(bytes, whole.used);
    check_head(bytes, size); /* also what no scan would let through */
    check_chunks(bytes, size, step);
    free(bytes);
    return 0;
}
