#include "health.h"

#include <stdio.h>
#include <string.h>

bool health_good(const struct plan_health *h, const struct call_result *r, char *text, size_t size)
{
    char wanted[STATUS_RANGE_TEXT];

    text[0] = '\0';
    if (r->failure != CALL_FINE)
        (void)snprintf(text, size, "%s", r->text);
    else if (!status_range_has(&h->status, (unsigned)r->status))
        (void)snprintf(text, size, "it answered %d, not %s", r->status, status_range_format(&h->status, wanted));
    else if (memmem(r->body, r->body_bytes, h->body, strlen(h->body)) == NULL)
        (void)snprintf(text, size, "it answered %d, but without \"%.100s\"", r->status, h->body);
    return text[0] == '\0';
}
