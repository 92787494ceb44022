#include "answer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_reset(struct answer *a)
{
    a->size = a->head_size = a->body_size = 0;
    a->status = 0;
    a->closes = false;
    a->why = "";
}

void answer_room(struct answer *a, char **at, size_t *room)
{
    *at = a->bytes + a->size;
    *room = ANSWER_MAX - a->size;
}

static enum answer_state bad(struct answer *a, const char *why)
{
    a->why = why;
    return ANSWER_BAD;
}

/* The value of a header line if it has that name. */
static const char *header(const char *line, const char *name)
{
    size_t n = strlen(name);

    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static enum answer_state read_head(struct answer *a, char *end)
{
    bool has_length = false;

    *end = '\0'; /* the second CRLF of the head; the bytes of the body stay as they are */
    if (sscanf(a->bytes, "HTTP/1.1 %3d ", &a->status) != 1)
        return bad(a, "the first line is no HTTP/1.1 status line");
    for (char *line = strstr(a->bytes, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        const char *value;

        line += 2;
        if (header(line, "Transfer-Encoding") != NULL)
            return bad(a, "it has a Transfer-Encoding");
        if ((value = header(line, "Connection")) != NULL)
            a->closes = strncasecmp(value, "close", 5) == 0;
        if ((value = header(line, "Content-Length")) == NULL)
            continue;
        if (has_length)
            return bad(a, "it has two Content-Lengths");
        has_length = true;
        a->body_size = strtoul(value, NULL, 10);
    }
    a->head_size = (size_t)(end - a->bytes) + 4;
    if (!has_length || a->body_size > ANSWER_MAX - a->head_size)
        return bad(a, has_length ? "it is too long" : "it has no Content-Length");
    return ANSWER_PARTIAL;
}

enum answer_state answer_took(struct answer *a, size_t size)
{
    a->size += size;
    a->bytes[a->size] = '\0';
    if (a->size == 0)
        return ANSWER_NOTHING;
    if (a->head_size == 0) {
        char *end = memmem(a->bytes, a->size, "\r\n\r\n", 4);

        if (end == NULL)
            return a->size == ANSWER_MAX ? bad(a, "its head is too long") : ANSWER_PARTIAL;
        if (read_head(a, end) == ANSWER_BAD)
            return ANSWER_BAD;
    }
    if (a->size > a->head_size + a->body_size)
        return bad(a, "more bytes came than its Content-Length says");
    return a->size == a->head_size + a->body_size ? ANSWER_WHOLE : ANSWER_PARTIAL;
}

bool answer_is_sleep(const struct answer *a, unsigned sleep_ms)
{
    const char *body = a->bytes + a->head_size;
    char tail[128];
    const char *slept = strstr(body, " slept for ");
    int pid, used = 0;

    if (strlen(body) != a->body_size || slept == NULL)
        return false;
    if (strncmp(body, "Zero   started at ", 18) != 0 && strncmp(body, "First  started at ", 18) != 0 &&
        strncmp(body, "Second started at ", 18) != 0)
        return false;
    (void)snprintf(tail, sizeof tail, " slept for %llu nanoseconds from pid ", (unsigned long long)sleep_ms * 1000000);
    if (strncmp(slept, tail, strlen(tail)) != 0)
        return false;
    return sscanf(slept + strlen(tail), "%d.%n", &pid, &used) == 1 && used > 0 &&
           strcmp(slept + strlen(tail) + used, "\n") == 0;
}
