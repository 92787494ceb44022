#include "history.h"

#include <stdio.h>
#include <string.h>

#include "job.h"

static void push(struct history *h, const char *hex)
{
    if (h->count > 0 && strcmp(h->hex[h->count - 1], hex) == 0)
        return;
    if (h->count == HISTORY_KEPT)
        memmove(h->hex, h->hex + 1, --h->count * sizeof *h->hex);
    (void)snprintf(h->hex[h->count++], sizeof *h->hex, "%s", hex);
}

/* One behind the last time that it ran; 0: never. */
static size_t behind(const struct history *h, const char *hex)
{
    size_t i = h->count;

    while (i > 0 && strcmp(h->hex[i - 1], hex) != 0)
        i--;
    return i;
}

void history_note(struct history *h, const struct job *job)
{
    char from[SHA256_DIGITS + 1], to[SHA256_DIGITS + 1];

    if (job->before.pid == 0 || job->after.pid == 0)
        return;
    sha256_hex(job->before.sha256, from);
    sha256_hex(job->after.sha256, to);
    if (strcmp(from, to) == 0)
        return;
    if (job->action == JOB_ROLLBACK)
        h->count = behind(h, to); /* of one that never ran here nobody knows what was before it */
    else
        push(h, from);
    push(h, to);
}

const char *history_before(const struct history *h, const char *runs)
{
    size_t i = behind(h, runs);

    return i >= 2 ? h->hex[i - 2] : NULL;
}

json_t *history_to_json(const struct history *h)
{
    json_t *list = json_array();

    for (size_t i = 0; i < h->count; i++)
        (void)json_array_append_new(list, json_string(h->hex[i]));
    return list;
}

bool history_from_json(const json_t *list, struct history *h)
{
    uint8_t digest[SHA256_BYTES];
    const json_t *item;
    size_t i;

    h->count = 0;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || !sha256_parse(json_string_value(item), digest))
            return false;
        push(h, json_string_value(item));
    }
    return json_is_array(list);
}
